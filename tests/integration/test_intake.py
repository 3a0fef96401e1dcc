"""The way in, with what goes wrong there: nothing is released, and nothing is lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from demo.consents import PEOPLE, consent_file
from demo.photographs import SUBJECTS, photograph
from tests.integration.archive import Archive, today


def held(archive: Archive) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(archive.server.consentgate("quarantine", "list", "--json").stdout)
    return found


def reasons(archive: Archive, sop_instance_uid: str) -> list[str]:
    return [
        str(reason).partition(":")[0]
        for each in held(archive)
        if each["sop_instance_uid"] == sop_instance_uid
        for reason in each["reasons"]  # type: ignore[attr-defined]
    ]


def changed(archive: Archive, letter: str, path: Path, **values: object) -> str:
    """Write the patient's object anew, with other values and a UID of its own; return the UID."""
    dataset = pydicom.dcmread(archive.wrapped(letter).file)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.SOPInstanceUID)


def test_orthanc_names_an_instance_as_the_registry_foresaw(archive: Archive) -> None:
    """A study's doors are resolved by these identifiers, so they must be Orthanc's own."""
    with sqlite3.connect(archive.server.folder / "registry.db") as registry:
        row = registry.execute(
            "SELECT orthanc_instance, orthanc_series, orthanc_study, orthanc_patient FROM images "
            "WHERE sop_instance_uid = ?",
            (archive.wrapped("A").sop_instance_uid,),
        ).fetchone()
    for level, identifier in zip(("instances", "series", "studies", "patients"), row, strict=True):
        answer = archive.server.ask("GET", f"/{level}/{identifier}", "derm").json()
        assert answer["ID"] == identifier


WRONG_DETAILS = (
    ({"PatientBirthDate": "19000101"}, "IDENTITY_MISMATCH"),
    ({"PatientID": "DEMO-1002"}, "CONSENT_OF_ANOTHER_PATIENT"),
    ({"PatientID": ""}, "IDENTITY_MISSING"),
    ({"PatientID": " DEMO-1001"}, "IDENTITY_AMBIGUOUS"),
    ({"PatientID": "DEMO-1001\\DEMO-1002"}, "IDENTITY_AMBIGUOUS"),
    ({"PatientBirthDate": "3 Feb 57"}, "IDENTITY_UNREADABLE"),
    ({"Rows": 7}, "HEADER_CONTRADICTS_BITSTREAM"),
)


