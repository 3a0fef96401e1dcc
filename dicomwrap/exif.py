"""Read what an EXIF block says of the capture, and nothing else.

Knows the few EXIF fields that group 0016 and the equipment module have a place for (PS3.17 Annex NNNN). Must not read
the GPS directory, maker notes, names of owners or artists, comments or descriptions: they are never asked for.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from PIL import ExifTags, Image

from dicomwrap.photograph import CaptureFacts, Device, Exposure

EXIF_HEADER: Final = b"Exif\0"
_BROKEN: Final = "the camera's EXIF block can't be read; capture time and device are unknown"
_UNREADABLE: Final = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, RecursionError, SyntaxError, TypeError, ValueError,
    struct.error,
)  # fmt: skip
_TIME: Final = re.compile(r"(\d{4})[:\-](\d{2})[:\-](\d{2})[ T](\d{2}:\d{2}:\d{2})")
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")
OLDEST_YEAR: Final = 1900  # a camera whose clock was never set
_LONGEST_TEXT: Final = 64  # LO, PS3.5 section 6.2
_Fields = Mapping[int, object]


def capture_facts(payload: bytes) -> CaptureFacts:
    """Return what an APP1 EXIF payload says of the capture; empty facts with a warning when it is broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            exif = Image.Exif()
            exif.load(payload)
            main: _Fields = dict(exif)
            detail: _Fields = dict(exif.get_ifd(ExifTags.IFD.Exif))
    except (UserWarning, *_UNREADABLE):
        return CaptureFacts(warnings=(_BROKEN,))
    return _facts(main, detail)


def _facts(main: _Fields, detail: _Fields) -> CaptureFacts:
    return CaptureFacts(
        taken_at=_taken_at(detail),
        offset=_offset(_text(detail.get(ExifTags.Base.OffsetTimeOriginal))),
        device=Device(
            manufacturer=_text(main.get(ExifTags.Base.Make)),
            model=_text(main.get(ExifTags.Base.Model)),
            software=_text(main.get(ExifTags.Base.Software)),
            serial_number=_text(detail.get(ExifTags.Base.BodySerialNumber)),
        ),
        exposure=_exposure(detail),
        orientation=_whole(main.get(ExifTags.Base.Orientation), 1, 8),
    )


def _exposure(detail: _Fields) -> Exposure:
    flash = _whole(detail.get(ExifTags.Base.Flash), 0, 0xFFFF)
    return Exposure(
        exposure_time=_positive(detail.get(ExifTags.Base.ExposureTime)),
        f_number=_positive(detail.get(ExifTags.Base.FNumber)),
        sensitivity=_whole(detail.get(ExifTags.Base.ISOSpeedRatings), 1, 2**31 - 1),
        focal_length=_positive(detail.get(ExifTags.Base.FocalLength)),
        focal_length_35mm=_whole(detail.get(ExifTags.Base.FocalLengthIn35mmFilm), 1, 0xFFFF),
        flash_fired=None if flash is None else bool(flash & 1),
        lens_make=_text(detail.get(ExifTags.Base.LensMake)),
        lens_model=_text(detail.get(ExifTags.Base.LensModel)),
    )


def _taken_at(detail: _Fields) -> datetime | None:
    for time, subsecond in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.SubsecTimeDigitized),
    ):
        match = _TIME.fullmatch(_text(detail.get(time)))
        if match is None:
            continue
        digits = re.sub(r"\D", "", _text(detail.get(subsecond)))[:6].ljust(6, "0")
        year, month, day, clock = match.groups()
        if int(year) < OLDEST_YEAR:
            continue
        try:
            return datetime.fromisoformat(f"{year}-{month}-{day}T{clock}.{digits}")
        except ValueError:
            continue
    return None


def _offset(text: str) -> timedelta | None:
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    if int(match[3]) > 59 or minutes > 14 * 60:
        return None
    return timedelta(minutes=-minutes if match[1] == "-" else minutes)


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


def _text(value: object) -> str:
    """Return a field as one clean line that fits LO: no control characters, no backslash."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    with contextlib.suppress(UnicodeError):  # cameras write UTF-8 where EXIF says ASCII; Pillow reads Latin-1
        value = value.encode("latin-1").decode("utf-8")
    kept = "".join(character if character.isprintable() and character != "\\" else " " for character in value)
    return " ".join(kept.split())[:_LONGEST_TEXT].strip()


def _number(value: object) -> float | None:
    try:
        number = float(_first(value))  # type: ignore[arg-type]
    except _UNREADABLE:
        return None
    return number if math.isfinite(number) else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _whole(value: object, low: int, high: int) -> int | None:
    number = _number(value)
    return int(number) if number is not None and low <= number <= high else None
