"""Patient and visit taken from what ``dicomwrap worklist --out`` wrote."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from dicomwrap.cli.details import FIELDS
from dicomwrap.worklist import WorklistItem, written
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import one, put, run
from tests.unit.dicomwrap.validators import complaints

ITEM = WorklistItem(
    patient_id="P1", issuer="HOSP", patient_name="Müller^Zoë", birth_date="1980-06-15", sex="F", accession="A1",
    study_uid="2.25.77", admission_id="V1", admission_issuer="ADT", institution="St Elsewhere", department="Skin",
    requested_procedure_id="RP1", requested_procedure="Photograph", scheduled_step_id="S1", scheduled_step="Take it",
    scheduled_at="2026-11-22T09:30", station_aet="CAM", referring_physician="Grün^Max", reason="mole",
    operator="Lee^Ann",
)  # fmt: skip
OTHER = WorklistItem(patient_id="P2", patient_name="Roe^James")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "a.jpg", photos.camera_photo())


def worklist(folder: Path, *items: WorklistItem) -> Path:
    return put(folder / "worklist.json", written(items))


def test_the_object_says_what_the_entry_says(photo: Path, tmp_path: Path) -> None:
    dataset = one(photo, "--from-worklist", worklist(tmp_path, ITEM), "--laterality", "L", out=tmp_path / "x.dcm")
    assert (dataset.PatientID, dataset.IssuerOfPatientID, dataset.PatientName) == ("P1", "HOSP", "Müller^Zoë")
    assert (dataset.PatientBirthDate, dataset.PatientSex) == ("19800615", "F")
    assert (dataset.StudyInstanceUID, dataset.AccessionNumber) == ("2.25.77", "A1")
    assert (dataset.AdmissionID, dataset.IssuerOfAdmissionIDSequence[0].LocalNamespaceEntityID) == ("V1", "ADT")
    assert (dataset.InstitutionName, dataset.InstitutionalDepartmentName) == ("St Elsewhere", "Skin")
    assert (dataset.ReferringPhysicianName, dataset.OperatorsName, dataset.ReasonForVisit) == (
        "Grün^Max",
        "Lee^Ann",
        "mole",
    )
    (request,) = dataset.RequestAttributesSequence
    assert (request.RequestedProcedureID, request.RequestedProcedureDescription) == ("RP1", "Photograph")
    assert (request.ScheduledProcedureStepID, request.ScheduledProcedureStepDescription) == ("S1", "Take it")
    assert complaints(tmp_path / "x.dcm") == []


def test_an_entry_that_says_little_is_enough(photo: Path, tmp_path: Path) -> None:
    dataset = one(photo, "--from-worklist", worklist(tmp_path, OTHER), out=tmp_path / "out")
    assert (dataset.PatientID, dataset.PatientName, dataset.AccessionNumber) == ("P2", "Roe^James", "")
    assert "RequestAttributesSequence" not in dataset


@pytest.mark.parametrize(("number", "patient"), [("1", "P1"), ("2", "P2")])
def test_one_of_several_entries_is_chosen_by_its_number(number: str, patient: str, photo: Path, tmp_path: Path) -> None:
    path = worklist(tmp_path, ITEM, OTHER)
    assert one(photo, "--from-worklist", path, "--item", number, out=tmp_path / "out").PatientID == patient


def test_an_option_adds_what_the_entry_does_not_say(photo: Path, tmp_path: Path) -> None:
    said = ("--institution", "Elsewhere", "--patient-id", "P2", "--patient-name", "Roe^James")
    dataset = one(photo, "--from-worklist", worklist(tmp_path, OTHER), *said, out=tmp_path / "out")
    assert (dataset.InstitutionName, dataset.PatientName) == ("Elsewhere", "Roe^James")


@pytest.mark.parametrize(
    ("items", "said", "words"),
    [
        ((ITEM,), ("--patient-id", "P2"), "--patient-id: is another than the worklist entry's"),
        ((ITEM,), ("--issuer", "ELSEWHERE"), "--issuer: is another than the worklist entry's"),
        ((ITEM, OTHER), (), "Choose one of them by its number"),
        ((ITEM, OTHER), ("--item", "3"), "Choose a number from 1 to 2"),
        ((ITEM,), ("--item", "0"), "Choose a number from 1 to 1"),
        ((), (), "has no item"),
        ((replace(ITEM, study_uid="1.02"),), (), "--study-uid: is no UID"),
    ],
    ids=["another patient", "another issuer", "several", "too high", "zero", "none", "no UID"],
)
def test_a_worklist_that_does_not_fit_is_refused(
    items: tuple[WorklistItem, ...], said: tuple[str, ...], words: str, photo: Path, tmp_path: Path
) -> None:
    result = run(photo, "--out", tmp_path / "out", "--from-worklist", worklist(tmp_path, *items), *said)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not any(secret in result.stderr for secret in ("Müller", "Roe", "1980"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "--from-worklist: can't be read"),
        (b"\xff\xfe", "UTF-8"),
        (b"not json", "isn't JSON"),
        (b"[]", "no list"),
        (b'{"items": [{"shoe_size": "9"}]}', "unknown fields"),
    ],
)
def test_a_file_that_is_no_worklist_is_refused(data: bytes | None, words: str, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "worklist.json"
    if data is not None:
        put(path, data)
    result = run(photo, "--out", tmp_path / "out", "--from-worklist", path)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_long_reason_of_the_worklist_does_not_hinder_the_photograph(photo: Path, tmp_path: Path) -> None:
    long = "a mole on the left hand that the patient says has changed its colour within the last four weeks"
    path = worklist(tmp_path, replace(ITEM, reason=long))
    assert one(photo, "--from-worklist", path, out=tmp_path / "out").ReasonForVisit == long


def test_every_field_of_an_entry_has_its_detail_or_is_for_people_to_choose_by() -> None:
    from dicomwrap.cli.worklistdetails import _FIELDS

    names = {field.name for field in fields(WorklistItem)}
    assert names - set(_FIELDS) == {"scheduled_at", "station_aet"}
    assert set(_FIELDS.values()) <= FIELDS


@pytest.mark.parametrize(
    "said",
    [
        ("--patient-name", "Somebody^Else"),
        ("--birth-date", "1990-01-01"),
        ("--study-uid", "2.25.78"),
        ("--accession", "A2"),
    ],
)
def test_what_contradicts_the_entry_is_refused(said: tuple[str, str], photo: Path, tmp_path: Path) -> None:
    result = run(photo, "--from-worklist", worklist(tmp_path, ITEM), *said, "--out", tmp_path / "out")
    assert (result.exit_code, f"{said[0]}: is another than the worklist entry's" in result.output) == (2, True)


def test_an_entry_without_a_number_takes_none_from_the_options(photo: Path, tmp_path: Path) -> None:
    nameless = worklist(tmp_path, WorklistItem(patient_name="Roe^James"))
    result = run(photo, "--from-worklist", nameless, "--patient-id", "5", "--out", tmp_path / "out")
    assert result.exit_code == 2
