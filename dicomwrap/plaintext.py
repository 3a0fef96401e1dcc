"""Read an element's text without having pydicom convert it, where both come to the same: most text is plain ASCII.

Knows which value representations are text, and which of them have several values (PS3.5 section 6.2). Must not know
what an element means. Whatever isn't plainly so is left to pydicom.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

SEVERAL: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM"})
ONE: Final = frozenset({"LT", "ST", "UT"})
PADDING: Final = b"\0 "
_ESCAPE: Final = b"\x1b"  # begins another character set


def plain_texts(dataset: Dataset, tag: int) -> tuple[str, ...] | None:
    """Return the values of a text element as it stands in the file, None when only pydicom can tell them.

    What is around a value is not taken off, but for the padding at the element's end.
    """
    element = dataset.get_item(tag)
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
        return None
    value = element.value if element.VR == "AE" else element.value.rstrip(PADDING)  # of AE pydicom keeps zeros
    if not value.isascii() or b"\0" in value or _ESCAPE in value:
        return None
    text = value.decode("ascii")
    if element.VR in SEVERAL:
        return tuple(text.split("\\"))
    return (text,) if element.VR in ONE else None
