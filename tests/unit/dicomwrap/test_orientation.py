"""Pictures that aren't upright, and codings that an object can't hold: turned and written anew, without loss or at a
price that is told."""

from __future__ import annotations

import subprocess

import pytest
from PIL import Image, ImageChops, ImageStat

from dicomwrap.bitstream.clean import cleaned, entropy_coded, hidden
from dicomwrap.bitstream.markers import SOF0, SOF1, parse
from dicomwrap.errors import UnsupportedPhotographError
from dicomwrap.photograph import Orienting, Photograph, Reading
from dicomwrap.source.readers import read_photographs
from tests.unit.dicomwrap import exifblocks as ex
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import wrapped
from tests.unit.dicomwrap.validators import furthest

TURNED = range(2, 9)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
UNALIGNED = (60, 43)
# what makes an upright picture what a camera stored with this orientation
BACK = {
    1: (), 2: ("-flip", "horizontal"), 3: ("-rotate", "180"), 4: ("-flip", "vertical"), 5: ("-transpose",),
    6: ("-rotate", "270"), 7: ("-transverse",), 8: ("-rotate", "90"),
}  # fmt: skip
ROUNDING = 3  # levels: a decoder rounds another way along columns than along rows, and left of a sample than right


def read(data: bytes, **reading: object) -> Photograph:
    (photograph,) = read_photographs(data, Reading(**reading))
    return photograph


def same_pixels(photograph: Photograph, data: bytes) -> bool:
    upright = photos.shown(data)
    assert (photograph.columns, photograph.rows) == upright.size
    return photos.shown(photograph.stream).tobytes() == upright.tobytes()


def same_coefficients(photograph: Photograph, data: bytes, orientation: int) -> bool:
    """Tell whether the picture, turned back, has the source's coefficients, and looks upright as a viewer shows it."""
    upright = photos.shown(data)
    assert furthest(photos.shown(photograph.stream), upright) <= ROUNDING
    back = photos.jpegtran(photograph.stream, "-copy", "none", "-optimize", "-perfect", *BACK[orientation])
    return back == photos.jpegtran(data, "-copy", "none", "-optimize")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("subsampling", SAMPLINGS)
def test_whole_blocks_are_moved_without_loss(orientation: int, subsampling: str) -> None:
    data = photos.oriented(orientation, subsampling=subsampling)
    photograph = read(data)
    assert same_coefficients(photograph, data, orientation)
    assert (parse(photograph.stream).frame.marker, hidden(photograph.stream)) == (SOF0, ())
    assert (photograph.added_loss, photograph.derivation, photograph.warnings) == (False, (), ())
    assert len(photograph.lossy) == 1
    assert photograph.untouched is (orientation == 1)


@pytest.mark.parametrize("orientation", TURNED)
def test_the_object_of_a_turned_picture_is_an_original(orientation: int) -> None:
    dataset = wrapped(photos.oriented(orientation))
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]
    assert dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert "DerivationDescription" not in dataset
    assert "coefficients are unchanged" in dataset.ContributingEquipmentSequence[0].ContributionDescription
    assert (dataset.Columns, dataset.Rows) == ((48, 64) if orientation > 4 else (64, 48))


def blocks() -> Image.Image:
    """Return a picture of even squares, each as large as a block, so that no decoder has anything to round."""
    return photos.picture(8, 6, mode="L").resize((64, 48), Image.Resampling.NEAREST)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_of_even_blocks_is_shown_the_same_to_the_last_bit(orientation: int) -> None:
    data = photos.jpeg(blocks(), exif=photos.exif(orientation=orientation), quality=100)
    assert same_pixels(read(data), data)


@pytest.mark.parametrize("orientation", TURNED)
def test_a_grey_picture_is_turned_without_loss(orientation: int) -> None:
    data = photos.oriented(orientation, mode="L")
    photograph = read(data)
    assert same_coefficients(photograph, data, orientation)
    assert photograph.samples == 1
    assert not photograph.added_loss


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("size", [(64, 43), (60, 48)], ids=["odd height", "odd width"])
def test_one_incomplete_side_forbids_only_the_turns_that_would_move_it(orientation: int, size: tuple[int, int]) -> None:
    data = photos.oriented(orientation, size)
    across, down = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    moved = across if size[0] % 16 else down
    photograph = read(data)
    assert photograph.added_loss is moved
    assert moved or same_coefficients(photograph, data, orientation)


