"""Wherever the regions are: all of them is grey, and every block outside the blocks they touch is as it was."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.deid.regions import Region, redacted
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.coefficients import Block, coefficients
from tests.unit.dicomwrap.judged import sound

WIDTH, HEIGHT = 75, 53
UNITS = {"4:2:0": (16, 16), "4:2:2": (16, 8), "4:4:4": (8, 8), "grey": (8, 8)}

Box = tuple[int, int, int, int]


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    left, top = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return left, top, draw(st.integers(1, WIDTH - left)), draw(st.integers(1, HEIGHT - top))


@cache
def photo(kind: str) -> bytes:
    if kind == "grey":
        return cleaned(photos.jpeg(photos.picture(WIDTH, HEIGHT, mode="L")))
    return cleaned(photos.jpeg(photos.picture(WIDTH, HEIGHT), subsampling=kind))


@cache
def blocks(kind: str) -> dict[tuple[int, int, int], Block]:
    return coefficients(photo(kind))


def stream_of(dataset: Dataset) -> bytes:
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    return frame


def place(kind: str, component: int, row: int, column: int) -> Box:
    """Return the pixels that a block stands for, as left, top, right, bottom."""
    wide, tall = UNITS[kind] if component else (8, 8)
    return column * wide, row * tall, (column + 1) * wide, (row + 1) * tall


def touched(kind: str, box: Box, pixels: Box) -> bool:
    """Tell whether pixels lie in the units that a box, and the pixel about it that chroma is drawn across, touch."""
    (wide, tall), rim = UNITS[kind], int(UNITS[kind] != (8, 8))
    left, top = (box[0] - rim) // wide * wide, (box[1] - rim) // tall * tall
    right, bottom = -(-(box[0] + box[2] + rim) // wide) * wide, -(-(box[1] + box[3] + rim) // tall) * tall
    return left < pixels[2] and pixels[0] < right and top < pixels[3] and pixels[1] < bottom


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(UNITS)), st.lists(boxes(), min_size=1, max_size=3))
def test_inside_all_is_grey_and_outside_every_block_is_the_cameras(kind: str, regions: list[Box]) -> None:
    dataset = sound(photo(kind))
    redacted(dataset, [Region.rectangle(*box) for box in regions])
    written = stream_of(dataset)
    shown = photos.shown(written)
    for left, top, width, height in regions:
        assert shown.crop((left, top, left + width, top + height)).getextrema() == ((128, 128),) * 3
    for key, block in coefficients(written).items():
        pixels = place(kind, *key)
        if any(touched(kind, box, pixels) for box in regions):
            assert not any(block)
        else:
            assert block == blocks(kind)[key]
