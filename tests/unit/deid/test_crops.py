"""What is kept of a picture is what it was, whole block by whole block; what is cut off is gone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import jpeglib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from dicomwrap.bitstream.clean import cleaned
from dicomwrap.bitstream.wipe import Rectangle
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.crops import PLACING, Crop, crop, cropped, kept
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region
from orthanc_plugin.errors import DeidentificationError
from tests.fakes import pictures
from tests.unit.deid.test_regions import baseline, lossless, native, planar, several, shown
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import EXPLICIT, ROOT, encapsulated, reread, sound, uncompressed

SIZE = (100, 77)
ASKED = Crop(left=18, top=9, width=50, height=40)
BOTTOM_RIGHT = Crop(left=18, top=9, width=82, height=68)
PROFILE, PSEUDONYMS = Profile(name="t", pseudonym_domain="t"), Pseudonyms(key=bytes(range(32)), domain="t")

# What is kept of ASKED and of BOTTOM_RIGHT, by how large a block is.
PARTS = {
    (16, 16): ((32, 16, 64, 48), (32, 16, 100, 77)),
    (16, 8): ((32, 16, 64, 48), (32, 16, 100, 77)),
    (8, 8): ((24, 16, 64, 48), (24, 16, 100, 77)),
    (1, 1): ((18, 9, 68, 49), (18, 9, 100, 77)),
}
CODINGS: dict[str, tuple[Callable[[], Dataset], tuple[int, int]]] = {
    "4:2:0": (lambda: baseline(subsampling="4:2:0"), (16, 16)),
    "4:2:2": (lambda: baseline(subsampling="4:2:2"), (16, 8)),
    "4:4:4": (lambda: baseline(subsampling="4:4:4"), (8, 8)),
    "RGB": (lambda: baseline(keep_rgb=True), (8, 8)),
    "grey": (lambda: baseline(photos.picture(*SIZE, mode="L")), (8, 8)),
    "restart markers": (lambda: baseline(subsampling="4:2:0", restart_marker_blocks=3), (16, 16)),
    "JPEG 2000": (lossless, (1, 1)),
    "JPEG 2000 grey": (lambda: lossless("L"), (1, 1)),
    "uncompressed": (native, (1, 1)),
    "uncompressed grey": (lambda: native("L"), (1, 1)),
    "uncompressed, big endian": (lambda: native("L", f"{ROOT}.2"), (1, 1)),
    "uncompressed, by plane": (planar, (1, 1)),
}


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one.convert("YCbCr"), int) - np.asarray(other.convert("YCbCr"), int))


@pytest.mark.parametrize("place", [0, 1], ids=["within", "to the edge"])
@pytest.mark.parametrize("coding", CODINGS)
def test_the_crop_is_what_the_picture_was_and_no_pixel_more_than_asked(coding: str, place: int) -> None:
    make, cell = CODINGS[coding]
    made, asked = make(), (ASKED, BOTTOM_RIGHT)[place]
    left, top, right, bottom = PARTS[cell][place]
    (before,) = shown(made)
    cropped(made, asked)
    (after,) = shown(reread(made))
    assert after.size == (right - left, bottom - top) == (made.Columns, made.Rows)
    rim = int(cell[0] == 16)  # where chroma was drawn across a block's edge that is the picture's now
    apart = difference(before.crop((left, top, right, bottom)), after)
    assert not apart[rim : None if place else -rim or None, rim : None if place else -rim or None].any()
    assert left >= asked.left
    assert top >= asked.top
    assert right <= asked.left + asked.width
    assert bottom <= asked.top + asked.height


def blocks(stream: bytes, folder: Path) -> list[np.ndarray]:
    """Return a JPEG's coefficients as another library reads them."""
    path = folder / "picture.jpg"
    path.write_bytes(stream)
    read = jpeglib.read_dct(str(path))
    return [plane for plane in (read.Y, read.Cb, read.Cr) if plane is not None]