@pytest.mark.parametrize("orientation", [orientation for orientation in TURNED if orientation != 5])
def test_a_turn_of_incomplete_blocks_costs_a_second_compression_that_is_told(orientation: int) -> None:
    data = photos.oriented(orientation, UNALIGNED)
    photograph = read(data)
    upright = photos.shown(data)
    decoded = photos.shown(photograph.stream)
    assert decoded.size == upright.size == (photograph.columns, photograph.rows)
    assert max(ImageStat.Stat(ImageChops.difference(decoded, upright)).mean) < 4
    assert (photograph.added_loss, photograph.untouched) == (True, False)
    assert [step.method for step in photograph.lossy] == ["ISO_10918_1"] * 2
    assert all(step.ratio > 1 for step in photograph.lossy)
    assert any("second compression" in warning for warning in photograph.warnings)
    assert "compressed again" in photograph.derivation[0]


def test_the_object_tells_both_compressions() -> None:
    dataset = wrapped(photos.oriented(6, UNALIGNED))
    assert list(dataset.ImageType) == ["DERIVED", "PRIMARY"]
    assert list(dataset.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_10918_1"]
    assert len(dataset.LossyImageCompressionRatio) == 2
    assert "compressed again" in dataset.DerivationDescription
    assert dataset.DerivationCodeSequence[0].CodeValue == "113040"
    assert dataset.LossyImageCompression == "01"


@pytest.mark.parametrize("options", [("-arithmetic",), ("-progressive",)], ids=["arithmetic", "progressive"])
def test_a_large_picture_of_another_coding_pays_the_same_price(options: tuple[str, ...]) -> None:
    data = photos.oriented(6, (700, 501), quality=95)
    coded = photos.jpegtran(data, *options, "-copy", "all")
    assert len(coded) > 1 << 17
    photograph = read(coded)
    difference = ImageChops.difference(photos.shown(photograph.stream), photos.shown(data))
    assert photograph.added_loss
    assert max(ImageStat.Stat(difference).mean) < 4


@pytest.mark.parametrize("orientation", [2, 6])
def test_who_wants_no_loss_is_refused_with_the_way_out(orientation: int) -> None:
    with pytest.raises(UnsupportedPhotographError, match="isn't possible without loss") as caught:
        read(photos.oriented(orientation, UNALIGNED), orienting=Orienting.LOSSLESS)
    assert "--orientation reencode" in caught.value.remedy
    assert "keep" in caught.value.remedy


def test_who_wants_no_loss_gets_the_turns_that_have_none() -> None:
    data = photos.oriented(6)
    assert same_coefficients(read(data, orienting=Orienting.LOSSLESS), data, 6)


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("size", [(64, 48), UNALIGNED], ids=["whole blocks", "incomplete blocks"])
def test_who_wants_no_turn_gets_the_bits_and_a_warning(orientation: int, size: tuple[int, int]) -> None:
    data = photos.oriented(orientation, size)
    photograph = read(data, orienting=Orienting.KEEP)
    assert entropy_coded(photograph.stream) == entropy_coded(data)
    assert (photograph.columns, photograph.rows, photograph.untouched) == (*size, True)
    (warning,) = photograph.warnings
    assert "stored unrotated" in warning


@pytest.mark.parametrize("said", [1, 3, 8])
@pytest.mark.parametrize("believed", range(1, 9))
def test_a_stale_tag_is_overruled_by_a_person(said: int, believed: int) -> None:
    photograph = read(photos.oriented(said), orientation=believed)
    assert same_coefficients(photograph, photos.oriented(believed), believed)
    assert photograph.untouched is (believed == 1)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_exif_does_not_know_is_upright(orientation: int) -> None:
    data = photos.jpeg(exif=ex.block({0x0112: ex.short(orientation)}))
    photograph = read(data)
    assert (photograph.stream, photograph.warnings) == (cleaned(data), ())


@pytest.mark.parametrize(("orientation", "kept"), [(1, True), (6, False), (3, False)])
def test_places_in_the_picture_are_dropped_once_it_is_turned(orientation: int, kept: bool) -> None:
    places = {0x9214: ex.short(10, 20), 0xA214: ex.short(10, 20), 0x829D: ex.rational((28, 10))}
    dataset = wrapped(photos.jpeg(exif=ex.block({0x0112: ex.short(orientation)}, places)))
    assert ("SubjectArea" in dataset, "SubjectLocation" in dataset) == (kept, kept)
    assert dataset.FNumber == 2.8


def test_places_in_the_picture_stay_when_it_is_not_turned() -> None:
    data = photos.jpeg(exif=ex.block({0x0112: ex.short(6)}, {0x9214: ex.short(10, 20)}))
    assert list(wrapped(data, reading=Reading(orienting=Orienting.KEEP)).SubjectArea) == [10, 20]


def sof1(stream: bytes) -> bytes:
    return photos.patched(stream, photos.frame_header(stream) + 1, bytes([SOF1]))


PLAIN = photos.jpeg(subsampling="4:2:0")
ANEW = {
    "progressive": photos.jpeg(progressive=True),
    "progressive, grey": photos.jpeg(photos.picture(mode="L"), progressive=True),
    "progressive, odd size": photos.jpeg(photos.picture(33, 7), progressive=True),
    "arithmetic": photos.jpegtran(PLAIN, "-arithmetic"),
    "arithmetic, progressive": photos.jpegtran(PLAIN, "-arithmetic", "-progressive"),
    "extended sequential": sof1(PLAIN),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in ANEW.items()])
