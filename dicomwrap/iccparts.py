"""Read the elements of an ICC profile and write them anew, so that only the numbers of a colour transform survive.

Knows the types of ICC.1:2022 section 10 that turn camera values into colours. Must not know which elements a profile
needs, nor DICOM or files. Works on any bytes in linear time: the answer is an element or ``BrokenProfileError``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

XYZ: Final = b"XYZ "
CURVE: Final = b"curv"
PARAMETRIC: Final = b"para"
MATRIX: Final = b"sf32"
LUT8: Final = b"mft1"
LUT16: Final = b"mft2"
STAGED_LUT: Final = b"mAB "
PARAMETERS: Final = ("g", "gab", "gabe", "gabcd", "gabcdef")  # by function type (section 10.18)

_RESERVED: Final = bytes(4)
_MOST_ENTRIES: Final = 65_536
_LARGEST_NUMBER: Final = 100 * 65_536  # no true coefficient comes near; four letters read as a number are above 8000
_NOISE: Final = 0xFFFF // 100
_CHANNELS: Final = b"\3\3"


class BrokenProfileError(ValueError):
    """The bytes break the rules of ICC profiles, or are no profile that a camera's picture can have."""


def rewritten(element: bytes) -> bytes:
    """Return the element as its type's rules would write it: reserved fields zero, nothing after its last number.

    Raises:
        BrokenProfileError: the element is incomplete, of another type than those above, or no transform.
    """
    write = _WRITERS.get(element[:4])
    if write is None:
        raise BrokenProfileError(f"no colour transform: {element[:4]!r}")
    return write(element)


def padded(data: bytes) -> bytes:
    """Return the bytes with zeros up to a multiple of four."""
    return data + bytes(-len(data) % 4)


def fixed_point(data: bytes) -> tuple[float, ...]:
    """Return the numbers that the bytes hold as s15Fixed16Number."""
    return tuple(value / 65_536 for value in struct.unpack(f">{len(data) // 4}i", data))


def part(data: bytes, start: int, length: int) -> bytes:
    """Return exactly ``length`` bytes.

    Raises:
        BrokenProfileError: there are fewer.
    """
    if start + length > len(data):
        raise BrokenProfileError("it ends too early")
    return data[start : start + length]


def _numbers(data: bytes, start: int, count: int) -> bytes:
    found = part(data, start, 4 * count)
    if any(abs(value) > _LARGEST_NUMBER for value in struct.unpack(f">{count}i", found)):
        raise BrokenProfileError("a number is no coefficient of colours")
    return found


def _xyz(element: bytes) -> bytes:
    return XYZ + _RESERVED + _numbers(element, 8, 3)


def _matrix(element: bytes) -> bytes:
    return MATRIX + _RESERVED + _numbers(element, 8, 9)


def _curve(element: bytes, start: int = 0) -> bytes:
    write = {CURVE: _sampled, PARAMETRIC: _parametric}.get(part(element, start, 4))
    if write is None:
        raise BrokenProfileError("no tone curve")
    return write(element, start)


def _sampled(element: bytes, start: int) -> bytes:
    head = part(element, start + 8, 4)
    count = int.from_bytes(head)
    if count > _MOST_ENTRIES:
        raise BrokenProfileError("a tone curve is too long")
    entries = part(element, start + 12, 2 * count)
    if not _runs_one_way(struct.unpack(f">{count}H", entries)):
        raise BrokenProfileError("a tone curve goes up and down")
    return CURVE + _RESERVED + head + entries


def _runs_one_way(entries: tuple[int, ...]) -> bool:
    """Tell whether the entries rise or fall throughout, but for noise. Text taken for a curve does neither."""
    steps = [after - before for before, after in pairwise(entries)]
    return min(steps, default=0) >= -_NOISE or max(steps, default=0) <= _NOISE


def _parametric(element: bytes, start: int) -> bytes:
    head = part(element, start + 8, 2)
    function = int.from_bytes(head)
    if function >= len(PARAMETERS):
        raise BrokenProfileError("a tone curve has an unknown function")
    return PARAMETRIC + _RESERVED + head + bytes(2) + _numbers(element, start + 12, len(PARAMETERS[function]))


def _lut(element: bytes) -> bytes:
    """Write lut8Type and lut16Type (sections 10.11 and 10.10)."""
    wide = element[:4] == LUT16
    grid = part(element, 8, 4)[2]
    sizes = part(element, 48, 4) if wide else b""
    entries = struct.unpack(">HH", sizes) if wide else (256, 256)
    if element[8:10] != _CHANNELS or grid < 2 or not all(2 <= count <= 4096 for count in entries):
        raise BrokenProfileError("a table hasn't the shape of an RGB transform")
    values = 3 * (sum(entries) + grid**3)
    table = part(element, 48 + len(sizes), values * (2 if wide else 1))
    return b"".join((element[:4], _RESERVED, _CHANNELS, bytes((grid, 0)), _numbers(element, 12, 9), sizes, table))


def _staged_lut(element: bytes) -> bytes:
    """Write lutAToBType (section 10.12): the stages that are there, in the order of their offsets' fields."""
    if part(element, 8, 2) != _CHANNELS:
        raise BrokenProfileError("a table hasn't the shape of an RGB transform")
    offsets = struct.unpack(">5I", part(element, 12, 20))
    if offsets[0] == 0:
        raise BrokenProfileError("a table lacks the stage that every table has")
    stages = [write(element, offset) if offset else b"" for write, offset in zip(_STAGES, offsets, strict=True)]
    places, end = [], 32
    for stage in stages:
        places.append(end if stage else 0)
        end += len(stage)
    return b"".join((STAGED_LUT, _RESERVED, _CHANNELS, bytes(2), struct.pack(">5I", *places), *stages))


def _curves(element: bytes, start: int) -> bytes:
    found = b""
    for _ in range(3):
        found += padded(_curve(element, start + len(found)))
    return found


def _affine(element: bytes, start: int) -> bytes:
    return _numbers(element, start, 12)


def _grid(element: bytes, start: int) -> bytes:
    shape = part(element, start, 20)
    red, green, blue, precision = *shape[:3], shape[16]
    if min(red, green, blue) < 2 or precision not in (1, 2):
        raise BrokenProfileError("a table hasn't the shape of an RGB transform")
    table = part(element, start + 20, 3 * red * green * blue * precision)
    return padded(shape[:3] + bytes(13) + bytes((precision, 0, 0, 0)) + table)


_STAGES: Final = (_curves, _affine, _curves, _grid, _curves)
_WRITERS: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {
    XYZ: _xyz,
    MATRIX: _matrix,
    CURVE: _curve,
    PARAMETRIC: _curve,
    LUT8: _lut,
    LUT16: _lut,
    STAGED_LUT: _staged_lut,
}
