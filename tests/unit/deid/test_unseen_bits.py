"""Bits that no viewer shows: cleared where they can be, refused where they can't, and never let through."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from orthanc_plugin.errors import DeidentificationError
from tests.unit.deid.greys import COLUMNS, ROWS, SAMPLES, copied, grey

SIGNED = {"PixelRepresentation": 1}


def words(values: Sequence[int]) -> bytes:
    """Return samples of sixteen bits, these over and over."""
    return struct.pack(f"<{ROWS * COLUMNS}H", *(values[at % len(values)] for at in range(ROWS * COLUMNS)))


def of_bits(stored: int, pixels: bytes, syntax: str = ExplicitVRLittleEndian, **elements: object) -> Dataset:
    """Return a picture of so many bits in sixteen."""
    bits = {"BitsAllocated": 16, "BitsStored": stored, "HighBit": stored - 1, **elements}
    return grey(syntax, pixels, fragments=syntax == RLELossless, **bits)


def segments(*planes: bytes) -> bytes:
    """Return an RLE frame, in runs of literals."""
    coded = [b"".join(bytes([31]) + plane[at : at + 32] for at in range(0, len(plane), 32)) for plane in planes]
    coded = [each + b"\0" * (len(each) % 2) for each in coded]
    starts = [64 + sum(map(len, coded[:number])) for number in range(len(coded))]
    return struct.pack(f"<{1 + len(starts)}I", len(starts), *starts).ljust(64, b"\0") + b"".join(coded)


def in_rle(pixels: bytes) -> bytes:
    """Return samples of sixteen bits as an RLE frame: the higher bytes come first."""
    return segments(pixels[1::2], pixels[::2])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("stored", "elements", "hidden", "shown"),
    [
        pytest.param(12, {}, [0x8123, 0xF000, 0x0FFF], [0x0123, 0x0000, 0x0FFF], id="an overlay in the highest bit"),
        pytest.param(8, {}, [0x4A12, 0x616E], [0x0012, 0x006E], id="words in the higher bytes"),
        pytest.param(15, {}, [0x8001], [0x0001], id="one bit"),
        pytest.param(12, SIGNED, [0x0800, 0x57FF, 0xF801], [0xF800, 0x07FF, 0xF801], id="signed"),
        pytest.param(8, SIGNED, [0x4A80, 0x4A7F], [0xFF80, 0x007F], id="signed bytes"),
        pytest.param(9, SIGNED, [0x4B00, 0x4AFF], [0xFF00, 0x00FF], id="signed, with one bit in the higher byte"),
    ],
)
def test_what_no_viewer_shows_is_cleared_and_what_it_shows_is_as_it_was(
    syntax: str, stored: int, elements: dict[str, object], hidden: list[int], shown: list[int]
) -> None:
    assert copied(of_bits(stored, words(hidden), syntax, **elements)).PixelData == words(shown)
    assert copied(of_bits(stored, words(shown), syntax, **elements)).PixelData == words(shown)


def test_samples_that_use_all_their_bits_are_as_they_were() -> None:
    pixels = words([0xFFFF, 0x8001, 0x1234])
    assert copied(of_bits(16, pixels)).PixelData == pixels


@pytest.mark.parametrize("elements", [{}, SIGNED])
def test_in_rle_they_are_refused_and_clean_ones_go(elements: dict[str, object]) -> None:
    clean, dirty = words([0x0123, 0x07FF]), words([0x0123, 0x47FF])
    assert copied(of_bits(12, in_rle(clean), RLELossless, **elements)).PixelData
    with pytest.raises(DeidentificationError, match="no viewer shows"):
        copied(of_bits(12, in_rle(dirty), RLELossless, **elements))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"Rows": None}, id="no rows"),
        pytest.param({"Columns": None}, id="no columns"),
        pytest.param({"BitsAllocated": None}, id="no bits"),
        pytest.param({"BitsStored": None}, id="nobody knows how many bits are shown"),
        pytest.param({"SamplesPerPixel": None}, id="no samples"),
        pytest.param({"PhotometricInterpretation": None}, id="no colours"),
        pytest.param({"HighBit": 8}, id="another highest bit"),
        pytest.param({"NumberOfFrames": "0"}, id="no frames"),
    ],
)
def test_a_picture_that_isn_t_described_is_refused_whatever_it_holds(syntax: str, elements: dict[str, object]) -> None:
    pixels = segments(SAMPLES) if syntax == RLELossless else SAMPLES
    assert copied(grey(syntax, pixels, fragments=syntax == RLELossless)).PixelData
    with pytest.raises(DeidentificationError):
        copied(grey(syntax, pixels, fragments=syntax == RLELossless, **elements))
