"""A real Orthanc in which every photograph waits for the patient: approved, unanswered, taken back, stopped; emergency
access over HTTP; pictures from before Consentgate.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from demo.journey import Journey, Wrapped
from demo.server import ROOT, Server
from tests.fakes import commands
from tests.integration.archive import ports, today

REGISTRAR = """
[[users]]
name = "registrar"
roles = ["view", "break-glass"]
purpose = "TEACHING"
audience = "TRUST_CLINICIAN"
"""
REASON = "Unconscious in resus, is the wound the old one?"


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """The archive, and photographs that were wrapped and not sent yet."""

    server: Server
    journey: Journey
    work: Path

    @property
    def made(self) -> Wrapped:
        return self.journey.wrapped["A"]

    def pushed(self, name: str, **values: str) -> str:
        """Send a photograph of its own to the archive; return its SOP Instance UID."""
        dataset = pydicom.dcmread(self.made.file)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        path = self.work / f"{name}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        assert self.journey.camera.push(path) == 0
        return str(dataset.SOPInstanceUID)

    def run(self, *arguments: str, code: int = 0) -> dict[str, object]:
        done = self.server.consentgate(*arguments, "--json")
        assert done.returncode == code, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def held(self, uid: str) -> dict[str, str]:
        listed = json.loads(self.server.consentgate("quarantine", "list", "--all", "--json").stdout)
        (found,) = (each for each in listed if each["sop_instance_uid"] == uid)
        return dict(found)

    def seen(self, uid: str, account: str = "derm") -> int:
        path = f"/wado?requestType=WADO&objectUID={uid}&contentType=application/dicom"
        return self.server.ask("GET", path, account).status_code

    def filed(self, name: str) -> str:
        """Have a photograph approved and filed; return its SOP Instance UID."""
        uid = self.pushed(name)
        answer = self.run("approval", "approve", self.held(uid)["quarantine_id"], "--by", "nurse")
        assert answer == {"approved": True, "filed": True}
        return uid

    def behind(self, statement: str, *values: str) -> None:
        """Do something to the registry that only the clock or a crash would do."""
        with sqlite3.connect(self.server.folder / "registry.db") as registry:
            assert registry.execute(statement, values).rowcount == 1
        registry.close()

    @property
    def spool(self) -> list[str]:
        return [file.name for file in (self.server.folder / "quarantine").iterdir()]


def configured(folder: Path) -> Server:
    """Write the demonstration's configuration, then have photographs wait and a registrar break the glass."""
    server = Server(folder=folder, ports=ports(), run=commands.run)
    used = server.ports
    numbers = {"http": used.http, "dicom": used.dicom, "camera": used.camera, "workstation": used.workstation}
    options = [part for name, port in numbers.items() for part in (f"--{name}-port", str(port))]
    script = str(ROOT / "docker" / "consent_gate.py")
    teaching = ("--teaching-port", str(used.teaching))
    commands.checked([commands.PROGRAM, "init", str(folder), "--script", script, *options, *teaching])
    policy, orthanc = folder / "policy.toml", folder / "orthanc.json"
    text = policy.read_text().replace('before_filing = "never"', 'before_filing = "every"')
    policy.write_text(text.replace("\n[profiles.teaching]", f"{REGISTRAR}\n[profiles.teaching]"))
    orthanc.write_text(orthanc.read_text().replace('"derm":', '"registrar": "a password of the test",\n    "derm":'))
    return server


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        yield Clinic(server=server, journey=journey, work=work)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


def test_a_photograph_is_seen_by_nobody_until_the_patient_approves_it(clinic: Clinic) -> None:
    uid = clinic.pushed("approved")
    held = clinic.held(uid)
    assert (held["status"], clinic.seen(uid)) == ("AWAITING_PATIENT_APPROVAL", 403)
    assert clinic.run("approval", "approve", held["quarantine_id"], "--by", "nurse")["filed"] is True
    assert (clinic.held(uid)["status"], clinic.seen(uid)) == ("RELEASED", 200)
    assert held["spool_name"] not in clinic.spool


