"""Dermoscopic pictures, and lesions that are followed over the years."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicomwrap.conformance import shortcomings
from dicomwrap.consentblock import CREATOR, GROUP
from dicomwrap.errors import ConformanceError
from dicomwrap.iod.dermoscopic import IMMERSION_MEDIA, Dermoscopy
from dicomwrap.uids import derived_uid, is_uid
from dicomwrap.wrap import encoded, write
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PATIENT, objects, one, put, run_json
from tests.unit.dicomwrap.objects import built, having, wrapped
from tests.unit.dicomwrap.rasterfiles import saved
from tests.unit.dicomwrap.validators import complaints, is_part_10

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.77.1.7"
FILLED = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
IMAGE = (
    "LightSourcePolarization", "EmitterColorTemperature", "ContactMethod", "OpticalMagnificationFactor",
    "RecognizableVisualFeatures",
)  # fmt: skip
GEL = Dermoscopy(
    polarised=True, contact=True, immersion=("ULTRASOUND_GEL", "PLASTIC_CAP"), magnification=10, colour_temperature=5e3
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "lesion.jpg", photos.camera_photo())


def test_the_object_is_a_dermoscopic_image_that_says_how_the_lesion_was_looked_at() -> None:
    dataset = wrapped(dermoscopy=GEL)
    assert (dataset.SOPClassUID, dataset.file_meta.MediaStorageSOPClassUID) == (SOP_CLASS_UID, SOP_CLASS_UID)
    assert (dataset.Modality, dataset.SeriesDescription) == ("DMS", "Dermoscopy: Skin of hand")
    assert (dataset.LightSourcePolarization, dataset.ContactMethod) == ("POLARIZED", "CONTACT")
    assert list(dataset.ImmersionMedia) == ["ULTRASOUND_GEL", "PLASTIC_CAP"]
    assert (dataset.OpticalMagnificationFactor, dataset.EmitterColorTemperature) == (10, 5000)


def test_what_nobody_said_of_the_dermatoscope_is_empty_but_there() -> None:
    dataset = wrapped(dermoscopy=Dermoscopy())
    assert [dataset[keyword].is_empty for keyword in IMAGE] == [True, True, True, True, False]
    assert "ImmersionMedia" not in dataset


@pytest.mark.parametrize(
    ("contact", "immersion", "written"),
    [(True, (), ""), (True, ("WATER",), "WATER"), (False, (), None), (None, (), None)],
)
def test_immersion_is_said_of_contact_only(
    contact: bool | None, immersion: tuple[str, ...], written: str | None
) -> None:
    dataset = wrapped(dermoscopy=Dermoscopy(contact=contact, immersion=immersion))
    assert (dataset.get("ImmersionMedia") or "") == (written or "")
    assert ("ImmersionMedia" in dataset) is (written is not None)


def test_a_device_that_says_nothing_of_itself_is_unknown() -> None:
    dataset = wrapped(photos.jpeg(), dermoscopy=GEL)
    assert [dataset[keyword].value for keyword in FILLED] == ["UNKNOWN"] * 4


def test_a_device_that_names_itself_keeps_its_name() -> None:
    dataset = wrapped(dermoscopy=GEL)
    assert [dataset[keyword].value for keyword in FILLED] == ["Acme", photos.EXIF_MODEL, photos.SERIAL, "fw 1.2"]


@pytest.mark.parametrize(("said", "written"), [(None, "YES"), (True, "YES"), (False, "NO")])
def test_only_a_person_can_say_that_nobody_is_recognisable(said: bool | None, written: str) -> None:
    assert wrapped(dermoscopy=GEL, recognisable=said).RecognizableVisualFeatures == written


@pytest.mark.parametrize("keyword", [*FILLED, "RecognizableVisualFeatures"])
def test_a_dermoscopic_object_without_what_the_standard_wants_filled_is_not_written(keyword: str) -> None:
    with pytest.raises(ConformanceError, match=keyword):
        encoded(having(built(dermoscopy=GEL), **{keyword: ""}))


@pytest.mark.parametrize(
    ("data", "dermoscopy"),
    [
        pytest.param(photos.camera_photo(), GEL, id="everything"),
        pytest.param(photos.jpeg(), Dermoscopy(), id="nothing"),
        pytest.param(photos.jpeg(), Dermoscopy(contact=True), id="contact"),
        pytest.param(photos.jpeg(), Dermoscopy(contact=False, polarised=False), id="no contact"),
        pytest.param(saved(photos.picture(), "PNG"), GEL, id="PNG"),
        pytest.param(photos.oriented(6, (60, 43)), GEL, id="turned at a price"),
    ],
)
def test_validators_agree(data: bytes, dermoscopy: Dermoscopy, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    write(built(data, dermoscopy=dermoscopy), path)
    assert complaints(path) == []
    assert is_part_10(path)
    assert shortcomings(path.read_bytes()) == ()


@pytest.mark.parametrize("medium", IMMERSION_MEDIA)
def test_every_medium_can_be_said_in_plain_letters(medium: str, photo: Path, tmp_path: Path) -> None:
    word = medium.lower().replace("_", "-")
    dataset = one(photo, *PATIENT, "--dermoscopy", "--immersion", word, out=tmp_path / "out")
    assert (dataset.ImmersionMedia, dataset.ContactMethod) == (medium, "CONTACT")


def test_the_options_say_how_the_lesion_was_looked_at(photo: Path, tmp_path: Path) -> None:
    said = ("--dermoscopy", "--non-polarised", "--contact", "--immersion", "water,alcohol", "--magnification", "20")
    dataset = one(photo, *PATIENT, *said, "--colour-temperature", "4000", out=tmp_path / "out")
    assert (dataset.SOPClassUID, dataset.LightSourcePolarization) == (SOP_CLASS_UID, "NON_POLARIZED")
    assert list(dataset.ImmersionMedia) == ["WATER", "ALCOHOL"]
    assert (dataset.OpticalMagnificationFactor, dataset.EmitterColorTemperature) == (20, 4000)


def test_dermoscopic_and_plain_pictures_of_a_study_lie_in_series_of_their_own(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", photos.camera_photo())
    rows = [
        run_json(photo, "--out", tmp_path / name, *PATIENT, "--study-uid", "2.25.9", *said)[1][0]
        for name, said in (("plain", ()), ("dermoscopic", ("--dermoscopy",)))
    ]
    assert {each.StudyInstanceUID for each in objects(rows)} == {"2.25.9"}
    assert {each.Modality for each in objects(rows)} == {"XC", "DMS"}


def followed(photo: Path, out: Path, *said: str) -> tuple[str, str]:
    dataset = one(photo, *said, "--laterality", "L", out=out)
    return dataset.TrackingID, dataset.TrackingUID


def test_a_lesion_has_the_same_uid_in_every_picture_of_it(photo: Path, tmp_path: Path) -> None:
    said = ("--patient-id", "P1", "--issuer", "HOSP", "--lesion", "left shin 1")
    first = followed(photo, tmp_path / "2026", *said)
    assert first == followed(photo, tmp_path / "2027", *said, "--dermoscopy", "--patient-name", "New^Name")
    assert first == ("left shin 1", derived_uid("lesion", "HOSP", "P1", "left shin 1"))
    assert is_uid(first[1])


@pytest.mark.parametrize(
    "other",
    [
        ("--patient-id", "P2", "--issuer", "HOSP", "--lesion", "A"),
        ("--patient-id", "P1", "--issuer", "ELSEWHERE", "--lesion", "A"),
        ("--patient-id", "P1", "--issuer", "HOSP", "--lesion", "B"),
    ],
    ids=["another patient", "another issuer", "another lesion"],
)
def test_another_lesion_or_patient_has_another_uid(other: tuple[str, ...], photo: Path, tmp_path: Path) -> None:
    said = ("--patient-id", "P1", "--issuer", "HOSP", "--lesion", "A")
    assert followed(photo, tmp_path / "a", *said)[1] != followed(photo, tmp_path / "b", *other)[1]


def test_a_lesion_of_nobody_is_refused(photo: Path, tmp_path: Path) -> None:
    code, rows = run_json(photo, "--out", tmp_path / "out", "--lesion", "A")
    assert (code, rows, (tmp_path / "out").exists()) == (2, [], False)


@pytest.mark.parametrize("kind", [(), ("--dermoscopy",)], ids=["photograph", "dermoscopic"])
def test_validators_agree_with_a_followed_lesion(kind: tuple[str, ...], photo: Path, tmp_path: Path) -> None:
    one(photo, *PATIENT, *kind, "--lesion", "A", out=tmp_path / "x.dcm")
    assert complaints(tmp_path / "x.dcm") == []


def test_a_dermoscopic_object_carries_its_consent_too(photo: Path, tmp_path: Path) -> None:
    one(photo, *PATIENT, "--dermoscopy", out=tmp_path / "x.dcm")
    assert dcmread(tmp_path / "x.dcm")[GROUP, 0x0010].value == CREATOR