@pytest.mark.parametrize(("values", "reason"), WRONG_DETAILS, ids=[str(values) for values, _ in WRONG_DETAILS])
def test_a_photograph_with_wrong_details_is_kept_and_not_filed(
    archive: Archive, tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    uid = changed(archive, "A", tmp_path / "wrong.dcm", **values)
    assert archive.journey.camera.push(tmp_path / "wrong.dcm") == 0
    assert reason in reasons(archive, uid)
    answer = archive.server.ask("GET", f"/wado?requestType=WADO&objectUID={uid}", "derm")
    assert answer.status_code == 403


def test_a_retry_of_the_sender_is_kept_once(archive: Archive) -> None:
    made = archive.wrapped("C")
    before = len(held(archive))
    assert archive.journey.camera.push(made.file) == 0
    assert archive.journey.camera.push(made.file) == 0
    assert len(held(archive)) == before


def test_the_spool_is_for_its_owner_alone_and_encrypted(archive: Archive) -> None:
    spool = archive.server.folder / "quarantine"
    assert spool.stat().st_mode & 0o077 == 0
    files = list(spool.iterdir())
    assert files
    for file in files:
        assert file.stat().st_mode & 0o077 == 0
        content = file.read_bytes()
        assert b"DICM" not in content[:200]
        assert b"Cedarholm" not in content


def test_metadata_a_vendor_hid_in_the_stream_is_taken_out_on_the_way_in(archive: Archive, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(archive.wrapped("A").file)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
    raw = photograph(SUBJECTS[0], today())
    assert b"WGS-84" in raw
    dataset.PixelData = encapsulate([raw])
    dataset.save_as(tmp_path / "vendor.dcm", enforce_file_format=True)
    assert archive.journey.camera.push(tmp_path / "vendor.dcm") == 0
    study, series = dataset.StudyInstanceUID, dataset.SeriesInstanceUID
    path = f"/dicom-web/studies/{study}/series/{series}/instances/{dataset.SOPInstanceUID}"
    accept = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    answer = archive.server.ask("GET", path, "derm", headers=accept)
    assert answer.status_code == 200
    assert b"WGS-84" not in answer.content
    assert b"Exif" not in answer.content
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    assert frame[-64:-2] in answer.content  # the end of the entropy-coded data is as it was


@pytest.mark.parametrize("content", [b"", b"not DICOM at all", b"\0" * 128 + b"DICM" + b"\xff" * 400])
def test_bytes_that_are_no_object_are_refused_and_nothing_is_stored(archive: Archive, content: bytes) -> None:
    before = archive.server.ask("GET", "/series", "derm").json()
    answer = archive.server.ask("POST", "/instances", "uploader", content=content)
    assert answer.status_code in (400, 500)
    assert archive.server.ask("GET", "/series", "derm").json() == before


def test_an_upload_by_http_is_examined_like_any_other(archive: Archive) -> None:
    made = archive.wrapped("C")
    answer = archive.server.ask("POST", "/instances", "uploader", content=made.file.read_bytes())
    assert answer.status_code == 200
    assert answer.json()["ID"] == ""
    assert archive.server.ask("POST", "/instances", "derm", content=made.file.read_bytes()).status_code == 403


def test_what_is_released_from_quarantine_is_asked_about_again(own_archive: Archive, tmp_path: Path) -> None:
    archive, made = own_archive, own_archive.wrapped("C")
    row = next(each for each in held(archive) if each["sop_instance_uid"] == made.sop_instance_uid)
    quarantine_id = str(row["quarantine_id"])
    refused = archive.server.consentgate("quarantine", "release", quarantine_id, "--by", "officer")
    assert refused.returncode == 1
    assert "CONSENT_MISSING" in refused.stdout
    consent = "urn:uuid:5d4cf3a6-6a0b-4f6c-9a53-0d7a8f3c1a03"
    record = json.loads(consent_file(PEOPLE[0], tmp_path, today()).read_text())
    record |= {"id": consent, "patient_id": made.person.patient_id}
    (tmp_path / "late.json").write_text(json.dumps(record))
    added = archive.server.consentgate("consent", "add", str(tmp_path / "late.json"), "--by", "officer")
    assert added.returncode == 0, added.stderr
    released = archive.server.consentgate(
        "quarantine", "release", quarantine_id, "--consent", consent, "--by", "officer", "--json"
    )
    assert json.loads(released.stdout) == {"released": True}
    assert archive.journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) == 0
    assert held(archive) == []
    left = [each.name for each in (archive.server.folder / "quarantine").iterdir()]
    assert left == [".archive"]  # which archive it is; no object


def test_a_spool_that_can_take_nothing_makes_the_sender_keep_the_photograph(
    own_archive: Archive, tmp_path: Path
) -> None:
    archive = own_archive
    spool = archive.server.folder / "quarantine"
    spool.rename(tmp_path / "moved")
    spool.write_text("a file where the folder should be")
    uid = changed(archive, "C", tmp_path / "another.dcm")
    assert archive.journey.camera.push(tmp_path / "another.dcm") != 0
    assert reasons(archive, uid) == []
    content = (tmp_path / "another.dcm").read_bytes()
    assert archive.server.ask("POST", "/instances", "uploader", content=content).status_code == 500
    assert [entry["rules"] for entry in archive.server.audit(20) if entry["rules"]][-1] == ["INTAKE_REFUSED"]
    assert archive.journey.camera.push(archive.wrapped("A").file) == 0


def test_a_registry_that_can_not_be_written_shuts_every_door_until_it_can(own_archive: Archive) -> None:
    archive, made = own_archive, own_archive.wrapped("A")
    file = f"/instances/{made.orthanc_instance}/file"
    with sqlite3.connect(archive.server.folder / "registry.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # held for longer than the registry waits for its turn
        assert archive.server.ask("GET", file, "derm").status_code == 403
        assert archive.journey.camera.push(made.file) != 0
        other.execute("ROLLBACK")
    assert archive.server.ask("GET", file, "derm").status_code == 200
    assert archive.journey.camera.push(made.file) == 0
