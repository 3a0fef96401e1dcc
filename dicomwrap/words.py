"""What DICOM's codes and numbers are called by people who take photographs.

Knows terms of compression, confidentiality and exposure. Must not know objects: values come as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dicomwrap.terms import PURPOSE_CODES

METHODS: Final = {
    "ISO_10918_1": "JPEG",
    "ISO_14495_1": "JPEG-LS",
    "ISO_15444_1": "JPEG 2000",
    "ISO_15444_15": "High-Throughput JPEG 2000",
    "ISO_18181_1": "JPEG XL",
    "ISO_13818_2": "MPEG-2",
    "ISO_14496_10": "H.264",
    "ISO_23008_2": "HEVC",
}  # PS3.3 section C.7.6.1.1.5.1
CONFIDENTIALITY: Final = {
    "U": "unrestricted", "L": "low", "M": "moderate", "N": "normal", "R": "restricted", "V": "very restricted",
}  # fmt: skip
STATUS: Final = {
    "active": "given", "rejected": "refused", "proposed": "asked for", "inactive": "withdrawn or expired",
    "entered-in-error": "entered in error", "none": "none recorded",
}  # fmt: skip
SIDES: Final = {"R": "right", "L": "left", "U": "unpaired", "B": "both sides"}
GIVERS: Final = {"PATIENT": "the patient", "PARENT": "a parent", "PROXY": "a proxy", "CLINICIAN": "a clinician"}
_PURPOSES: Final = {code: purpose.value.lower().replace("_", " ") for purpose, code in PURPOSE_CODES.items()}
_DATE_TIME: Final = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<part>\.\d{1,6})?)?(?P<zone>[+-]\d{4})?",
    re.ASCII,
)
_ZONE: Final = re.compile(r"[+-]\d{4}", re.ASCII)
_SHORTEST_LONG_EXPOSURE: Final = 0.3  # from here on cameras show decimals, not fractions


def purpose(code: str) -> str:
    """Return what a purpose is called, such as ``teaching`` for TRAIN; a foreign code stays itself."""
    return _PURPOSES.get(code, code)


def person(name: str) -> str:
    """Return a DICOM name as people write it: ``Doe^Jane^^Dr`` is Doe, Jane, Dr."""
    alphabetic = name.partition("=")[0]
    return ", ".join(part for part in (each.strip() for each in alphabetic.split("^")) if part)


def day(value: str) -> str:
    """Return a DA value as YYYY-MM-DD, "" when it is none."""
    return moment(value)[0][:10]


def clock(value: str) -> str:
    """Return a TM value as HH:MM:SS, "" when it is none."""
    return moment(f"20000101{value}")[0][11:]


def moment(value: str) -> tuple[str, str]:
    """Return a DT value as ``2025-03-01 10:15:30.25`` and its offset as ``+01:00``; "" for what it doesn't say."""
    match = _DATE_TIME.fullmatch(value.strip())
    if match is None:
        return "", ""
    date = f"{match['year']}-{match['month']}-{match['day']}"
    if match["hour"] is None:
        return date, zone(match["zone"] or "")
    seconds = f":{match['second']}{(match['part'] or '').rstrip('0').rstrip('.')}" if match["second"] else ""
    return f"{date} {match['hour']}:{match['minute']}{seconds}", zone(match["zone"] or "")


def zone(value: str) -> str:
    """Return an offset from UTC as ``+01:00``, "" when it is none."""
    return f"{value[:3]}:{value[3:]}" if _ZONE.fullmatch(value) else ""


def exposure_time(seconds: Sequence[float]) -> str:
    """Return an exposure time as cameras show it, such as ``1/60 s``."""
    if not seconds or not 0 < seconds[0] < float("inf"):
        return ""
    if seconds[0] < _SHORTEST_LONG_EXPOSURE:
        return f"1/{round(1 / seconds[0])} s"
    return f"{seconds[0]:.3g} s"


def measured(values: Sequence[float], form: str) -> str:
    """Return the first value in a form such as ``f/{}``, "" when there is none."""
    return form.format(f"{values[0]:.4g}") if values else ""
