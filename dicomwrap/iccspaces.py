"""Recognise the colour spaces that DICOM has a name for by their colorimetry, not by what a profile calls itself.

Knows primaries and tone curves (ICC.1:2022 sections 10.6 and 10.18). Must not know how a profile is laid out.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dicomwrap.iccparts import PARAMETERS, PARAMETRIC, fixed_point

Curve: TypeAlias = Callable[[float], float]

_NEAR: Final = 0.002  # of a primary's X, Y or Z; profiles of one space differ by half of it
_LEVEL: Final = 1 / 255
_ROUNDING: Final = 0.0001
_SAMPLES: Final = tuple(number / 255 for number in range(0, 256, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourSpace:
    """A colour space with a name.

    Attributes:
        term: defined term of ColorSpace (0028,2002), PS3.3 section C.11.15.
        name: what people call it.
        primaries: X, Y and Z of red, green and blue, adapted to D50.
        curves: tone curves that are in use for it; any will do.
    """

    term: str
    name: str
    primaries: tuple[float, ...]
    curves: tuple[Curve, ...]


def recognised(primaries: Iterable[bytes], curves: Sequence[bytes]) -> ColourSpace | None:
    """Return the colour space that has these primaries (XYZType) and tone curves, all of them rewritten elements.

    Curves agree when no 8 bit value means a colour more than one level away.
    """
    found = tuple(number for element in primaries for number in fixed_point(element[8:]))
    for space in _KNOWN:
        if all(math.isclose(ours, theirs, abs_tol=_NEAR) for ours, theirs in zip(space.primaries, found, strict=True)):
            return space if all(_agrees(response(element), space.curves) for element in curves) else None
    return None


def response(element: bytes) -> Curve:
    """Return the function that a rewritten tone curve element stands for, for 0 to 1."""
    if element[:4] == PARAMETRIC:
        return _formula(int.from_bytes(element[8:10]), fixed_point(element[12:]))
    entries = struct.unpack(f">{(len(element) - 12) // 2}H", element[12:])
    if len(entries) < 2:
        return _gamma(entries[0] / 256 if entries else 1.0)
    return _interpolation(entries)


def _agrees(curve: Curve, with_any_of: Iterable[Curve]) -> bool:
    return any(all(_within_a_level(curve(x), known, x) for x in _SAMPLES) for known in with_any_of)


def _within_a_level(value: float, known: Curve, x: float) -> bool:
    darker, lighter = known(max(0.0, x - _LEVEL)), known(min(1.0, x + _LEVEL))
    return darker - _ROUNDING <= value <= lighter + _ROUNDING


def _gamma(exponent: float) -> Curve:
    return lambda x: _power(x, exponent)


def _power(base: float, exponent: float) -> float:
    return base**exponent if base > 0 and exponent > 0 else 0.0


def _interpolation(entries: Sequence[int]) -> Curve:
    last = len(entries) - 1

    def curve(x: float) -> float:
        below = min(int(x * last), last - 1)
        share = x * last - below
        return (entries[below] * (1 - share) + entries[below + 1] * share) / 0xFFFF

    return curve


def _formula(function: int, parameters: Sequence[float]) -> Curve:
    """Return one of the five functions of parametricCurveType: a power above a start, a straight line below."""
    of = dict(zip(PARAMETERS[function], parameters, strict=True))
    exponent, slope, offset, above = of["g"], of.get("a", 1.0), of.get("b", 0.0), of.get("e", 0.0)
    start = of.get("d", -offset / slope if slope else 0.0)
    line, below = of.get("c", 0.0), of.get("f", above)
    return lambda x: _power(slope * x + offset, exponent) + above if x >= start else line * x + below


_SRGB_CURVE: Final = _formula(3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
_ROMM_CURVES: Final = (_gamma(1.8), _formula(3, (1.8, 1.0, 0.0, 1 / 16, 1 / 32)))
_KNOWN: Final = (
    ColourSpace(
        term="SRGB",
        name="sRGB",
        primaries=(0.4361, 0.2225, 0.0139, 0.3851, 0.7169, 0.0971, 0.1431, 0.0606, 0.7141),
        curves=(_SRGB_CURVE,),
    ),
    ColourSpace(
        term="DISPLAYP3",
        name="Display P3",
        primaries=(0.5151, 0.2412, -0.0011, 0.2920, 0.6922, 0.0419, 0.1571, 0.0666, 0.7841),
        curves=(_SRGB_CURVE,),
    ),
    ColourSpace(
        term="ADOBERGB",
        name="Adobe RGB (1998)",
        primaries=(0.6097, 0.3111, 0.0195, 0.2053, 0.6257, 0.0609, 0.1492, 0.0632, 0.7446),
        curves=(_gamma(2.19921875),),
    ),
    ColourSpace(
        term="ROMMRGB",
        name="ROMM RGB",
        primaries=(0.7977, 0.2880, 0.0, 0.1352, 0.7119, 0.0, 0.0313, 0.0001, 0.8249),
        curves=_ROMM_CURVES,
    ),
)
