"""Read what an H.264 stream says of its shape.

Knows the beginning of the sequence parameter set (ITU-T H.264 sections 7.3.2.1.1 and E.1.1). Must not know containers,
DICOM or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomwrap.errors import DamagedFilmError

SEQUENCE: Final = 7
ESCAPED: Final = b"\0\0\3"  # emulation prevention (7.4.1)
# Profiles whose sequence parameter set tells its chroma format.
TELLS_CHROMA: Final = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_EXTENDED_ASPECT: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """What a sequence parameter set says of the film's shape.

    Attributes:
        profile: profile_idc: 66 Baseline, 77 Main, 100 High.
        constrained: constraint_set1_flag: a Main decoder can decode it.
        level: level_idc, ten times the level.
        chroma: chroma_format_idc, 1 is 4:2:0.
        depth: the greater of the bit depths of luma and chroma.
        rows: height in pixels, cropped.
        columns: width in pixels, cropped.
        macroblocks: macroblocks of a coded frame, and in a row of it.
        progressive: frame_mbs_only_flag.
        square: pixels are square, or the stream doesn't say.
    """

    profile: int
    constrained: bool
    level: int
    chroma: int
    depth: int
    rows: int
    columns: int
    macroblocks: tuple[int, int]
    progressive: bool
    square: bool


class _Bits:
    """The bits of a parameter set, from the first to the last."""

    def __init__(self, payload: bytes) -> None:
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def bits(self, count: int) -> int:
        """Read an unsigned number of so many bits."""
        self._left -= count
        if self._left < 0:
            raise DamagedFilmError("The film's sequence parameter set ends too early")
        return self._value >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        return bool(self.bits(1))

    def golomb(self) -> int:
        """Read ue(v) (9.1)."""
        zeros = 0
        while not self.flag():
            zeros += 1
        if zeros > 32:
            raise DamagedFilmError("The film's sequence parameter set has an impossible number")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """Read se(v) (9.1.1)."""
        number = self.golomb()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def sequence(unit: bytes) -> Sequence:
    """Read the beginning of a sequence parameter set, up to the shape of a pixel (7.3.2.1.1, E.1.1).

    Raises:
        DamagedFilmError: it is none, or breaks its rules.
    """
    payload = unit.replace(ESCAPED, ESCAPED[:2])
    if len(payload) < 5 or payload[0] & 0x1F != SEQUENCE:
        raise DamagedFilmError("The film's sequence parameter set can't be read")
    profile, constraints, level = payload[1:4]
    bits = _Bits(payload[4:])
    bits.golomb()  # its identifier
    chroma, depth = _colours(bits) if profile in TELLS_CHROMA else (1, 8)
    bits.golomb()  # log2_max_frame_num_minus4
    _skip_order(bits)
    bits.golomb()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    wide, high = bits.golomb() + 1, bits.golomb() + 1
    progressive = bits.flag()
    high *= 1 if progressive else 2
    bits.bits(1 if progressive else 2)  # mb_adaptive_frame_field_flag, direct_8x8_inference_flag
    left, right, top, bottom = (bits.golomb() for _ in range(4)) if bits.flag() else (0, 0, 0, 0)
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (1 if progressive else 2)
    return Sequence(
        profile=profile,
        constrained=bool(constraints & 0x40),
        level=level,
        chroma=chroma,
        depth=depth,
        rows=16 * high - down * (top + bottom),
        columns=16 * wide - across * (left + right),
        macroblocks=(wide * high, wide),
        progressive=progressive,
        square=_square(bits),
    )


def _colours(bits: _Bits) -> tuple[int, int]:
    """Read chroma format and bit depth, and pass over the scaling matrix."""
    chroma = bits.golomb()
    if chroma == 3:
        bits.flag()  # separate_colour_plane_flag
    depth = 8 + max(bits.golomb(), bits.golomb())
    bits.flag()  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():
        for index in range(8 if chroma != 3 else 12):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """Pass over a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_order(bits: _Bits) -> None:
    """Pass over how the order of pictures is coded."""
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 256)):
            bits.signed()


def _square(bits: _Bits) -> bool:
    """Tell whether pixels are square (table E-1); a stream that doesn't say counts as one that says yes."""
    if not (bits.flag() and bits.flag()):
        return True
    code = bits.bits(8)
    if code == _EXTENDED_ASPECT:
        return bits.bits(16) == bits.bits(16)
    return code <= 1
