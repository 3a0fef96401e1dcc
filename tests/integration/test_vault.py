"""Copies with attributes locked into them leave a running Orthanc, are opened by two people, and don't add up."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from demo.journey import Journey
from demo.peers import wait_until
from demo.server import Server
from tests.fakes.custodians import Custodian, certificate, custodian
from tests.fakes.world import START
from tests.integration.archive import today
from tests.integration.doorways import configured

MOST = 2
STUDY = """
[profiles.study]
extends = "teaching"
pseudonym_domain = "study"
custodians = ["records"]
[[users]]
name = "dr-a"
person = "Dr A"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "guardian"
person = "Caldicott Guardian"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
REASON = ("--reason", "The study found something that the patient must be told.")


@contextmanager
def filled(folder: Path) -> Iterator[tuple[Server, Journey, Custodian]]:
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    records = custodian(folder)
    policy, settings = server.folder / "policy.toml", server.folder / "settings.toml"
    few = policy.read_text().replace("\nreleases = 5 ", f"\nreleases = {MOST} ")
    policy.write_text(few.replace('profile = "teaching"', 'profile = "study"') + STUDY)
    settings.write_text(f'{settings.read_text()}\n[custodians]\nrecords = "{records.certificate}"\n')
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        journey.push()
        yield server, journey, records
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Journey, Custodian]]:
    with filled(tmp_path_factory.mktemp("vault")) as running:
        yield running


def done(server: Server, *arguments: str | Path, code: int = 0) -> str:
    said = server.consentgate(*map(str, arguments))
    assert said.returncode == code, said.stderr + said.stdout
    return said.stdout if code == 0 else said.stderr


def confirmed(server: Server, journey: Journey, study: str) -> str:
    """File another picture of B's, have somebody confirm it, and return its UID."""
    dataset = pydicom.dcmread(journey.wrapped["B"].file)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, generate_uid(prefix=None)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    assert server.ask("POST", "/instances", "uploader", content=content.getvalue()).status_code == 200
    done(server, "review", "confirm", str(dataset.SOPInstanceUID), "--nothing-identifying", "--by", "Reviewer One")
    return str(dataset.SOPInstanceUID)


def moved(journey: Journey, study: str, count: int = 1) -> list[Dataset]:
    """Ask for one of B's studies for the teaching archive; return what arrives."""
    if journey.teaching.move("TEACHING", StudyInstanceUID=study) != 0:
        return []
    assert wait_until(lambda: len(journey.at_teaching.received) >= count, 10)
    return journey.at_teaching.take()


def open_tasks(server: Server) -> list[dict[str, str]]:
    return [task for task in json.loads(done(server, "task", "list", "--json")) if task["kind"] == "LINKAGE_REVIEW"]


def test_locked_copies_leave_and_are_opened_and_stop_when_they_add_up(
    study: tuple[Server, Journey, Custodian], tmp_path: Path
) -> None:
    server, journey, records = study
    studies = [str(generate_uid(prefix=None)) for _ in range(MOST + 1)]
    uids = [confirmed(server, journey, study) for study in studies]
    person = journey.wrapped["B"].person

    (first,) = moved(journey, studies[0])
    copy = tmp_path / "copy.dcm"
    first.save_as(copy, enforce_file_format=True)
    assert person.patient_id.encode() not in copy.read_bytes()
    asked = json.loads(done(server, "reidentify", "request", copy, *REASON, "--by", "Dr A", "--json"))["opening_id"]
    done(server, "reidentify", "approve", asked, "--by", "dr  a", code=1)
    done(server, "reidentify", "approve", asked, "--by", "Caldicott Guardian")
    out = tmp_path / "restored.dcm"
    done(server, "reidentify", "open", asked, copy, "--key", records.key, "--out", out, "--by", "Dr A")
    restored = pydicom.dcmread(out)
    assert (restored.PatientID, str(restored.PatientName)) == (person.patient_id, person.name)
    assert restored.SOPInstanceUID == uids[0]

    assert len(moved(journey, studies[1])) == 1
    assert moved(journey, studies[2]) == []
    confirmed(server, journey, studies[0])
    assert len(moved(journey, studies[0], 2)) == 2  # of a study that is out already
    (task,) = open_tasks(server)
    done(server, "linkage", "permit", task["task_id"], "--note", "Hands only.", "--by", "teaching", code=1)
    done(server, "linkage", "permit", task["task_id"], "--note", "Hands only.", "--by", "Caldicott Guardian")
    assert open_tasks(server) == []
    assert len(moved(journey, studies[2])) == 1

    records.certificate.write_bytes(certificate("records", until=START - timedelta(days=900)))
    assert moved(journey, studies[0]) == []
    reasons = [reason for entry in server.audit(5) for reason in entry["reasons"]]  # type: ignore[attr-defined]
    assert "The certificate of custodian records has expired." in reasons
    assert json.loads(done(server, "audit", "verify", "--json"))["whole"] is True
