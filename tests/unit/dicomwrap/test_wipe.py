"""Rectangles blanked in the coefficients: nothing is left inside, and every block outside is the camera's."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from dicomwrap.bitstream.clean import cleaned, hidden
from dicomwrap.bitstream.markers import parse
from dicomwrap.bitstream.wipe import Rectangle, unit, wiped
from dicomwrap.errors import DamagedPhotographError, DicomwrapError, UnsupportedPhotographError
from tests.unit.dicomwrap import canaries, photos
from tests.unit.dicomwrap.coefficients import coefficients

UNITS = {"4:4:4": (8, 8), "4:2:2": (16, 8), "4:2:0": (16, 16), "grey": (8, 8)}


def photo(kind: str, size: tuple[int, int] = (100, 77), **options: object) -> bytes:
    if kind == "grey":
        return cleaned(photos.jpeg(photos.picture(*size, mode="L"), **options))
    return cleaned(photos.jpeg(photos.picture(*size), subsampling=kind, **options))


def in_units(cell: tuple[int, int], *units: int) -> Rectangle:
    left, top, width, height = units
    return Rectangle(left * cell[0], top * cell[1], width * cell[0], height * cell[1])


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 3}, {"optimize": True}], ids=str)
def test_every_block_inside_is_zero_and_every_block_outside_is_as_it_was(kind: str, options: dict[str, object]) -> None:
    before, cell = photo(kind, **options), UNITS[kind]
    assert unit(parse(before).frame) == cell
    blank = (in_units(cell, 1, 1, 2, 1), in_units(cell, 3, 0, 1, 3), in_units(cell, 0, 3, 5, 1))
    earlier, later = coefficients(before), coefficients(wiped(before, blank))
    shapes = [(c.horizontal, c.vertical) for c in parse(before).frame.components]
    shapes = shapes if len(shapes) > 1 else [(1, 1)]
    wide, tall = max(h for h, _ in shapes), max(v for _, v in shapes)
    assert earlier.keys() == later.keys()
    blanked = 0
    for (component, row, column), block in later.items():
        width, height = 8 * wide // shapes[component][0], 8 * tall // shapes[component][1]
        x, y = column * width, row * height
        inside = any(each.left <= x < each.right and each.top <= y < each.bottom for each in blank)
        blanked += inside
        assert block == ((0,) * 64 if inside else earlier[component, row, column])
    assert blanked >= 10


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("size", [(100, 77), (64, 48), (7, 5), (16, 200), (200, 8)], ids=str)
def test_a_whole_picture_can_be_blanked_to_its_incomplete_edges(kind: str, size: tuple[int, int]) -> None:
    written = wiped(photo(kind, size), (Rectangle(0, 0, *size),))
    with JpegImageFile(io.BytesIO(written)) as image:
        assert image.size == size
        assert {band.getextrema() for band in image.split()} == {(128, 128)}


def test_a_stream_blanked_nowhere_is_written_anew_and_clean() -> None:
    stream = photos.jpeg(exif=photos.exif(), comment=canaries.word("COM"), subsampling="4:2:0") + b"behind the end"
    written = wiped(stream, ())
    assert (hidden(written), canaries.found(written)) == ((), [])
    assert photos.pixels(written) == photos.pixels(stream)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(photos.jpeg(progressive=True), id="progressive"),
        pytest.param(photos.jpeg(Image.new("CMYK", (32, 32))), id="CMYK"),
        pytest.param(photos.patched(photo("grey"), photo("grey").index(b"\xff\xc0") + 4, b"\x0c"), id="12 bits"),
        pytest.param(photos.jpegtran(photo("4:2:0"), "-arithmetic"), id="arithmetic"),
    ],
)
def test_what_is_no_baseline_picture_of_8_bits_is_refused(stream: bytes) -> None:
    with pytest.raises(UnsupportedPhotographError, match="baseline"):
        wiped(stream, ())


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(photo("4:2:0")[:-200] + b"\xff\xd9", id="ends early"),
        pytest.param(b"\xff\xd8" + bytes(100), id="no stream"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_broken_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(DicomwrapError):
        wiped(stream, (Rectangle(0, 0, 16, 16),))


def test_a_rectangle_that_jpegtran_refuses_is_refused() -> None:
    with pytest.raises(DamagedPhotographError):
        wiped(photo("4:2:0"), (Rectangle(96, 0, 16, 16),))