@pytest.mark.parametrize("coding", ["4:2:0", "4:2:2", "4:4:4", "grey"])
def test_every_coefficient_of_a_kept_block_is_the_cameras(coding: str, tmp_path: Path) -> None:
    make, cell = CODINGS[coding]
    made = make()
    before = blocks(next(iter(generate_frames(made.PixelData, number_of_frames=1))), tmp_path)
    cropped(made, ASKED)
    after = blocks(next(iter(generate_frames(made.PixelData, number_of_frames=1))), tmp_path)
    left, top, right, bottom = PARTS[cell][0]
    assert len(before) == len(after) == (1 if coding == "grey" else 3)
    for number, (plane, part) in enumerate(zip(before, after, strict=True)):
        across, down = cell if number else (8, 8)
        assert np.array_equal(plane[top // down : bottom // down, left // across : right // across], part)


def test_no_block_that_reaches_beyond_the_crop_is_in_the_stream(tmp_path: Path) -> None:
    """A viewer that is told of more columns would show the rest of it."""
    picture = Image.new("L", (96, 64), 255)
    picture.paste(0, (0, 0, 40, 40))
    made = sound(cleaned(photos.jpeg(picture.convert("RGB"), subsampling="4:2:0")))
    cropped(made, Crop(left=0, top=0, width=40, height=40))
    assert (made.Columns, made.Rows) == (32, 32)
    luma, *chroma = blocks(next(iter(generate_frames(made.PixelData, number_of_frames=1))), tmp_path)
    assert luma.shape[:2] == (4, 4)
    assert {plane.shape[:2] for plane in chroma} == {(2, 2)}
    assert (luma[..., 0, 0] < 0).all()  # darker than grey


def test_the_header_tells_the_truth_and_shows_the_old_picture_nowhere() -> None:
    made = baseline()
    made.ImageType, made.DerivationDescription = ["ORIGINAL", "PRIMARY"], "turned upright"
    made.SmallestImagePixelValue, made.LargestImagePixelValue = 0, 255
    made.IconImageSequence = [Dataset()]
    cropped(made, ASKED)
    assert (made.Columns, made.Rows) == (32, 32)
    assert list(made.ImageType) == ["DERIVED", "PRIMARY"]
    assert made.DerivationDescription == "turned upright; cropped to 32 by 32 pixels"
    assert not [each for each in ("IconImageSequence", "SmallestImagePixelValue") if each in made]


def test_every_frame_is_cropped() -> None:
    frames = [cleaned(photos.jpeg(photos.picture(*SIZE).rotate(turn))) for turn in (0, 180)]
    made = several(*frames)
    before = shown(made)
    cropped(made, ASKED)
    for one, other in zip(before, shown(made), strict=True):
        assert not difference(one.crop((32, 16, 64, 48)), other)[1:-1, 1:-1].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (16, 16)])
def test_a_whole_picture_may_be_kept_however_small(size: tuple[int, int]) -> None:
    made = sound(cleaned(photos.jpeg(photos.picture(*size), subsampling="4:2:0")))
    (before,) = shown(made)
    cropped(made, Crop(left=0, top=0, width=size[0], height=size[1]))
    assert shown(made)[0].tobytes() == before.tobytes()


def test_frames_of_different_blocks_are_refused() -> None:
    frames = [cleaned(photos.jpeg(photos.picture(*SIZE), subsampling=each)) for each in ("4:2:0", "4:4:4")]
    with pytest.raises(DeidentificationError, match="different sizes"):
        cropped(several(*frames), ASKED)


def placed() -> Dataset:
    made = baseline()
    made.ImagePositionPatient = [0, 0, 0]
    return made


def progressive() -> Dataset:
    made = baseline()
    encapsulated(made, [photos.jpeg(photos.picture(*SIZE), progressive=True)], f"{ROOT}.4.50")
    return made


