"""Regions of a picture are blanked, the rest of it stays, and what can't be proven is refused as a whole."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.deid.regions import Region, cover, redacted, region
from orthanc_plugin.errors import DeidentificationError
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import (
    EXPLICIT,
    ROOT,
    describe,
    encapsulated,
    jpeg_2000,
    reread,
    sound,
    uncompressed,
    without_loss,
)  # fmt: skip

SIZE = (100, 77)
BOXES = ((3, 5, 30, 17), (60, 40, 40, 37), (48, 16, 1, 1))


def baseline(image: Image.Image | None = None, **options: object) -> Dataset:
    made = sound(cleaned(photos.jpeg(image or photos.picture(*SIZE), **options)))
    if options.get("keep_rgb"):
        made.PhotometricInterpretation = "RGB"
    return made


def several(*streams: bytes) -> Dataset:
    made = sound(streams[0])
    made.NumberOfFrames = len(streams)
    encapsulated(made, list(streams), f"{ROOT}.4.50")
    return made


def lossless(mode: str = "RGB") -> Dataset:
    image = photos.picture(*SIZE, mode=mode)
    made = without_loss(sound())
    describe(made, image.height, image.width, "YBR_RCT" if mode == "RGB" else "MONOCHROME2")
    encapsulated(made, [jpeg_2000(image)], f"{ROOT}.4.90")
    return made


def native(mode: str = "RGB", syntax: str = EXPLICIT) -> Dataset:
    made = uncompressed(photos.picture(*SIZE, mode=mode), "RGB" if mode == "RGB" else "MONOCHROME2")
    made.file_meta.TransferSyntaxUID = syntax
    return made


def planar() -> Dataset:
    image, made = photos.picture(*SIZE), native()
    made.PlanarConfiguration = 1
    made["PixelData"].value = b"".join(band.tobytes() for band in image.split())
    return made


def shown(dataset: Dataset) -> list[Image.Image]:
    """Return each frame as a viewer shows it."""
    if dataset["PixelData"].is_undefined_length:
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1)))
        return [Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames]
    mode, size = ("RGB" if dataset.SamplesPerPixel == 3 else "L"), (dataset.Columns, dataset.Rows)
    if dataset.get("PlanarConfiguration") == 1:
        area = size[0] * size[1]
        bands = [Image.frombytes("L", size, dataset.PixelData[n * area : (n + 1) * area]) for n in range(3)]
        return [Image.merge("RGB", bands)]
    return [Image.frombytes(mode, size, dataset.PixelData[: size[0] * size[1] * len(mode)]).convert("RGB")]


KINDS: dict[str, Callable[[], Dataset]] = {
    "4:2:0": lambda: baseline(subsampling="4:2:0"),
    "4:2:2": lambda: baseline(subsampling="4:2:2"),
    "4:4:4": lambda: baseline(subsampling="4:4:4"),
    "grey": lambda: baseline(photos.picture(*SIZE, mode="L")),
    "red, green, blue": lambda: baseline(keep_rgb=True),
    "frames": lambda: several(*(cleaned(photos.jpeg(photos.picture(*SIZE), quality=q)) for q in (70, 80, 90))),
    "JPEG 2000": lossless,
    "JPEG 2000, grey": lambda: lossless("L"),
    "uncompressed": native,
    "uncompressed, grey": lambda: native("L"),
    "implicit": lambda: native(syntax=ROOT),
    "deflated": lambda: native(syntax=f"{ROOT}.1.99"),
    "big endian": lambda: native(syntax=f"{ROOT}.2"),
    "planes": planar,
}


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
def test_every_pixel_of_a_region_is_grey_and_what_is_far_from_it_is_as_it_was(made: Callable[[], Dataset]) -> None:
    dataset = made()
    before = shown(dataset)
    redacted(dataset, [Region.rectangle(*box) for box in BOXES])
    after = shown(dataset)
    assert len(after) == len(before)
    for earlier, later in zip(before, after, strict=True):
        for left, top, width, height in BOXES:
            inside = later.crop((left, top, left + width, top + height))
            assert inside.getextrema() == ((128, 128),) * 3
        far = (0, 56, 40, 77)  # more than a block and its rim away from each
        assert later.crop(far).tobytes() == earlier.crop(far).tobytes()


@pytest.mark.parametrize("kind", ["uncompressed", "uncompressed, grey", "planes", "JPEG 2000", "JPEG 2000, grey"])
def test_where_pixels_are_stored_one_by_one_no_other_pixel_is_touched(kind: str) -> None:
    dataset = KINDS[kind]()
    (expected,) = shown(dataset)
    for left, top, width, height in BOXES:
        expected.paste((128, 128, 128), (left, top, left + width, top + height))
    redacted(dataset, [Region.rectangle(*box) for box in BOXES])
    assert shown(dataset)[0].tobytes() == expected.tobytes()


def test_samples_of_16_bits_are_blanked_in_their_own_order() -> None:
    for syntax, order in ((EXPLICIT, "little"), (f"{ROOT}.2", "big")):
        dataset = native("L", syntax)
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset["PixelData"].value = bytes(2 * SIZE[0] * SIZE[1])
        redacted(dataset, [Region.rectangle(1, 0, 1, 1)])
        assert dataset.PixelData[:6] == bytes(2) + (1 << 11).to_bytes(2, order) + bytes(2)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["4:2:0", "JPEG 2000", "uncompressed"])
def test_the_header_says_that_the_picture_is_derived_and_shows_it_no_more(kind: str) -> None:
    dataset = KINDS[kind]()
    dataset.DerivationDescription = "turned"
    icon = Dataset()
    icon.PixelData = b"the face, small"
    dataset.IconImageSequence = [icon]
    dataset.LargestImagePixelValue = 255
    redacted(dataset, [Region.rectangle(*box) for box in BOXES])
    again = reread(dataset)
    assert list(again.ImageType) == ["DERIVED", "PRIMARY"]
    assert again.DerivationDescription == "turned; 3 regions blanked"
    assert not {"IconImageSequence", "LargestImagePixelValue"} & {element.keyword for element in again}
    assert again.get("BurnedInAnnotation") is None  # it isn't ours to claim


POLYGON = ((10, 10), (80, 20), (50, 70))


@pytest.mark.parametrize("kind", ["4:2:0", "grey", "uncompressed"])
def test_a_polygon_is_covered_whole(kind: str) -> None:
    from PIL import ImageDraw

    dataset = KINDS[kind]()
    redacted(dataset, [Region.polygon(POLYGON)])
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).polygon(POLYGON, fill=255)
    (after,) = shown(dataset)
    grey = Image.new("RGB", SIZE, (128, 128, 128))
    assert Image.composite(after, grey, mask).tobytes() == grey.tobytes()
    assert after.getpixel((90, 70)) != (128, 128, 128)


@pytest.mark.parametrize(
    ("outline", "cell", "found"),
    [
        (Region.rectangle(0, 0, 8, 8), (8, 8), [(0, 0, 8, 8)]),
        (Region.rectangle(1, 1, 8, 8), (8, 8), [(0, 0, 16, 16)]),
        (Region.rectangle(90, 70, 10, 7), (16, 16), [(80, 64, 20, 13)]),
        (Region.rectangle(5, 6, 2, 1), (1, 1), [(5, 6, 2, 1)]),
        (Region.polygon(((0, 0), (16, 0), (0, 16))), (8, 8), [(0, 0, 24, 8), (0, 8, 16, 8), (0, 16, 8, 8)]),
        (Region.polygon(((0, 0), (32, 0), (32, 32), (16, 8), (0, 32))), (8, 8), [(0, 0, 40, 40)]),
    ],
    ids=["one cell", "four cells", "at the edge", "pixels", "triangle", "a notch is filled"],
)
def test_a_region_is_covered_with_whole_cells(
    outline: Region, cell: tuple[int, int], found: list[tuple[int, int, int, int]]
) -> None:
    assert [tuple(each) for each in cover(outline, cell, SIZE)] == found


@pytest.mark.parametrize(
    "value",
    [
        [-1, 0, 4, 4], [0, -1, 4, 4], [98, 0, 3, 1], [0, 70, 1, 8], [0, 0, 0, 4], [0, 0, 4, 0], [0, 0, -4, 4],
        [0.5, 0, 4, 4], ["0", 0, 4, 4], [0, 0, 4], [], None, {}, 7, "0,0,4,4", [[0, 0], [4, 4]],
        [[0, 0], [1, 1], [2, 2]],
        [[0, 0], [200, 0], [0, 9]], [[0, 0], [4, 0], [0, "4"]], [[0, 0], [4, 0], [0]],
        [[0, 0], [9, 9], [0, 9]] * 500, [10**30, 0, 1, 1],
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_region_that_is_none_or_lies_outside_is_refused_and_nothing_changes(value: object) -> None:
    dataset = baseline()
    before = dataset.to_json()
    with pytest.raises(DeidentificationError, match="region"):
        redacted(dataset, [Region.rectangle(0, 0, 8, 8), region(value)])
    assert dataset.to_json() == before


def changed(made: Dataset, change: Callable[[Dataset], object]) -> Dataset:
    change(made)
    return made


def coded(syntax: str) -> Callable[[Dataset], object]:
    return lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", f"{ROOT}.{syntax}")


PLAIN = cleaned(photos.jpeg(photos.picture(*SIZE), subsampling="4:2:0"))
REFUSED: dict[str, Callable[[], Dataset]] = {
    "no region fits a film": lambda: changed(baseline(), coded("4.102")),
    "JPEG-LS": lambda: changed(baseline(), coded("4.80")),
    "JPEG lossless": lambda: changed(baseline(), coded("4.70")),
    "lossy JPEG 2000": lambda: changed(lossless(), coded("4.91")),
    "RLE": lambda: changed(baseline(), coded("5")),
    "an unknown syntax": lambda: changed(baseline(), coded("4.999")),
    "12 bits": lambda: several(photos.patched(PLAIN, PLAIN.index(b"\xff\xc0") + 4, b"\x0c")),
    "progressive": lambda: several(cleaned(photos.jpeg(photos.picture(*SIZE), progressive=True))),
    "cut short": lambda: several(PLAIN[:-300] + b"\xff\xd9"),
    "no JPEG": lambda: changed(baseline(), lambda d: encapsulated(d, [b"no JPEG!"], f"{ROOT}.4.50")),
    "no JPEG 2000": lambda: changed(lossless(), lambda d: encapsulated(d, [b"no JPEG!"], f"{ROOT}.4.90")),
    "a damaged JPEG 2000": lambda: changed(
        lossless(), lambda d: encapsulated(d, [jpeg_2000(photos.picture(*SIZE))[:200]], f"{ROOT}.4.90")
    ),
    "one frame of three": lambda: several(PLAIN, PLAIN[:-300] + b"\xff\xd9", PLAIN),
    "frames missing": lambda: changed(several(PLAIN, PLAIN), lambda d: setattr(d, "NumberOfFrames", 3)),
    "another size": lambda: changed(baseline(), lambda d: setattr(d, "Columns", 101)),
    "no rows": lambda: changed(baseline(), lambda d: d.pop("Rows")),
    "no pixels": lambda: changed(baseline(), lambda d: d.pop("PixelData")),
    "pixels missing": lambda: changed(native(), lambda d: setattr(d["PixelData"], "value", d.PixelData[:-2])),
    "pixels left over": lambda: changed(native(), lambda d: setattr(d["PixelData"], "value", d.PixelData + b"Jane")),
    "32 bits": lambda: changed(native(), lambda d: setattr(d, "BitsAllocated", 32)),
    "subsampled pixels": lambda: changed(native(), lambda d: setattr(d, "PhotometricInterpretation", "YBR_FULL_422")),
    "no syntax": lambda: changed(baseline(), lambda d: d.file_meta.pop("TransferSyntaxUID")),
}  # fmt: skip


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_blanked_is_refused_and_never_half_done(made: Callable[[], Dataset]) -> None:
    dataset = made()
    before = dataset.to_json(suppress_invalid_tags=True)
    with pytest.raises(DeidentificationError):
        redacted(dataset, [Region.rectangle(0, 0, 20, 20)])
    assert dataset.to_json(suppress_invalid_tags=True) == before


def test_no_region_is_no_redaction() -> None:
    with pytest.raises(DeidentificationError, match="1 to 200 regions"):
        redacted(baseline(), [])


def test_more_corners_together_than_can_be_gone_along_in_time_are_refused() -> None:
    outline = region([[0, 0], *([8, each % 9] for each in range(900)), [0, 8]])
    with pytest.raises(DeidentificationError, match="more than 2000 corners"):
        redacted(baseline(), [outline] * 3)


def test_what_was_hidden_in_the_stream_is_gone_with_the_region() -> None:
    stream = photos.jpeg(photos.picture(*SIZE), exif=photos.exif(), comment=b"secret comment")
    dataset = several(stream + b"\0" * (len(stream) % 2))
    redacted(dataset, [Region.rectangle(0, 0, 20, 20)])
    assert [secret for secret in photos.SECRETS if secret in dataset.PixelData] == []
