"""Values that take the place of others: dummies, and dates moved by whole days.

Knows the forms of PS3.5 section 6.2. Must not know which attribute gets what. What isn't of the form is never moved.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

# One for each VR that a required attribute may have; the words say that there is none.
DUMMIES: Final[dict[str, object]] = {
    "PN": "ANON^ANON", "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "CS": "ANON",
    "DS": "0", "IS": "0", "UR": "urn:anon", "AE": "ANON", "LO": "ANON", "SH": "ANON", "ST": "ANON", "LT": "ANON",
    "UC": "ANON", "UT": "ANON", "OB": b"\0\0", "OW": b"\0\0", "UN": b"\0\0", "US": 0, "SS": 0, "UL": 0, "SL": 0,
    "FL": 0.0, "FD": 0.0,
}  # fmt: skip
TIMES: Final = ("DA", "DT", "TM")
_FORMS: Final = {
    "DA": re.compile(r"[0-9]{8}"),
    "DT": re.compile(r"[0-9]{8}([0-9]{2}){0,3}(\.[0-9]{1,6})?([-+][0-9]{4})?"),
    "TM": re.compile(r"[0-9]{2}([0-9]{2}){0,2}(\.[0-9]{1,6})?"),
    "AS": re.compile(r"[0-9]{3}[DWMY]"),
}


def texts(element: DataElement) -> list[str]:
    """Return the element's values as text, without padding."""
    values = element.value if isinstance(element.value, MultiValue) else [element.value]
    return ["" if value is None else str(value).strip() for value in values]


def is_of_its_form(element: DataElement) -> bool:
    """Tell whether a date, time or age is written as the standard has it; every other VR has no form here."""
    form = _FORMS.get(element.VR)
    return form is None or all(form.fullmatch(text) or not text for text in texts(element))


def shifted(element: DataElement, days: int) -> DataElement | None:
    """Return a date moved by ``days``, a time as it is; None when it isn't a whole date of the standard's form."""
    if element.VR not in TIMES or not is_of_its_form(element):
        return None
    if element.VR == "TM":
        return element
    try:
        moved = [_moved(text, days) for text in texts(element)]
    except (ValueError, OverflowError):
        return None
    return DataElement(element.tag, element.VR, moved if len(moved) > 1 else moved[0])


def _moved(text: str, days: int) -> str:
    if not text:
        return ""
    day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) + timedelta(days=days)
    return f"{day.year:04}{day.month:02}{day.day:02}{text[8:]}"
