from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments, parse_basic_offsets

from dicomwrap.anatomy import body_site
from dicomwrap.iod.modules import Circumstances, View, Wrapping
from dicomwrap.iod.video_photographic import video_photographic
from dicomwrap.series import Place
from dicomwrap.source.film import Film, read_film
from dicomwrap.subject import Patient, Visit
from tests.unit.dicomwrap import films

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ABOUT = Circumstances(
    patient=Patient(id="P1", issuer="HOSP", name="Doe^Jane", birth_date=date(1980, 6, 15), sex="F"),
    visit=Visit(study_instance_uid="2.25.1", started=NOW.replace(tzinfo=None)),
    place=Place(series_instance_uid="2.25.2", series_number=1, instance_number=1),
    view=View(site=body_site("Skin of hand"), laterality="L"),
    wrapping=Wrapping(at=NOW, sop_instance_uid="2.25.3", version="test"),
)
VALIDATOR = Path(sys.executable).parent / "dciodvfy"
FILMS = {
    "a phone's": films.camera_film,
    "one frame": lambda: films.encoded(frames=1),
    "level 4.2": lambda: films.encoded(options={"preset": "ultrafast", "level": "4.2"}),
    "uneven times": lambda: films.encoded(times=lambda number: 100 * number + (60 if number % 3 else 0)),
}


@pytest.fixture(scope="module", params=FILMS.values(), ids=FILMS.keys())
def film(request: pytest.FixtureRequest) -> Film:
    return read_film(request.param(), drop_audio=False)


@pytest.fixture
def data(film: Film) -> bytes:
    return b"".join(video_photographic(film, ABOUT).pieces())


@pytest.fixture
def dataset(data: bytes) -> FileDataset:
    return dcmread(BytesIO(data))


def fragments(dataset: FileDataset) -> list[bytes]:
    start = 8 + 4 * len(parse_basic_offsets(dataset.PixelData))
    return list(generate_fragments(dataset.PixelData[start:]))


def test_the_object_holds_the_film_in_one_fragment(film: Film, dataset: FileDataset) -> None:
    assert fragments(dataset) == [film.stream]


def test_the_film_taken_out_plays_as_the_camera_recorded_it(dataset: FileDataset, film: Film) -> None:
    frames = films.decoded(fragments(dataset)[0])
    assert len(frames) == film.frames == dataset.NumberOfFrames


def test_a_phones_film_taken_out_has_the_phones_frames() -> None:
    film = read_film(films.camera_film(), drop_audio=False)
    found = dcmread(BytesIO(b"".join(video_photographic(film, ABOUT).pieces())))
    assert films.decoded(fragments(found)[0]) == films.decoded(films.camera_film())


def test_the_offset_table_is_empty(dataset: FileDataset) -> None:
    assert dataset.NumberOfFrames == 1 or parse_basic_offsets(dataset.PixelData) == []


def test_the_header_says_what_ps3_5_asks_of_h264(dataset: FileDataset, film: Film) -> None:
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.77.1.4.1"
    assert dataset.file_meta.TransferSyntaxUID == film.transfer_syntax
    assert (dataset.Rows, dataset.Columns) == (films.HEIGHT, films.WIDTH)
    assert (dataset.SamplesPerPixel, dataset.PhotometricInterpretation) == (3, "YBR_PARTIAL_420")
    assert (dataset.PlanarConfiguration, dataset.PixelRepresentation) == (0, 0)
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (8, 8, 7)
    assert "PixelAspectRatio" not in dataset


def test_the_frames_follow_each_other_by_the_frame_time(dataset: FileDataset, film: Film) -> None:
    assert dataset.FrameIncrementPointer == 0x00181063
    assert float(dataset.FrameTime) == pytest.approx(film.frame_time_ms)
    assert dataset.CineRate == dataset.RecommendedDisplayFrameRate == film.cine_rate
    assert float(dataset.EffectiveDuration) == pytest.approx(film.frames * film.frame_time_ms / 1000, abs=1e-6)


def test_what_was_lost_is_told(dataset: FileDataset, film: Film) -> None:
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionMethod == "ISO_14496_10"
    assert float(dataset.LossyImageCompressionRatio) == pytest.approx(film.lossy[0].ratio, rel=1e-5)
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY"]


def test_time_and_device_are_the_phones() -> None:
    film = read_film(films.camera_film(), drop_audio=False)
    found = dcmread(BytesIO(b"".join(video_photographic(film, ABOUT).pieces())))
    assert found.AcquisitionDateTime == "20250301101530+0100"
    assert (found.ContentDate, found.ContentTime) == ("20250301", "101530")
    assert (found.Manufacturer, found.ManufacturerModelName, found.SoftwareVersions) == (
        films.MAKE, films.MODEL, films.SOFTWARE,
    )  # fmt: skip
    assert found.Modality == "XC"


def test_nothing_that_the_camera_hid_is_in_the_object() -> None:
    film = read_film(films.camera_film(), drop_audio=False)
    found = b"".join(video_photographic(film, ABOUT).pieces())
    assert [secret for secret in (*films.SECRETS, *films.OURS) if secret in found] == []


def test_the_validator_has_no_complaint(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(data)
    said = subprocess.run([VALIDATOR, "-new", path], capture_output=True, text=True, check=False).stderr
    assert said == "VideoPhotographicImage\n"


def test_dcmtk_reads_the_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(data)
    for tool in ("dcmftest", "dcmdump"):
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is not installed")
        assert subprocess.run([found, path], capture_output=True, check=False).returncode == 0