def test_other_codings_of_the_same_coefficients_become_baseline_without_loss(data: bytes) -> None:
    assert parse(data).frame.marker != SOF0
    photograph = read(data)
    assert parse(photograph.stream).frame.marker == SOF0
    assert same_pixels(photograph, data)
    assert (photograph.added_loss, photograph.untouched, photograph.derivation) == (False, False, ())


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("options", [("-arithmetic",), ("-progressive",)])
def test_other_codings_are_turned_in_the_same_step(orientation: int, options: tuple[str, ...]) -> None:
    data = photos.jpegtran(photos.oriented(orientation), *options, "-copy", "all")
    photograph = read(data)
    assert same_coefficients(photograph, photos.oriented(orientation), orientation)
    assert (parse(photograph.stream).frame.marker, photograph.added_loss) == (SOF0, False)


def sampled(factors: str) -> bytes:
    """Return a JPEG with sampling factors that Pillow doesn't write."""
    portable = b"P6 64 48 255\n" + photos.picture().tobytes()
    return subprocess.run(["cjpeg", "-sample", factors], input=portable, capture_output=True, check=True).stdout


KEPT = {
    "4:1:1": sampled("4x1"),
    "4:4:0": sampled("1x2"),
    "4:1:0": sampled("4x2"),
    "4:2:2": photos.jpeg(subsampling="4:2:2"),
    "4:4:4": photos.jpeg(subsampling="4:4:4"),
    "restart markers": photos.jpeg(restart_marker_blocks=1),
    "restart markers a row": photos.jpeg(photos.picture(100, 100), restart_marker_rows=1),
    "one by one": photos.jpeg(photos.picture(1, 1)),
    "optimised": photos.jpeg(optimize=True),
    "Adobe, YCbCr": photos.with_segments(cleaned(PLAIN), photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in KEPT.items()])
def test_baseline_of_any_sampling_keeps_its_bits(data: bytes) -> None:
    photograph = read(data)
    assert (photograph.stream, photograph.untouched) == (cleaned(data), True)
    assert same_pixels(photograph, data)


@pytest.mark.parametrize("data", [pytest.param(KEPT[name], id=name) for name in ("4:1:1", "4:4:0", "4:2:2", "4:4:4")])
@pytest.mark.parametrize("orientation", TURNED)
def test_any_sampling_can_be_turned(data: bytes, orientation: int) -> None:
    tagged = photos.with_segments(data, photos.segment(0xE1, photos.exif(orientation=orientation)))
    photograph = read(tagged)
    assert same_coefficients(photograph, tagged, orientation)
    assert not photograph.added_loss


RESTARTS = photos.jpeg(exif=photos.exif(orientation=6), restart_marker_blocks=1)


def test_restart_markers_do_not_hinder_a_turn() -> None:
    assert same_coefficients(read(RESTARTS), RESTARTS, 6)


CMYK = photos.picture(mode="CMYK")
DECODED = {
    "CMYK": photos.jpeg(CMYK),
    "YCCK": photos.jpegtran(photos.jpeg(CMYK)),
    "RGB components": photos.jpeg(keep_rgb=True),
    "Adobe, RGB": photos.with_segments(
        cleaned(photos.jpeg(subsampling="4:4:4")), photos.segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")
    ),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in DECODED.items()])
@pytest.mark.parametrize("orienting", Orienting)
def test_colours_that_an_object_cannot_hold_are_decoded_and_compressed_again(data: bytes, orienting: Orienting) -> None:
    photograph = read(data, orienting=orienting)
    assert parse(photograph.stream).frame.marker == SOF0
    assert (photograph.photometric, photograph.added_loss) == ("YBR_FULL_422", True)
    assert [step.method for step in photograph.lossy] == ["ISO_10918_1"] * 2
    difference = ImageChops.difference(photos.shown(photograph.stream), photos.shown(data))
    assert max(ImageStat.Stat(difference).mean) < 4
    assert photograph.derivation


@pytest.mark.parametrize("orientation", TURNED)
def test_a_cmyk_picture_is_turned_too(orientation: int) -> None:
    data = photos.jpeg(CMYK, exif=photos.exif(orientation=orientation))
    photograph = read(data)
    difference = ImageChops.difference(photos.shown(photograph.stream), photos.shown(data))
    assert max(ImageStat.Stat(difference).mean) < 4
