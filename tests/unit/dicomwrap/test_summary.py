"""``dicomwrap inspect`` says what an object is, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicomwrap import iodtables, words
from dicomwrap.cli.summarylines import lines
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import stamp
from dicomwrap.summary import Summary, summary, summary_of_file
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import code, encoded, reread, sound, uncompressed, with_frame

KEYS = {
    "file", "error", "sop_class", "transfer_syntax", "picture", "patient", "study", "series", "instance", "taken",
    "device", "exposure", "view", "operators", "colour_profile", "lossy", "derivation", "consent", "references",
    "hidden",
}  # fmt: skip


def full() -> Dataset:
    dataset = sound()
    dataset.IssuerOfPatientID, dataset.StudyDescription = "HOSP", "Naevus check"
    dataset.ManufacturerModelName, dataset.LensModel = "Lens-o-Matic", "50 mm f/2"
    dataset.ExposureTimeInSeconds, dataset.FNumber = "0.016667", "2.8"
    dataset.PhotographicSensitivity, dataset.FocalLength, dataset.FocalLengthIn35mmFilm = 100, "35", 52
    dataset.FlashFiringStatus, dataset.ColorSpace = 1, "SRGB"
    dataset.TrackingID, dataset.TrackingUID = "mole 1", "2.25.8"
    dataset.DerivationDescription = "Turned by 90 degrees"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = iodtables.ENCAPSULATED_PDF, "2.25.77"
    reference.PurposeOfReferenceCodeSequence = [code("59284-0", "LN", "Consent Document")]
    dataset.ReferencedInstanceSequence = [reference]
    consent = ConsentStamp(
        record_id="urn:uuid:1", record_version="3", status="active", permitted=("TREAT", "TRAIN"),
        denied=("DCM:128714",), confidentiality="R", capture_purpose="TREAT", given_by="PATIENT",
    )  # fmt: skip
    stamp(dataset, consent)
    return reread(dataset)


TOLD = {
    "what": "VL Photographic Image, 64 x 48 pixels",
    "coded as": "JPEG baseline",
    "patient": "Doe, Jane, number P1, issued by HOSP, born 1980-06-15, F",
    "study": "2025-03-01, 10:15:30, Naevus check, id 1",
    "series": "1, XC",
    "instance": "1, 2.25.3",
    "taken": "2025-03-01 10:15:30.25 +01:00",
    "by": "Roe, Rick",
    "device": "Acme, Lens-o-Matic, 50 mm f/2",
    "exposure": "1/60 s, f/2.8, ISO 100, 35 mm (52 mm on 35 mm film), flash fired",
    "shows": "Skin of hand, left, lesion mole 1",
    "colour profile": "sRGB, SRGB",
    "lossy compression": "JPEG, 10.5 : 1",
    "derivation": "Turned by 90 degrees",
    "consent": "given, urn:uuid:1, version 3",
    "  given": "by the patient",
    "  permits": "direct care, teaching",
    "  denies": "publication",
    "  taken for": "direct care",
    "  confidentiality": "restricted",
    "  stamp": "no seal",
    "refers to": "Consent Document, Encapsulated PDF, 2.25.77",
}


def rows(found: Summary) -> dict[str, str]:
    """Return the lines by label, each with what it says."""
    told = [line[2:] for line in lines(found)][1:]
    return {line[:20].rstrip(): line[20:] for line in told}


def test_an_object_is_told_in_words() -> None:
    assert rows(summary(full(), file="x.dcm")) == TOLD


def test_the_json_has_the_same_keys_whatever_is_known(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(b"no object")
    every = [summary(full(), file="x"), summary(sound(stamped=False), file="y"), summary_of_file(path)]
    assert [set(each.as_json()) for each in every] == [KEYS] * 3
    first, second, third = (json.loads(json.dumps(each.as_json())) for each in every)
    assert first["exposure"].keys() == second["exposure"].keys()
    assert first["patient"]["id"] == "P1"
    assert (second["consent"], third["error"]) == (None, "no DICOM file: 'DICM' isn't where it must be")


def test_what_hides_in_the_object_is_told() -> None:
    dataset = sound()
    with_frame(dataset, photos.camera_photo())
    dataset.GPSLatitudeRef = "N"
    hidden = summary(reread(dataset), file="x").hidden
    assert "PixelData: hidden metadata in the stream (APP1): XMP, EXIF with a place" in hidden
    assert "GPSLatitudeRef: says where the picture was taken" in hidden


def test_an_object_without_a_stamp_says_nothing_of_consent() -> None:
    assert rows(summary(reread(sound(stamped=False)), file="x"))["consent"] == "nothing is said"


def test_a_film_tells_its_frames() -> None:
    dataset = uncompressed(photos.picture())
    dataset.NumberOfFrames = 25
    assert rows(summary(reread(dataset), file="x"))["what"].endswith("25 frames")


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.dcm"
    path.write_bytes(encoded(sound()))
    assert next(lines(summary_of_file(path))) == str(path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20250301101530.250000+0100", ("2025-03-01 10:15:30.25", "+01:00")),
        ("20250301", ("2025-03-01", "")),
        ("202503011015-0530", ("2025-03-01 10:15", "-05:30")),
        ("20250301101530.000", ("2025-03-01 10:15:30", "")),
        ("yesterday", ("", "")),
        ("", ("", "")),
    ],
)
def test_times_are_told_as_people_write_them(value: str, expected: tuple[str, str]) -> None:
    assert words.moment(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([1 / 60], "1/60 s"), ([0.5], "0.5 s"), ([2.0], "2 s"), ([], ""), ([0.0], ""), ([float("inf")], "")],
)
def test_exposure_times_are_told_as_cameras_show_them(seconds: Sequence[float], expected: str) -> None:
    assert words.exposure_time(seconds) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Doe^Jane^^Dr", "Doe, Jane, Dr"), ("Doe^", "Doe"), ("", ""), ("Yamada^Tarou=山田^太郎", "Yamada, Tarou")],
)
def test_names_are_told_as_people_write_them(name: str, expected: str) -> None:
    assert words.person(name) == expected
