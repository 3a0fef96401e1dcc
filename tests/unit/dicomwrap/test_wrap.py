"""The object that a photograph becomes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dicomwrap.bitstream.clean import cleaned, entropy_coded
from dicomwrap.bitstream.verify import contradictions, frames
from dicomwrap.conformance import FILLED, PRESENT, shortcomings
from dicomwrap.consentfile import read_consent
from dicomwrap.consentstamp import ConsentStamp, stamp_of, stamp_without_consent
from dicomwrap.errors import ConformanceError
from dicomwrap.photograph import Device
from dicomwrap.series import DerivedPlace, SeriesBook
from dicomwrap.subject import Patient
from dicomwrap.terms import Purpose
from dicomwrap.wrap import encoded, write
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import CONSENT, built, consent, counted_uids, having, without, wrapped
from tests.unit.dicomwrap.rasterfiles import heic, saved
from tests.unit.dicomwrap.validators import complaints, dumped, is_part_10

PNG = saved(photos.picture(33, 7), "PNG")


def test_the_frame_is_the_photograph_bit_for_bit() -> None:
    photo = photos.camera_photo()
    (frame,) = frames(wrapped(photo))
    assert frame.removesuffix(b"\0") == cleaned(photo).removesuffix(b"\0")
    assert entropy_coded(frame) == entropy_coded(photo)


def test_no_secret_of_the_camera_is_anywhere_in_the_file() -> None:
    data = encoded(built())
    assert not [secret for secret in photos.SECRETS if secret in data]


def test_the_object_says_when_and_with_what_it_was_taken() -> None:
    dataset = wrapped()
    assert (dataset.ContentDate, dataset.ContentTime) == ("20250301", "101530.250000")
    assert (dataset.AcquisitionDateTime, dataset.TimezoneOffsetFromUTC) == ("20250301101530.250000+0100", "+0100")
    assert (dataset.InstanceCreationDate, dataset.InstanceCreationTime) == ("20261122", "103000")
    assert (dataset.Manufacturer, dataset.ManufacturerModelName) == ("Acme", "Lens-o-Matic 3")
    assert (dataset.DeviceSerialNumber, dataset.SoftwareVersions) == (photos.SERIAL, "fw 1.2")
    assert (dataset.FNumber, dataset.ExposureTimeInSeconds, dataset.PhotographicSensitivity) == (2.8, 0.008, 400)
    assert (dataset.FocalLength, dataset.FocalLengthIn35mmFilm) == (50, 75)
    assert (dataset.FlashFiringStatus, dataset.LensModel) == (1, "50 mm")


def test_without_a_camera_s_clock_the_time_of_wrapping_is_written() -> None:
    dataset = wrapped(photos.jpeg())
    assert (dataset.ContentDate, dataset.ContentTime, dataset.TimezoneOffsetFromUTC) == ("20261122", "093000", "+0000")
    assert "AcquisitionDateTime" not in dataset  # nobody knows when


def test_the_object_says_who_what_and_which_side() -> None:
    dataset = wrapped(site="Skin of face", laterality="B")
    assert (dataset.PatientID, dataset.IssuerOfPatientID, dataset.PatientName) == ("P1", "HOSP", "Doe^Jane")
    assert (dataset.PatientBirthDate, dataset.PatientSex, dataset.ImageLaterality) == ("19800615", "F", "B")
    assert dataset.AnatomicRegionSequence[0].CodeValue == "73897004"
    assert dataset.RecognizableVisualFeatures == "YES"


def test_the_object_names_the_program_that_made_it_and_what_it_did() -> None:
    (item,) = wrapped().ContributingEquipmentSequence
    assert (item.Manufacturer, item.ManufacturerModelName, item.SoftwareVersions) == (
        "Consentgate",
        "dicomwrap",
        "test",
    )
    assert item.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Modifying Equipment"
    assert item.ContributionDateTime == "20261122093000+0000"
    assert "entropy-coded data are unchanged" in item.ContributionDescription


def test_nobody_has_said_that_a_hand_is_not_recognisable() -> None:
    dataset = wrapped(site="Skin of hand")
    assert "RecognizableVisualFeatures" not in dataset
    assert "BurnedInAnnotation" not in dataset


@pytest.mark.parametrize(
    ("site", "said", "written"),
    [("Skin of hand", True, "YES"), ("Skin of hand", False, "NO"), ("Skin of face", False, "NO")],
)
def test_a_person_s_word_on_whether_a_picture_is_recognisable_counts(site: str, said: bool, written: str) -> None:
    assert wrapped(site=site, recognisable=said).RecognizableVisualFeatures == written


SOUND = {
    "camera": photos.camera_photo(),
    "grey": photos.jpeg(photos.picture(mode="L")),
    "odd size": photos.jpeg(photos.picture(33, 7)),
    "turned": photos.oriented(6),
    "turned at a price": photos.oriented(6, (60, 43)),
    "CMYK": photos.jpeg(photos.picture(mode="CMYK")),
    "PNG": PNG,
    "grey PNG": saved(photos.picture(33, 7, "L"), "PNG"),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in SOUND.items()])
def test_an_object_agrees_with_its_bitstream_and_lacks_nothing(data: bytes) -> None:
    assert contradictions(wrapped(data)) == ()
    assert shortcomings(encoded(built(data))) == ()


@pytest.mark.parametrize("keyword", [*FILLED, *PRESENT])
def test_an_object_that_lacks_an_element_is_not_written(keyword: str, tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=keyword):
        write(without(built(), keyword), tmp_path / "x.dcm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keyword", FILLED)
def test_an_object_with_an_empty_element_that_must_be_filled_is_not_written(keyword: str) -> None:
    made = built()
    empty = [] if isinstance(made.elements[keyword], list) else ()
    with pytest.raises(ConformanceError, match=keyword):
        encoded(having(made, **{keyword: empty}))


@pytest.mark.parametrize("keyword", ["LossyImageCompressionRatio", "LossyImageCompressionMethod"])
def test_a_compressed_picture_that_does_not_tell_its_loss_is_not_written(keyword: str) -> None:
    with pytest.raises(ConformanceError, match=keyword):
        encoded(without(built(), keyword))


def test_an_object_without_its_pixels_is_not_written() -> None:
    with pytest.raises(ConformanceError, match="PixelData"):
        encoded(dataclasses.replace(built(), frame=()))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(photos.jpeg(exif=photos.exif()), id="EXIF"),
        pytest.param(photos.jpeg(comment=b"a name"), id="comment"),
    ],
)
def test_a_frame_with_metadata_in_it_is_not_written(frame: bytes) -> None:
    with pytest.raises(ConformanceError, match="PixelData"):
        encoded(dataclasses.replace(built(photos.jpeg()), frame=(frame,)))


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("00160071CS", "N"),
        ("00160072DS", "51.5"),
        ("0016004DLO", "Owner"),
        ("0016002BOB", b"maker"),
        ("00160003LO", "9"),
    ],
    ids=["GPSLatitudeRef", "GPSLatitude", "CameraOwnerName", "MakerNote", "BatteryLevel"],
)  # fmt: skip
def test_an_object_that_says_where_it_was_taken_or_by_whom_is_not_written(element: str, value: str | bytes) -> None:
    with pytest.raises(ConformanceError, match="must never be written"):
        encoded(having(built(), **{element: value}))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 47), ("Columns", 65), ("SamplesPerPixel", 1), ("PhotometricInterpretation", "RGB"),
        ("PhotometricInterpretation", "MONOCHROME2"), ("BitsAllocated", 16), ("BitsStored", 7), ("HighBit", 6),
        ("PlanarConfiguration", 1), ("PixelRepresentation", 1), ("NumberOfFrames", 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("data", [photos.camera_photo(), PNG], ids=["JPEG", "PNG"])
def test_a_header_that_contradicts_its_picture_is_not_written(keyword: str, value: object, data: bytes) -> None:
    made = built(data)
    if made.elements.get(keyword) == value:
        value = "YBR_FULL_422"
    with pytest.raises(ConformanceError):
        encoded(having(made, **{keyword: value}))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 70_000), ("Rows", "many"), ("PatientName", "\ud800"), ("SeriesDescription", "x" * 70_000),
        ("Unheard", "x"), ("AnatomicRegionSequence", ["no item"]), ("FNumber", float("nan")), ("FNumber", "many"),
    ],
    ids=["too large", "no number", "no Unicode", "too long", "no keyword", "no item", "not a number", "no decimal"],
)  # fmt: skip
def test_a_value_that_cannot_be_encoded_is_a_fault_that_is_told(keyword: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(ConformanceError):
        write(having(built(), **{keyword: value}), tmp_path / "x.dcm")
    assert list(tmp_path.iterdir()) == []


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


def test_a_derived_place_is_the_same_each_time_and_another_for_another_device_or_study() -> None:
    phone, camera = Device(model="phone"), Device(model="camera")
    asked = [("2.25.1", phone), ("2.25.1", camera), ("2.25.2", phone)]
    places = [DerivedPlace(study_instance_uid=uid, number=7).place_for(device) for uid, device in asked * 2]
    assert places[:3] == places[3:]
    assert len({place.series_instance_uid for place in places}) == 3
    assert {place.instance_number for place in places} == {7}
    assert all(1 <= place.series_number <= 900 for place in places)


def changed(**changes: object) -> ConsentStamp:
    return stamp_of(read_consent(json.dumps({**json.loads(CONSENT), **changes})), Purpose.DIRECT_CARE)


OBJECTS = {
    "no consent": {},
    "no patient": {"patient": Patient(name="", id="?")},
    "grey": {"data": SOUND["grey"]},
    "odd size": {"data": photos.jpeg(photos.picture(33, 7), subsampling="4:2:0")},
    "turned": {"data": SOUND["turned"]},
    "turned at a price": {"data": SOUND["turned at a price"]},
    "PNG": {"data": PNG},
    "PNG of 16 bits": {"data": saved(photos.picture(mode="L").convert("I;16"), "PNG")},
    "HEIC": {"data": heic(photos.picture())},
    "WebP": {"data": saved(photos.picture(), "WebP", quality=80)},
    "with a profile": {"data": photos.with_colour_profile()},
    "recognisable": {"recognisable": True},
    "not recognisable": {"recognisable": False},
    "sealed with a key": {"key": b"0123456789abcdef"},
    "face": {"site": "Skin of face"},
    "intimate": {"site": "35900000", "stamp": stamp_without_consent(Purpose.DIRECT_CARE, confidentiality="R")},
    "care and teaching": {"stamp": stamp_of(consent(), Purpose.TEACHING)},
    "research and publication": {
        "stamp": changed(purposes=["RESEARCH", "PUBLICATION", "PUBLIC_MEDIA"], valid_to="2030-01-01")
    },
    "everything": {"stamp": changed(purposes=["ALL"])},
    "refused": {"stamp": changed(state="REFUSED", purposes=["ALL_SECONDARY"])},
    "withdrawn": {"stamp": changed(state="WITHDRAWN", withdrawn_on="2026-01-01", purposes=["RESEARCH"])},
    "many alphabets": {"patient": dataclasses.replace(Patient(), id="Ж1", name="Yamada^Tarou=山田^太郎")},
}


@pytest.mark.parametrize("name", OBJECTS)
def test_validators_have_nothing_to_say_beyond_known_false_alarms(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    write(built(**OBJECTS[name]), path)
    assert complaints(path) == []
    assert is_part_10(path)
    assert "VLPhotographicImageStorage" in dumped(path)
