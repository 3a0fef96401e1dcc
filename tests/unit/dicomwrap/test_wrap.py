"""The object that a photograph becomes, and the file that holds it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomwrap.bitstream.clean import cleaned, entropy_coded
from dicomwrap.bitstream.verify import contradictions, frames
from dicomwrap.conformance import FILLED, PRESENT, shortcomings
from dicomwrap.consentfile import read_consent
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import stamp_of, stamp_without_consent
from dicomwrap.errors import ConformanceError, OutputError
from dicomwrap.photograph import Device
from dicomwrap.series import SeriesBook
from dicomwrap.subject import Patient
from dicomwrap.terms import Purpose
from dicomwrap.wrap import encoded, publish, write
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import CONSENT, consent, counted_uids, wrapped

DCIODVFY = Path(sys.executable).parent / "dciodvfy"
FALSE_ALARM_PRIVATE = (
    r'^Warning - </\(0077,10[0-9a-f]{2},"DICOMWRAP CONSENT 1"\)> - Unrecognized tag - '
    r"assuming explicit value representation OK"
)
FALSE_ALARM_TRIAL = (
    r"^Error - </ConsentForClinicalTrialUseSequence\(0012,0083\)\[\d+\]/ClinicalTrialProtocolID\(0012,0020\)> - "
    r"Only permitted when DistributionType is NAMED_PROTOCOL"
)
ALLOWED = (FALSE_ALARM_PRIVATE, FALSE_ALARM_TRIAL)


def read_again(dataset: Dataset) -> Dataset:
    return dcmread(BytesIO(encoded(dataset)))


def test_the_frame_is_the_photograph_bit_for_bit() -> None:
    photo = photos.camera_photo()
    (frame,) = frames(read_again(wrapped(photo)))
    assert frame.removesuffix(b"\0") == cleaned(photo).removesuffix(b"\0")
    assert entropy_coded(frame) == entropy_coded(photo)


def test_no_secret_of_the_camera_is_anywhere_in_the_file() -> None:
    data = encoded(wrapped())
    assert not [secret for secret in photos.SECRETS if secret in data]


def test_the_object_says_when_and_with_what_it_was_taken() -> None:
    dataset = read_again(wrapped())
    assert (dataset.ContentDate, dataset.ContentTime) == ("20250301", "101530.250000")
    assert (dataset.AcquisitionDateTime, dataset.TimezoneOffsetFromUTC) == ("20250301101530.250000+0100", "+0100")
    assert (dataset.InstanceCreationDate, dataset.InstanceCreationTime) == ("20261122", "103000")
    assert (dataset.Manufacturer, dataset.ManufacturerModelName) == ("Acme", "Lens-o-Matic 3")
    assert (dataset.DeviceSerialNumber, dataset.SoftwareVersions) == (photos.SERIAL, "fw 1.2")
    assert (dataset.FNumber, dataset.ExposureTimeInSeconds, dataset.PhotographicSensitivity) == (2.8, 0.008, 400)
    assert (dataset.FlashFiringStatus, dataset.LensModel) == (1, "50 mm")


def test_without_a_camera_s_clock_the_time_of_wrapping_is_written() -> None:
    dataset = read_again(wrapped(photos.jpeg()))
    assert (dataset.AcquisitionDateTime, dataset.TimezoneOffsetFromUTC) == ("20261122093000+0000", "+0000")


def test_the_object_says_who_what_and_which_side() -> None:
    dataset = read_again(wrapped(site="Skin of face", laterality="B"))
    assert (dataset.PatientID, dataset.IssuerOfPatientID, dataset.PatientName) == ("P1", "HOSP", "Doe^Jane")
    assert (dataset.PatientBirthDate, dataset.PatientSex, dataset.ImageLaterality) == ("19800615", "F", "B")
    assert dataset.AnatomicRegionSequence[0].CodeValue == "73897004"
    assert dataset.RecognizableVisualFeatures == "YES"


def test_nobody_has_said_that_a_hand_is_not_recognisable() -> None:
    dataset = wrapped(site="Skin of hand")
    assert "RecognizableVisualFeatures" not in dataset
    assert "BurnedInAnnotation" not in dataset


def test_an_object_agrees_with_its_bitstream_and_lacks_nothing() -> None:
    for data in (photos.camera_photo(), photos.jpeg(photos.picture(mode="L")), photos.jpeg(photos.picture(33, 7))):
        assert contradictions(wrapped(data)) == ()
        assert shortcomings(read_again(wrapped(data))) == ()


@pytest.mark.parametrize("keyword", [*FILLED, *PRESENT])
def test_an_object_that_lacks_an_element_is_not_written(keyword: str, tmp_path: Path) -> None:
    dataset = wrapped()
    del dataset[keyword]
    with pytest.raises(ConformanceError):
        write(dataset, tmp_path / "x.dcm")
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_says_where_it_was_taken_is_not_written() -> None:
    dataset = wrapped()
    dataset.GPSLatitudeRef = "N"
    with pytest.raises(ConformanceError, match="GPSLatitudeRef"):
        encoded(dataset)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 47), ("Columns", 65), ("SamplesPerPixel", 1), ("PhotometricInterpretation", "RGB"),
        ("PhotometricInterpretation", "MONOCHROME2"), ("BitsStored", 7), ("HighBit", 6), ("PlanarConfiguration", 1),
        ("NumberOfFrames", 2), ("Rows", None), ("PhotometricInterpretation", ""), ("PixelData", b"\0\0"),
        ("PixelData", encapsulate([photos.camera_photo()])), ("PixelData", encapsulate([b"\0\0"])),
        ("PixelData", encapsulate([photos.jpeg(progressive=True)])),
        ("PixelData", encapsulate([cleaned(photos.jpeg()) + b"\0\0"])),
        ("PixelData", encapsulate([cleaned(photos.jpeg()), cleaned(photos.jpeg())])),
    ],
)  # fmt: skip
def test_a_header_that_contradicts_its_bitstream_is_told(keyword: str, value: object) -> None:
    dataset = wrapped()
    setattr(dataset, keyword, value)
    assert contradictions(dataset)


def test_several_frames_are_all_looked_at() -> None:
    dataset = wrapped(photos.jpeg())
    good = cleaned(photos.jpeg())
    dataset.NumberOfFrames = 2
    dataset.PixelData = encapsulate([good, good])
    assert contradictions(dataset) == ()
    dataset.PixelData = encapsulate([good, photos.jpeg(comment=b"name")])
    assert contradictions(dataset) == (
        "frame 2: PixelData: hidden metadata in the stream (APP0)",
        "frame 2: PixelData: hidden metadata in the stream (COM)",
    )


def test_other_transfer_syntaxes_are_not_spoken_of() -> None:
    dataset = wrapped()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    assert contradictions(dataset) == ()


def test_an_object_without_file_meta_is_a_contradiction() -> None:
    assert contradictions(Dataset())


def test_a_file_appears_whole_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.dcm"
    write(wrapped(), path)
    assert [each.name for each in path.parent.iterdir()] == ["x.dcm"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert shortcomings(dcmread(path)) == ()


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="already there"):
        write(wrapped(), path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("x.dcm", b"precious")]


@pytest.mark.parametrize("name", ["file/x.dcm", "y" * 300, "x\0y"])
def test_a_place_that_cannot_be_written_to_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="can't be written"):
        publish(b"data", tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_one_device_makes_one_series() -> None:
    book = SeriesBook(new_uid=counted_uids())
    phone, camera = Device(model="phone"), Device(model="camera")
    places = [book.place_for(device) for device in (phone, camera, phone, Device(), phone)]
    assert [(place.series_number, place.instance_number) for place in places] == [
        (1, 1),
        (2, 1),
        (1, 2),
        (3, 1),
        (1, 3),
    ]
    assert len({place.series_instance_uid for place in places}) == 3


def changed(**changes: object) -> ConsentStamp:
    return stamp_of(read_consent(json.dumps({**json.loads(CONSENT), **changes})), Purpose.DIRECT_CARE)


OBJECTS = {
    "no consent": wrapped(),
    "no patient": wrapped(patient=Patient(name="", id="?")),
    "grey": wrapped(photos.jpeg(photos.picture(mode="L"))),
    "odd size": wrapped(photos.jpeg(photos.picture(33, 7), subsampling="4:2:0")),
    "face": wrapped(site="Skin of face"),
    "intimate": wrapped(site="35900000", stamp=stamp_without_consent(Purpose.DIRECT_CARE, confidentiality="R")),
    "care and teaching": wrapped(stamp=stamp_of(consent(), Purpose.TEACHING)),
    "research and publication": wrapped(
        stamp=changed(purposes=["RESEARCH", "PUBLICATION", "PUBLIC_MEDIA"], valid_to="2030-01-01")
    ),
    "everything": wrapped(stamp=changed(purposes=["ALL"])),
    "refused": wrapped(stamp=changed(state="REFUSED", purposes=["ALL_SECONDARY"])),
    "withdrawn": wrapped(stamp=changed(state="WITHDRAWN", withdrawn_on="2026-01-01", purposes=["RESEARCH"])),
    "many alphabets": wrapped(patient=dataclasses.replace(Patient(), id="Ж1", name="Yamada^Tarou=山田^太郎")),
}


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools is not installed")
@pytest.mark.parametrize("name", OBJECTS)
def test_dciodvfy_has_nothing_to_say_beyond_its_known_false_alarms(name: str, tmp_path: Path) -> None:
    write(OBJECTS[name], tmp_path / "x.dcm")
    run = subprocess.run([DCIODVFY, "-new", tmp_path / "x.dcm"], capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if re.match("Error|Warning", line)]
    assert [line for line in said if not any(re.match(allowed, line) for allowed in ALLOWED)] == []
    assert "VLPhotographicImage" in run.stdout + run.stderr
