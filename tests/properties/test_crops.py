"""Whatever is asked to be kept, no pixel more is; and each pixel that is kept is the one that was there."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from orthanc_plugin.deid.crops import Crop, cropped, kept
from orthanc_plugin.errors import DeidentificationError
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import uncompressed

SIZE = (75, 53)


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    left, top = draw(st.integers(0, SIZE[0] - 1)), draw(st.integers(0, SIZE[1] - 1))
    width, height = draw(st.integers(1, SIZE[0] - left)), draw(st.integers(1, SIZE[1] - top))
    return Crop(left=left, top=top, width=width, height=height)


@given(crops(), st.sampled_from([(1, 1), (8, 8), (16, 8), (16, 16), (32, 8)]))
def test_what_is_kept_lies_within_the_crop_on_whole_blocks_and_misses_less_than_one_a_side(
    asked: Crop, cell: tuple[int, int]
) -> None:
    try:
        part = kept(asked, cell, SIZE)
    except DeidentificationError:
        assume(False)
        return
    ends = ((part.left, part.right), (part.top, part.bottom))
    wanted = ((asked.left, asked.left + asked.width), (asked.top, asked.top + asked.height))
    for (first, after), (low, high), unit, edge in zip(ends, wanted, cell, SIZE, strict=True):
        assert low <= first < after <= high
        assert first % unit == 0
        assert after % unit == 0 or after == edge
        assert first - low < unit
        assert high - after < unit


@given(crops(), st.sampled_from(["L", "RGB"]))
def test_uncompressed_pixels_are_those_of_the_crop(asked: Crop, mode: str) -> None:
    picture = photos.picture(*SIZE, mode=mode)
    made = uncompressed(picture, "RGB" if mode == "RGB" else "MONOCHROME2")
    cropped(made, asked)
    expected = picture.crop((asked.left, asked.top, asked.left + asked.width, asked.top + asked.height))
    length = asked.width * asked.height * len(mode)
    assert Image.frombytes(mode, (made.Columns, made.Rows), made.PixelData[:length]).tobytes() == expected.tobytes()
    assert len(made.PixelData) == length + length % 2