def truncated() -> Dataset:
    made = baseline()
    stream = cleaned(photos.jpeg(photos.picture(*SIZE)))
    encapsulated(made, [stream[: len(stream) // 2]], f"{ROOT}.4.50")
    return made


def near_lossless() -> Dataset:
    made = uncompressed(photos.picture(*SIZE))
    made.file_meta.TransferSyntaxUID = f"{ROOT}.4.81"
    return made


REFUSED: dict[str, tuple[Callable[[], Dataset], Crop, str]] = {
    "outside to the right": (baseline, Crop(left=60, top=0, width=41, height=40), "outside"),
    "outside below": (baseline, Crop(left=0, top=60, width=40, height=18), "outside"),
    "less than a block": (baseline, Crop(left=17, top=0, width=30, height=40), "no whole block of 16 by 16"),
    "what would be false": (placed, ASKED, "make ImagePositionPatient false"),
    "a progressive stream": (progressive, ASKED, "can't be cropped|disagree"),
    "a truncated stream": (truncated, ASKED, "can't be cropped|disagree"),
    "a coding with loss": (near_lossless, ASKED, "without loss"),
}


@pytest.mark.parametrize(("make", "asked", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cant_be_cropped_is_refused_and_stays_as_it_is(
    make: Callable[[], Dataset], asked: Crop, said: str
) -> None:
    made = make()
    before = made.to_json()
    with pytest.raises(DeidentificationError, match=said) as refused:
        cropped(made, asked)
    assert refused.value.remedy
    assert made.to_json() == before


@pytest.mark.parametrize("keyword", PLACING)
def test_the_attributes_that_place_things_are_of_the_standard(keyword: str) -> None:
    assert pydicom.datadict.tag_for_keyword(keyword) is not None


@pytest.mark.parametrize(
    "written", [None, [], [1, 2, 3], [-1, 0, 5, 5], [0, 0, 0, 5], [0.5, 0, 5, 5], ["1", 0, 5, 5], 7]
)
def test_a_crop_that_isnt_a_rectangle_is_refused(written: object) -> None:
    with pytest.raises(DeidentificationError, match="rectangle"):
        crop(written)


@pytest.mark.parametrize(
    ("asked", "cell", "part"),
    [
        (Crop(left=0, top=0, width=100, height=77), (16, 16), Rectangle(0, 0, 100, 77)),
        (Crop(left=16, top=16, width=32, height=32), (16, 16), Rectangle(16, 16, 32, 32)),
        (Crop(left=17, top=1, width=82, height=75), (16, 16), Rectangle(32, 16, 64, 48)),
        (Crop(left=17, top=1, width=83, height=76), (16, 16), Rectangle(32, 16, 68, 61)),
        (Crop(left=3, top=4, width=5, height=6), (1, 1), Rectangle(3, 4, 5, 6)),
    ],
)
def test_only_whole_blocks_within_the_crop_are_kept(asked: Crop, cell: tuple[int, int], part: Rectangle) -> None:
    assert kept(asked, cell, SIZE) == part


def test_a_copy_is_blanked_in_pixels_of_the_whole_picture_and_cropped_then() -> None:
    stream = cleaned(photos.jpeg(photos.picture(160, 128), subsampling="4:4:4"))
    content = pictures.encoded(pictures.photograph(data=stream))
    derived = deidentify(
        content,
        PROFILE,
        PSEUDONYMS,
        regions=[Region.rectangle(64, 64, 16, 16)],
        crop=Crop(left=48, top=40, width=64, height=64),
    )
    made = pydicom.dcmread(io.BytesIO(derived.content))
    (after,) = shown(made)
    assert after.size == (64, 64)
    assert after.crop((16, 24, 32, 40)).getextrema() == ((128, 128),) * 3
    with Image.open(io.BytesIO(stream)) as whole:
        expected = whole.convert("RGB").crop((48, 40, 112, 104))
    apart = np.abs(np.asarray(expected, int) - np.asarray(after, int))
    apart[24:40, 16:32] = 0
    assert not apart.any()
    assert made.DerivationDescription.endswith("1 region blanked; cropped to 64 by 64 pixels")


def test_the_transfer_syntax_stays() -> None:
    made = native()
    cropped(made, ASKED)
    assert made.file_meta.TransferSyntaxUID == EXPLICIT
    assert len(made.PixelData) == 50 * 40 * 3
