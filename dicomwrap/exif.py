"""Read what an EXIF block says of the capture, and nothing else.

Knows the EXIF 2.32 fields that group 0016 and the equipment module have a place for (PS3.17 Annex NNNN). Must not read
the GPS directory, maker notes, thumbnails, names of owners or artists, comments or descriptions: they are never asked
for.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from dicomwrap.photograph import CaptureFacts, Device, ExposureValue
from dicomwrap.tiff_ifd import Number, Rational, Tiff, Value, fields, opened

EXIF_HEADER: Final = b"Exif\0"
OLDEST_YEAR: Final = 1900  # a camera whose clock was never set
_HEADER_LENGTH: Final = 6  # and a padding byte
_BROKEN: Final = "the camera's EXIF block can't be read; capture time and device are unknown"
_HALF_BROKEN: Final = "a part of the camera's EXIF block can't be read; capture time and exposure are unknown"
_TIME: Final = re.compile(r"(\d{4})[:\-](\d{2})[:\-](\d{2})[ T](\d{2}:\d{2}:\d{2})", re.ASCII)
_SUBSECOND: Final = re.compile(r"\d{1,6}", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?([0-5]\d)", re.ASCII)
_VERSION: Final = re.compile(r"\d{4}", re.ASCII)
_WEST: Final = timedelta(hours=-12)  # PS3.5 section 6.2, DT
_EAST: Final = timedelta(hours=14)
_LONGEST_TEXT: Final = 64  # LO, PS3.5 section 6.2
_UNKNOWN: Final = 0xFFFFFFFF  # a numerator or denominator that EXIF uses for "unknown" or "infinite"

_MAKE, _MODEL, _ORIENTATION, _SOFTWARE = 0x010F, 0x0110, 0x0112, 0x0131
_EXIF_IFD: Final = 0x8769
_TIME_ZONE_OFFSET: Final = 0x882A  # hours
_TIFF_EP: Final[tuple[int, ...]] = (_TIME_ZONE_OFFSET, 0x882B)  # in IFD0; some cameras write them into the Exif IFD
_FLASH: Final = 0x9209
_BODY_SERIAL_NUMBER: Final = 0xA431
# time, its fraction, its offset: DateTimeOriginal, then DateTimeDigitized
_ORIGINAL: Final = (0x9003, 0x9291, 0x9011)
_DIGITIZED: Final = (0x9004, 0x9292, 0x9012)

_Fields: TypeAlias = Mapping[int, Value]
_Rule: TypeAlias = Callable[[Value], ExposureValue | None]


def capture_facts(payload: bytes) -> CaptureFacts:
    """Return what an EXIF block says of the capture; a warning when it, or a part of it, is broken.

    The block may begin with APP1's header, with HEIF's offset, or with the TIFF header itself.
    """
    tiff = _tiff(payload)
    main = None if tiff is None else fields(tiff, tiff.first, _MAIN_TAGS)
    if tiff is None or main is None:
        return CaptureFacts(warnings=(_BROKEN,) if _without_header(payload) else ())
    detail = _detail(tiff, main)
    shared = {tag: main[tag] for tag in _TIFF_EP if tag in main}
    return _facts(main, {**shared, **(detail or {})}, () if detail is not None else (_HALF_BROKEN,))


def _tiff(payload: bytes) -> Tiff | None:
    # ISO/IEC 23008-12 section A.2.1: an item of HEIF begins with the offset of the TIFF header.
    offset = 4 + int.from_bytes(payload[:4], "big")
    return opened(_without_header(payload)) or opened(_without_header(payload[offset:]))


def _without_header(payload: bytes) -> bytes:
    for _ in range(2):  # some programs write it twice
        if payload.startswith(EXIF_HEADER):
            payload = payload[_HEADER_LENGTH:]
    return payload


def _detail(tiff: Tiff, main: _Fields) -> _Fields | None:
    if _EXIF_IFD not in main:
        return {}
    at = _first(main[_EXIF_IFD])
    return fields(tiff, at, _DETAIL_TAGS) if isinstance(at, int) else None


def _facts(main: _Fields, detail: _Fields, warnings: tuple[str, ...]) -> CaptureFacts:
    taken_at, offset = _taken(detail)
    return CaptureFacts(
        taken_at=taken_at,
        offset=offset,
        device=Device(
            manufacturer=_text(main.get(_MAKE)),
            model=_text(main.get(_MODEL)),
            software=_text(main.get(_SOFTWARE)),
            serial_number=_text(detail.get(_BODY_SERIAL_NUMBER)),
        ),
        exposure=_exposure(detail),
        orientation=_integer(main.get(_ORIENTATION), range(1, 9)),
        other_colours=_integer(detail.get(_COLOR_SPACE), range(0x10000)) in _NOT_SRGB,
        warnings=warnings,
    )


def _taken(detail: _Fields) -> tuple[datetime | None, timedelta | None]:
    """Return the time of capture and its distance from UTC. IFD0's DateTime is the file's: not used."""
    original, digitized = _moment(detail, _ORIGINAL), _moment(detail, _DIGITIZED)
    if original is None and digitized is not None:
        return digitized, _offset(detail.get(_DIGITIZED[2]))
    offset = _offset(detail.get(_ORIGINAL[2]))
    return original, _zone(detail.get(_TIME_ZONE_OFFSET)) if offset is None else offset


def _moment(detail: _Fields, tags: tuple[int, int, int]) -> datetime | None:
    match = _TIME.fullmatch(_text(detail.get(tags[0])))
    if match is None or int(match[1]) < OLDEST_YEAR:
        return None
    fraction = _SUBSECOND.match(_text(detail.get(tags[1])))
    digits = (fraction[0] if fraction else "").ljust(6, "0")
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(f"{match[1]}-{match[2]}-{match[3]}T{match[4]}.{digits}")
    return None


def _offset(value: Value | None) -> timedelta | None:
    match = _OFFSET.fullmatch(_text(value))
    if match is None:
        return None
    distance = timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
    return distance if _WEST <= distance <= _EAST else None


def _zone(value: Value | None) -> timedelta | None:
    hours = _integer(value, range(-12, 15))
    return None if hours is None else timedelta(hours=hours)


def _text(value: Value | None) -> str:
    """Return a field as one clean line that fits LO: no control characters, no backslash."""
    if isinstance(value, bytes):
        value = value.partition(b"\0")[0].decode("latin-1")
    if not isinstance(value, str):
        return ""
    with contextlib.suppress(UnicodeDecodeError):  # cameras write UTF-8 where EXIF says ASCII
        value = value.encode("latin-1").decode("utf-8")
    if not value.isprintable() or "\\" in value:
        value = "".join(sign if sign.isprintable() and sign != "\\" else " " for sign in value)
    return " ".join(value.split())[:_LONGEST_TEXT].strip()


def _plain(part: Number) -> int | float | None:
    """Return a number that EXIF defines: not x/0, not infinite, not its code for "unknown"."""
    if isinstance(part, Rational):
        if part.denominator in (0, -1, _UNKNOWN) or part.numerator == _UNKNOWN:
            return None
        return part.numerator / part.denominator
    return part if math.isfinite(part) else None


def _first(value: Value | None) -> int | float | None:
    return _plain(value[0]) if isinstance(value, tuple) else None


def _integer(value: Value | None, allowed: Container[int]) -> int | None:
    number = _first(value)
    return int(number) if number is not None and number == int(number) and int(number) in allowed else None


def _decimal(value: Value) -> float | None:
    number = _first(value)
    return None if number is None else float(number)


def _positive(value: Value) -> float | None:
    number = _first(value)
    return float(number) if number is not None and number > 0 else None


def _brightness(value: Value) -> float | None:
    """BrightnessValue is signed, and its numerator FFFFFFFF means unknown."""
    unknown = isinstance(value, tuple) and isinstance(value[0], Rational) and value[0].numerator == -1
    return None if unknown else _decimal(value)


def _one_of(*terms: int) -> _Rule:
    allowed = frozenset(terms)
    return lambda value: _integer(value, allowed)


def _octet_of(*terms: int) -> _Rule:
    """UNDEFINED with a single value that is a number."""
    allowed = frozenset(terms)
    return lambda value: _integer((value[0],) if isinstance(value, bytes) else value, allowed)


def _whole(low: int) -> Callable[[Value], int | None]:
    allowed = range(low, 2**31)  # IS
    return lambda value: _integer(value, allowed)


def _several(rule: Callable[[Value], float | None], fewest: int, most: int) -> _Rule:
    def read(value: Value) -> tuple[float, ...] | None:
        if not isinstance(value, tuple) or not fewest <= len(value) <= most:
            return None
        values = tuple(known for part in value if (known := rule((part,))) is not None)
        return values if len(values) == len(value) else None

    return read


def _line(value: Value) -> str | None:
    return _text(value) or None


def _version(value: Value) -> str | None:
    text = _text(value)
    return text if _VERSION.fullmatch(text) else None


# EXIF tag: keyword of group 0016, rule. The terms are EXIF 2.32's, which PS3.3 section C.8.12.11 repeats.
_RULES: Final[dict[int, tuple[str, _Rule]]] = {
    0x829A: ("ExposureTimeInSeconds", _positive),
    0x829D: ("FNumber", _positive),
    0x8822: ("ExposureProgram", _one_of(*range(9))),
    0x8827: ("PhotographicSensitivity", _whole(1)),
    0x882B: ("SelfTimerMode", _whole(0)),
    0x8830: ("SensitivityType", _one_of(*range(8))),
    0x8831: ("StandardOutputSensitivity", _whole(1)),
    0x8832: ("RecommendedExposureIndex", _whole(1)),
    0x8833: ("ISOSpeed", _whole(1)),
    0x8834: ("ISOSpeedLatitudeyyy", _whole(1)),
    0x8835: ("ISOSpeedLatitudezzz", _whole(1)),
    0x9000: ("EXIFVersion", _version),
    0x9201: ("ShutterSpeedValue", _decimal),
    0x9202: ("ApertureValue", _decimal),
    0x9203: ("BrightnessValue", _brightness),
    0x9204: ("ExposureBiasValue", _decimal),
    0x9205: ("MaxApertureValue", _decimal),
    0x9206: ("SubjectDistance", _positive),
    0x9207: ("MeteringMode", _one_of(*range(7), 255)),
    0x9208: ("LightSource", _one_of(*range(5), *range(9, 25), 255)),
    0x920A: ("FocalLength", _positive),
    0x9214: ("SubjectArea", _several(_whole(0), 2, 4)),
    0x9400: ("Temperature", _decimal),
    0x9401: ("Humidity", _decimal),
    0x9402: ("Pressure", _decimal),
    0x9403: ("WaterDepth", _decimal),
    0x9404: ("Acceleration", _decimal),
    0x9405: ("CameraElevationAngle", _decimal),
    0xA20B: ("FlashEnergy", _several(_decimal, 1, 2)),
    0xA214: ("SubjectLocation", _several(_whole(0), 2, 2)),
    0xA215: ("PhotographicExposureIndex", _positive),
    0xA217: ("SensingMethod", _one_of(*range(1, 6), 7, 8)),
    0xA300: ("FileSource", _octet_of(*range(4))),
    0xA301: ("SceneType", _octet_of(1)),
    0xA401: ("CustomRendered", _one_of(0, 1)),
    0xA402: ("ExposureMode", _one_of(0, 1, 2)),
    0xA403: ("WhiteBalance", _one_of(0, 1)),
    0xA404: ("DigitalZoomRatio", _decimal),
    0xA405: ("FocalLengthIn35mmFilm", _whole(1)),
    0xA406: ("SceneCaptureType", _one_of(*range(4))),
    0xA407: ("GainControl", _one_of(*range(5))),
    0xA408: ("Contrast", _one_of(0, 1, 2)),
    0xA409: ("Saturation", _one_of(0, 1, 2)),
    0xA40A: ("Sharpness", _one_of(0, 1, 2)),
    0xA40C: ("SubjectDistanceRange", _one_of(*range(4))),
    0xA432: ("LensSpecification", _several(_positive, 4, 4)),
    0xA433: ("LensMake", _line),
    0xA434: ("LensModel", _line),
    0xA435: ("LensSerialNumber", _line),
}
# keyword: the lowest bit of Flash, the terms
_FLASH_BITS: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "FlashFiringStatus": (0, (0, 1)),
    "FlashReturnStatus": (1, (0, 2, 3)),
    "FlashMode": (3, (0, 1, 2, 3)),
    "FlashFunctionPresent": (5, (0, 1)),
    "FlashRedEyeMode": (6, (0, 1)),
}
EXPOSURE_KEYWORDS: Final = frozenset((*_FLASH_BITS, *(keyword for keyword, _ in _RULES.values())))
# They count from the corner of the picture as the sensor saw it: no longer true once the picture is turned.
PIXEL_COORDINATES: Final = frozenset({"SubjectArea", "SubjectLocation"})
_COLOR_SPACE: Final = 0xA001
_NOT_SRGB: Final = (2, 0xFFFF)  # Adobe RGB by some cameras; uncalibrated
_MAIN_TAGS: Final = frozenset((_MAKE, _MODEL, _ORIENTATION, _SOFTWARE, _EXIF_IFD, *_TIFF_EP))
_DETAIL_TAGS: Final = frozenset(
    (*_RULES, _FLASH, _COLOR_SPACE, *_ORIGINAL, *_DIGITIZED, _TIME_ZONE_OFFSET, _BODY_SERIAL_NUMBER)
)


def _exposure(detail: _Fields) -> dict[str, ExposureValue]:
    exposure: dict[str, ExposureValue] = dict(_flash(detail.get(_FLASH)))
    for tag, value in detail.items():
        if tag in _RULES:
            keyword, rule = _RULES[tag]
            known = rule(value)
            if known is not None:
                exposure[keyword] = known
    return exposure


def _flash(value: Value | None) -> Iterator[tuple[str, int]]:
    flash = _integer(value, range(0x80))
    if flash is None:
        return
    for keyword, (lowest, terms) in _FLASH_BITS.items():
        term = flash >> lowest & terms[-1]
        if term in terms:
            yield keyword, term


def without_places(facts: CaptureFacts) -> CaptureFacts:
    """Return the facts without places in the picture: they were counted before it was turned."""
    kept = {keyword: value for keyword, value in facts.exposure.items() if keyword not in PIXEL_COORDINATES}
    return replace(facts, exposure=kept)
