"""``dicomwrap unwrap`` gives the photograph back, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomwrap import iodtables
from dicomwrap.bitstream.clean import cleaned, entropy_coded, hidden
from dicomwrap.errors import DicomwrapError
from dicomwrap.unwrap import unwrap
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import (
    ROOT,
    describe,
    encapsulated,
    encoded,
    jpeg_2000,
    sound,
    srgb,
    uncompressed,
    with_frame,
    without_loss,
)  # fmt: skip
from tests.unit.dicomwrap.test_verify_pictures import FTYP, film, jls

PLAIN = cleaned(photos.jpeg())


def stored(folder: Path, dataset: Dataset) -> Path:
    path = folder / "photo.dcm"
    path.write_bytes(encoded(dataset))
    return path


def given_back(folder: Path, dataset: Dataset) -> tuple[Path, bytes]:
    found = unwrap(stored(folder, dataset), folder)
    assert len(found) == 1
    path = Path(found[0].photo)
    return path, path.read_bytes()


def test_a_photograph_comes_back_with_its_own_bits_and_its_colour_profile(tmp_path: Path) -> None:
    dataset = sound()
    path, data = given_back(tmp_path, dataset)
    assert path.name == "photo.jpg"
    assert entropy_coded(data) == entropy_coded(PLAIN)
    assert hidden(data) == ("APP2",)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == dataset.ICCProfile
        assert image.tobytes() == photos.pixels(PLAIN)


def test_the_profile_comes_behind_the_jfif_header(tmp_path: Path) -> None:
    dataset = sound()
    with_frame(dataset, photos.jpeg())
    _, data = given_back(tmp_path, dataset)
    assert (data[2:4], data[20:22]) == (b"\xff\xe0", b"\xff\xe2")


def test_what_a_foreign_object_hides_stays_behind(tmp_path: Path) -> None:
    dataset = sound()
    with_frame(dataset, photos.camera_photo())
    found = unwrap(stored(tmp_path, dataset), tmp_path / "out.jpeg")
    data = Path(found[0].photo).read_bytes()
    assert found[0].left_out == ("APP1", "APP2", "APP13", "COM", "trailer after EOI")
    assert not any(secret in data for secret in photos.SECRETS)
    assert photos.pixels(data) == photos.pixels(photos.camera_photo())


def test_a_profile_in_the_stream_stays_where_the_object_has_none(tmp_path: Path) -> None:
    dataset = sound()
    with_frame(dataset, photos.jpeg(icc_profile=srgb()))
    del dataset.ICCProfile
    _, data = given_back(tmp_path, dataset)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == srgb()


def test_dicoms_padding_goes(tmp_path: Path) -> None:
    odd = photos.with_segments(PLAIN, photos.segment(0xDD, b"\0\0")) if len(PLAIN) % 2 == 0 else PLAIN
    odd = odd if len(odd) % 2 else odd[:2] + b"\xff" + odd[2:]  # a fill byte
    dataset = sound()
    with_frame(dataset, odd)
    _, data = given_back(tmp_path, dataset)
    assert data.endswith(b"\xff\xd9")


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("planar", [0, 1])
def test_uncompressed_pixels_become_a_png(photometric: str, planar: int, tmp_path: Path) -> None:
    mode = {"RGB": "RGB", "YBR_FULL": "YCbCr"}.get(photometric, "L")
    image = photos.picture(7, 5, "RGB").convert(mode)
    dataset = uncompressed(image, photometric)
    if mode != "L" and planar:
        dataset.PlanarConfiguration = 1
        dataset["PixelData"].value = b"".join(band.tobytes() for band in image.split()) + b"\0"
    path, data = given_back(tmp_path, dataset)
    assert path.suffix == ".png"
    with Image.open(io.BytesIO(data)) as png:
        shown = png.convert("RGB").tobytes()
        assert ("icc_profile" in png.info) == (mode != "L")
    expected = image.convert("RGB").tobytes()
    assert shown == (bytes(255 - byte for byte in expected) if photometric == "MONOCHROME1" else expected)


def test_deep_grey_pixels_keep_their_depth(tmp_path: Path) -> None:
    dataset = uncompressed(photos.picture(4, 3, "L"), "MONOCHROME2")
    describe(dataset, 3, 4, "MONOCHROME2", bits=16)
    samples = bytes(range(24))
    dataset["PixelData"].value = samples
    _, data = given_back(tmp_path, dataset)
    with Image.open(io.BytesIO(data)) as png:
        assert png.tobytes() == samples


def test_run_length_coded_pixels_become_a_png(tmp_path: Path) -> None:
    dataset = without_loss(sound())
    describe(dataset, 1, 2, "RGB")
    starts = b"".join(number.to_bytes(4, "little") for number in (3, 64, 68, 72))
    runs = b"\1\1\2\x80" + b"\1\3\4\x80" + b"\1\5\6\x80"
    encapsulated(dataset, [starts.ljust(64, b"\0") + runs], f"{ROOT}.5")
    _, data = given_back(tmp_path, dataset)
    with Image.open(io.BytesIO(data)) as png:
        assert png.tobytes() == b"\1\3\5\2\4\6"


def test_a_jpeg_2000_codestream_becomes_a_file_with_its_profile(tmp_path: Path) -> None:
    dataset = without_loss(sound())
    describe(dataset, 48, 64, "YBR_RCT")
    encapsulated(dataset, [jpeg_2000()], f"{ROOT}.4.90")
    path, data = given_back(tmp_path, dataset)
    assert path.suffix == ".jp2"
    assert jpeg_2000() in data
    with Image.open(io.BytesIO(data)) as image:
        assert image.tobytes() == photos.picture().tobytes()
    del dataset.ICCProfile
    (tmp_path / "bare").mkdir()
    bare, stream = given_back(tmp_path / "bare", dataset)
    assert (bare.suffix, stream) == (".j2k", jpeg_2000())


def document() -> Dataset:
    dataset = sound(sop_class=iodtables.ENCAPSULATED_PDF)
    del dataset.PixelData
    dataset.file_meta.TransferSyntaxUID = f"{ROOT}.1"
    dataset.EncapsulatedDocument, dataset.EncapsulatedDocumentLength = b"%PDF-1.7\n%%EOF\n", 15
    return dataset


OTHERS = {
    "JPEG-LS": (".jls", jls(), lambda: coded(jls(), "4.80")),
    "MP4": (".mp4", FTYP + b"\0\0\0\x08mdat", lambda: film(FTYP + b"\0\0\0\x08mdat")),
    "H.264": (".h264", b"\0\0\0\1\x67\x64\0\x1f", lambda: film(b"\0\0\0\1\x67\x64\0\x1f")),
    "HEVC": (".h265", b"\0\0\0\1\x40\1\0\0", lambda: film(b"\0\0\0\1\x40\1\0\0")),
    "a document": (".pdf", b"%PDF-1.7\n%%EOF\n", document),
}


def coded(frame: bytes, syntax: str) -> Dataset:
    dataset = without_loss(sound())
    encapsulated(dataset, [frame], f"{ROOT}.{syntax}")
    return dataset


@pytest.mark.parametrize(("suffix", "expected", "make"), OTHERS.values(), ids=OTHERS)
def test_other_codings_come_out_as_they_are(suffix: str, expected: bytes, make: object, tmp_path: Path) -> None:
    path, data = given_back(tmp_path, make())  # type: ignore[operator]
    assert (path.suffix, data) == (suffix, expected)


def test_several_frames_become_several_files(tmp_path: Path) -> None:
    dataset = sound()
    dataset.NumberOfFrames = 2
    encapsulated(dataset, [PLAIN, cleaned(photos.jpeg(quality=20))], f"{ROOT}.4.50")
    found = unwrap(stored(tmp_path, dataset), tmp_path / "out.jpg")
    assert [Path(each.photo).name for each in found] == ["out-1.jpg", "out-2.jpg"]
    assert len({each.sha256 for each in found}) == 2


def test_when_one_place_is_taken_none_is_written(tmp_path: Path) -> None:
    dataset = sound()
    dataset.NumberOfFrames = 2
    encapsulated(dataset, [PLAIN, PLAIN], f"{ROOT}.4.50")
    (tmp_path / "out-2.jpg").write_text("mine")
    with pytest.raises(DicomwrapError, match="already there"):
        unwrap(stored(tmp_path, dataset), tmp_path / "out.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-2.jpg", "photo.dcm"]
    assert (tmp_path / "out-2.jpg").read_text() == "mine"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path, _ = given_back(tmp_path, sound())
    assert path.stat().st_mode & 0o777 == 0o600


def wrong(**values: object) -> Dataset:
    dataset = uncompressed(photos.picture())
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def truncated() -> Dataset:
    dataset = sound()
    dataset["PixelData"].value = encapsulate([PLAIN[:200]])
    return dataset


REFUSED = {
    "a palette": wrong(PhotometricInterpretation="PALETTE COLOR", SamplesPerPixel=1),
    "fewer pixels than said": wrong(Rows=4800),
    "more pixels than any": wrong(Rows=60000, Columns=60000),
    "no pixels": wrong(Rows=0),
    "a picture cut off": truncated(),
    "no film": film(b"no film!"),
    "an unknown coding": coded(PLAIN, "4.999"),
}


@pytest.mark.parametrize("dataset", REFUSED.values(), ids=REFUSED)
def test_what_cant_be_given_back_is_refused_with_a_remedy(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DicomwrapError) as refused:
        unwrap(stored(tmp_path, dataset), tmp_path)
    assert refused.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["photo.dcm"]


def test_a_name_of_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DicomwrapError, match=r"\.jpg"):
        unwrap(stored(tmp_path, sound()), tmp_path / "out.png")


def test_a_file_that_is_no_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photos.jpeg())
    with pytest.raises(DicomwrapError, match="no DICOM file"):
        unwrap(path, tmp_path)
