"""What may be said about a photograph: accepted as it stands in the object, or refused, every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicomwrap.consenttags import read_stamp
from dicomwrap.terms import SECONDARY_USE
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PATIENT, PDF, left_behind, one, put, run
from tests.unit.dicomwrap.objects import CONSENT
from tests.unit.dicomwrap.validators import complaints


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "IMG_1.jpg", photos.camera_photo())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sex", "X"), "--sex"),
        (("--birth-date", "2030-01-01"), "--birth-date"),
        (("--patient-name", "a\\b"), "--patient-name"),
        (("--body-site", "forearm"), "did you mean"),
        (("--laterality", "up"), "--laterality"),
        (("--purpose", "FUN"), "allowed are DIRECT_CARE"),
        (("--operator", "a\\b"), "--operator"),
        (("--study-description", "a\\b"), "--study-description"),
        (("--consent", "nowhere.json"), "can't be read"),
        (("--consent", "{folder}"), "can't be read"),
        (("--consent", "{garbage}"), "line 1, column 1"),
        (("--consent", "{binary}"), "UTF-8"),
        (("--consent", "{unknown}"), "purposes[0]: 'WALLPAPER' is unknown; allowed are DIRECT_CARE"),
        (("--consent", "{consent}", "--patient-id", "P2"), "another patient"),
        (("--consent", "{consent}", "--issuer", "ELSEWHERE"), "another issuer"),
        (("--consent-form", "nowhere.pdf"), "--consent-form: can't be read"),
        (("--consent-form", "{garbage}"), "no whole PDF"),
        (("--consent-form", "{half}"), "no whole PDF"),
        (("--made-for", "fun"), "must be care or secondary"),
        (("--made-for", "care", "--purpose", "TEACHING"), "care doesn't go with --purpose TEACHING"),
        (("--made-for", "secondary", "--purpose", "DIRECT_CARE"), "secondary doesn't go with --purpose DIRECT_CARE"),
        (("--device-class", "COMPANY"), "--device-class: must be one of ORGANISATION"),
        (("--device-class", "PERSONAL"), "--device-reason: a personal device needs one of"),
        (("--device-class", "PERSONAL", "--device-reason", "FUN"), "--device-reason: must be one of URGENT_CARE"),
        (("--device-reason", "URGENT_CARE"), "goes with --device-class PERSONAL only"),
        (("--device-class", "PATIENT", "--device-reason", "URGENT_CARE"), "goes with --device-class PERSONAL only"),
        (("--recognisable", "perhaps"), "--recognisable: must be one of yes"),
        (("--accession", "x" * 17), "--accession: must not be longer than 16"),
        (("--admission-id", "x" * 65), "--admission-id: must not be longer than 64"),
        (("--institution", "a\\b"), "--institution"),
        (("--referrer", "a=b=c=d"), "--referrer"),
        (("--study-uid", "1.02.3"), "--study-uid: is no UID"),
        (("--study-uid", "1" * 65), "--study-uid: is no UID"),
        (("--manufacturer", "x" * 65), "--manufacturer"),
        (("--exif-orientation", "9"), "--exif-orientation: must be 1"),
        (("--orientation", "sideways"), "--orientation"),
        (("--polarised",), "--dermoscopy: is needed"),
        (("--dermoscopy", "--immersion", "BEER"), "--immersion: must be of ULTRASOUND_GEL"),
        (("--dermoscopy", "--non-contact", "--immersion", "WATER"), "--immersion: goes with contact only"),
        (("--dermoscopy", "--magnification", "big"), "--magnification: must be a positive number"),
        (("--dermoscopy", "--magnification", "-1"), "--magnification: must be a positive number"),
        (("--dermoscopy", "--magnification", "nan"), "--magnification: must be a positive number"),
        (("--dermoscopy", "--colour-temperature", "inf"), "--colour-temperature: must be a positive number"),
        (("--stamp-key", "nowhere"), "--stamp-key: can't be read"),
        (("--stamp-key", "{garbage}"), "--stamp-key: needs 16 bytes"),
        (("--jobs", "0"), "--jobs"),
        (("--max-megapixels", "0"), "--max-megapixels"),
        (("--manifest", "{garbage}"), "name none besides"),
        (("--nonsense",), "No such option"),
        (("--out", "{garbage}"), "name a folder"),
    ],
)
def test_a_wrong_call_writes_nothing_and_names_the_fault(
    arguments: tuple[str, ...], words: str, photo: Path, tmp_path: Path
) -> None:
    places = {
        "folder": tmp_path,
        "garbage": put(tmp_path / "garbage", "not json"),
        "binary": put(tmp_path / "binary", b"\xff\xfe\0"),
        "unknown": put(tmp_path / "unknown", CONSENT.replace("DIRECT_CARE", "WALLPAPER")),
        "consent": put(tmp_path / "consent", CONSENT),
        "half": put(tmp_path / "half", PDF[:-8]),
    }
    result = run(photo, "--out", tmp_path / "out", *PATIENT, *(each.format(**places) for each in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_all_faults_of_a_call_are_named_at_once(tmp_path: Path) -> None:
    wrong = {
        "--sex": "X", "--laterality": "up", "--purpose": "FUN", "--consent": "no", "--consent-form": "no",
        "--recognisable": "?", "--accession": "x" * 17, "--study-uid": "x", "--exif-orientation": "0",
        "--body-site": "moon", "--immersion": "BEER", "--referrer": "a\\b", "--institution": "a\\b",
    }  # fmt: skip
    result = run("--out", tmp_path / "out", *(each for pair in wrong.items() for each in pair))
    assert result.exit_code == 2
    assert [option for option in (*wrong, "PHOTO") if option not in result.stderr] == []
    assert left_behind(tmp_path) == []


def test_a_fault_of_the_patient_is_not_told_as_a_fault_of_the_lesion(photo: Path, tmp_path: Path) -> None:
    result = run(photo, "--out", tmp_path / "out", "--patient-id", "P1", "--lesion", "A", "--birth-date", "never")
    assert "--birth-date" in result.stderr
    assert "--lesion" not in result.stderr


ENCOUNTER = {
    "accession": ("A-1", "AccessionNumber", "A-1"),
    "admission-id": ("V-9", "AdmissionID", "V-9"),
    "institution": ("St Elsewhere", "InstitutionName", "St Elsewhere"),
    "department": ("Haut & Haare", "InstitutionalDepartmentName", "Haut & Haare"),
    "service": ("Dermatology", "RequestingService", "Dermatology"),
    "reason": ("mole has changed", "ReasonForVisit", "mole has changed"),
    "referrer": ("Grün^Zoë", "ReferringPhysicianName", "Grün^Zoë"),
    "operator": ("Lee", "OperatorsName", "Lee^"),
    "study-description": ("follow-up", "StudyDescription", "follow-up"),
    "study-uid": ("2.25.77", "StudyInstanceUID", "2.25.77"),
    "manufacturer": ("Other", "Manufacturer", "Other"),
    "model": ("X", "ManufacturerModelName", "X"),
    "serial-number": ("S-1", "DeviceSerialNumber", "S-1"),
    "software": ("9.9", "SoftwareVersions", "9.9"),
    "recognisable": ("no", "RecognizableVisualFeatures", "NO"),
}


@pytest.mark.parametrize(("option", "said", "keyword", "written"), [(name, *row) for name, row in ENCOUNTER.items()])
def test_what_is_said_of_the_visit_stands_in_the_object(
    option: str, said: str, keyword: str, written: str, photo: Path, tmp_path: Path
) -> None:
    assert one(photo, *PATIENT, f"--{option}", said, out=tmp_path / "out")[keyword].value == written


def test_an_admission_s_issuer_stands_in_an_item_of_its_own(photo: Path, tmp_path: Path) -> None:
    said = ("--admission-id", "V-9", "--admission-issuer", "HOSP")
    dataset = one(photo, *PATIENT, *said, out=tmp_path / "out")
    assert dataset.IssuerOfAdmissionIDSequence[0].LocalNamespaceEntityID == "HOSP"


def test_nothing_is_borrowed_for_a_visit_without_an_order(photo: Path, tmp_path: Path) -> None:
    dataset = one(photo, *PATIENT, out=tmp_path / "out")
    assert (dataset.AccessionNumber, dataset.ReferringPhysicianName) == ("", "")
    absent = ("AdmissionID", "RequestAttributesSequence", "IssuerOfAdmissionIDSequence", "ReasonForVisit")
    assert [keyword for keyword in absent if keyword in dataset] == []


def test_a_validator_agrees_with_a_visit_that_says_everything(photo: Path, tmp_path: Path) -> None:
    said = [word for option, (text, *_) in ENCOUNTER.items() for word in (f"--{option}", text)]
    one(photo, *PATIENT, *said, "--admission-issuer", "H", out=tmp_path / "x.dcm")
    assert complaints(tmp_path / "x.dcm") == []


def stamped(dataset: Dataset) -> tuple[str, str, str]:
    stamp = read_stamp(dataset)
    assert stamp is not None
    return stamp.capture_purpose, stamp.device_class, stamp.device_reason


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((), ("TREAT", "", "")),
        (("--purpose", "TEACHING"), ("TRAIN", "", "")),
        (("--made-for", "care"), ("TREAT", "", "")),
        (("--made-for", "secondary", "--purpose", "TEACHING"), ("TRAIN", "", "")),
        (("--made-for", "Care", "--purpose", "direct_care"), ("TREAT", "", "")),
        (("--device-class", "ORGANISATION"), ("TREAT", "ORGANISATION", "")),
        (("--device-class", "patient"), ("TREAT", "PATIENT", "")),
        (("--device-class", "PERSONAL", "--device-reason", "urgent_care"), ("TREAT", "PERSONAL", "URGENT_CARE")),
    ],
)
def test_purpose_and_device_stand_in_the_stamp(
    arguments: tuple[str, ...], written: tuple[str, str, str], photo: Path, tmp_path: Path
) -> None:
    assert stamped(one(photo, *PATIENT, *arguments, out=tmp_path / "out")) == written


def test_a_secondary_picture_without_a_purpose_is_not_written_as_care(photo: Path, tmp_path: Path) -> None:
    purpose, _, _ = stamped(one(photo, *PATIENT, "--made-for", "secondary", out=tmp_path / "out"))
    assert purpose not in ("", "TREAT")


@pytest.mark.parametrize(
    ("arguments", "warning"),
    [
        (("--made-for", "secondary"), "needs explicit consent to that purpose"),
        (("--purpose", "PUBLICATION"), "needs explicit consent to that purpose"),
        (
            ("--device-class", "PERSONAL", "--device-reason", "URGENT_CARE", "--body-site", "Skin of buttock"),
            "must not be taken with a personal device",
        ),
    ],
)
def test_what_needs_a_second_thought_is_told(
    arguments: tuple[str, ...], warning: str, photo: Path, tmp_path: Path
) -> None:
    result = run(photo, "--out", tmp_path / "out", *PATIENT, *arguments)
    assert result.exit_code == 0
    assert warning in result.stderr


def test_teaching_that_the_patient_agreed_to_needs_no_second_thought(photo: Path, tmp_path: Path) -> None:
    consent = put(tmp_path / "c.json", CONSENT)
    result = run(photo, "--out", tmp_path / "out", *PATIENT, "--consent", consent, "--purpose", "TEACHING")
    assert "explicit consent" not in result.stderr


def test_a_picture_made_for_secondary_use_says_so_though_nobody_says_for_which(tmp_path: Path) -> None:
    dataset = one(put(tmp_path / "a.jpg", photos.jpeg()), "--made-for", "secondary", out=tmp_path / "out")
    stamp = read_stamp(dataset)
    assert stamp is not None
    assert stamp.capture_purpose == SECONDARY_USE