def test_when_its_window_ends_unanswered_a_photograph_is_filed(clinic: Clinic) -> None:
    uid = clinic.pushed("unanswered")
    quarantine_id = clinic.held(uid)["quarantine_id"]
    assert clinic.run("approval", "sweep") == {"filed": [], "still": []}
    clinic.behind(
        "UPDATE quarantine SET approve_by = ? WHERE quarantine_id = ?", "2026-01-01T00:00:00+00:00", quarantine_id
    )
    assert clinic.run("approval", "sweep") == {"filed": [quarantine_id], "still": []}
    assert clinic.seen(uid) == 200


def test_what_the_patient_takes_back_is_gone_and_a_retry_is_refused(clinic: Clinic) -> None:
    uid = clinic.pushed("withdrawn")
    held = clinic.held(uid)
    assert clinic.run("approval", "withdraw", held["quarantine_id"], "--by", "nurse") == {"deleted": uid}
    assert held["spool_name"] not in clinic.spool
    assert clinic.journey.camera.push(clinic.work / "withdrawn.dcm") != 0
    assert (clinic.held(uid)["status"], clinic.seen(uid)) == ("DELETED", 403)


def test_after_a_stop_the_camera_is_told_no_and_nothing_unfiled_is_left(clinic: Clinic) -> None:
    study = pydicom.uid.generate_uid(prefix=None)
    uid = clinic.pushed("stopped", StudyInstanceUID=study)
    name = clinic.held(uid)["spool_name"]
    done = clinic.run("capture", "stop", study, "--kind", "DISTRESS", "--reason", "The child cried.", "--by", "nurse")
    assert (done["deleted"], done["filed"], name in clinic.spool) == ([uid], [], False)
    dataset = pydicom.dcmread(clinic.work / "stopped.dcm")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
    dataset.save_as(clinic.work / "late.dcm", enforce_file_format=True)
    assert clinic.journey.camera.push(clinic.work / "late.dcm") != 0
    answer = clinic.server.ask("POST", "/instances", "uploader", content=(clinic.work / "late.dcm").read_bytes())
    assert answer.status_code == 500
    assert clinic.seen(str(dataset.SOPInstanceUID)) == 403


def test_emergency_access_opens_the_door_for_as_long_as_it_lasts(clinic: Clinic) -> None:
    uid = clinic.filed("emergency")
    assert clinic.seen(uid, "registrar") == 403
    whose = ("--account", "registrar", "--patient-id", clinic.made.person.patient_id)
    given = clinic.run("break-glass", "grant", *whose, "--reason", REASON, "--by", "registrar")
    assert clinic.seen(uid, "registrar") == 200
    assert clinic.seen(uid, "teacher") == 403
    entry = next(each for each in reversed(clinic.server.audit(20)) if each["actor"] == "registrar" and each["effect"])
    assert (entry["effect"], entry["purpose"]) == ("PERMIT_IDENTIFIABLE", "EMERGENCY_CARE")
    clinic.run("break-glass", "end", str(given["grant_id"]), "--by", "registrar")
    assert clinic.seen(uid, "registrar") == 403


def test_what_was_there_before_is_usable_for_care_once_somebody_answers_for_it(clinic: Clinic) -> None:
    uid = clinic.filed("legacy")
    clinic.server.stop()
    clinic.behind("DELETE FROM images WHERE sop_instance_uid = ?", uid)
    clinic.server.start()
    assert clinic.seen(uid) == 403
    adopt = ("legacy", "adopt", "--all", "--reason", "Photographs of 2019", "--by", "records-lead")
    assert clinic.run(*adopt)["adopted"] == []  # it came through Consentgate, so it is not from before
    clinic.behind("DELETE FROM quarantine WHERE sop_instance_uid = ?", uid)
    assert clinic.run(*adopt)["adopted"] == []  # it appeared after the first start, so it isn't either
    clinic.behind("UPDATE images SET received_at = '2020-01-01T00:00:00+00:00' WHERE sop_instance_uid = ?", uid)
    report = clinic.run(*adopt)
    assert (report["adopted"], report["left"]) == ([uid], 0)
    assert clinic.seen(uid) == 200
    assert clinic.seen(uid, "teacher") == 403


def test_the_trail_of_all_this_is_whole(clinic: Clinic) -> None:
    assert clinic.run("audit", "verify")["whole"] is True
