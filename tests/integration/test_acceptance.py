"""The acceptance tests of disposition (requirements 4, (a) to (j)) on a real Orthanc, its registry in PostgreSQL.

One archive goes through them all. ``CONSENTGATE_ACCEPTANCE=sqlite`` has the registry in SQLite instead. On SQLite
``test_disposition`` goes further into (d) to (g); what is behind each is tried in ``tests/registry``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pydicom
import pytest
from pydicom.uid import generate_uid

from demo.consents import CARE, Person
from demo.peers import wait_until
from orthanc_plugin.registry.images import orthanc_id
from orthanc_plugin.retention.execution import AT_ONCE
from tests.fakes import postgres
from tests.integration.archive import Archive, started
from tests.integration.destroying import (
    FACTS,
    SECONDS,
    destroyed,
    itself,
    told,
    verified_offline,
)
from tests.integration.striking import killed_at_deletion

VARIABLE = "CONSENTGATE_REGISTRY_DATABASE"
TWO_ACCOUNTS = """
[[disposition.officers]]
person = "records clerk"
accounts = ["clerk", "clerk-admin"]
may = ["propose", "decide", "approve", "execute"]
[[disposition.officers]]
person = "guardian"
accounts = ["guardian"]
may = ["approve"]
"""
LEAP_DAYS = {"2028-02-28": "RETAIN", "2028-02-29": "RETAIN", "2028-03-01": "DUE"}
LEAP = {
    "id": "LEAP",
    "inputs": {
        **dict.fromkeys(("death_date", "cancer_diagnosis", "trial", "promised_end", "withdrawn_on", "created")),
        "dob": "1950-01-01",
        "contacts": ["2020-02-29"],
        "open_episode": False,
        "made_for": "CARE",
        "object": "IMAGE",
        "filed": True,
        "categories": [],
        "holds": [],
    },
    "policy": {"child_death_mode": "later_of", "rounding": "exact"},
}
RECORDS = {"held": 1, "seen": 1, "gone": AT_ONCE + 2, "out": 1}  # how many records of whom


@dataclass(kw_only=True)
class Office:
    """An archive with patients who were last seen long ago, and the Orthanc names of each one's pictures."""

    archive: Archive
    patients: dict[str, str]
    pictures: dict[str, list[str]]
    out: str = ""

    def told(self, *arguments: str, status: int = 0) -> dict[str, object]:
        return told(self.archive.server, *arguments, status=status)

    def known(self, **seen: str) -> None:
        """Have the feed tell when each patient was last seen: long ago unless said otherwise."""
        head, line = FACTS.splitlines()
        rows = [
            line.format(patient=number).replace("2010-03-04", seen.get(name, "2010-03-04"))
            for name, number in self.patients.items()
        ]
        facts = self.archive.journey.work / "facts.csv"
        facts.write_text("\n".join([head, *rows, ""]))
        now = datetime.now(UTC).isoformat()
        self.told("retention", "facts", "import", str(facts), "--source", "pas", "--as-of", now, "--by", "clerk")

    def shown(self, name: str) -> set[int]:
        """Return what the workstation's account is answered when it asks for a patient's pictures."""
        server = self.archive.server
        return {server.ask("GET", f"/instances/{each}/file", "derm").status_code for each in self.pictures[name]}


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Give the archive; its registry is on the run's own PostgreSQL server."""
    url = ""
    if os.environ.get("CONSENTGATE_ACCEPTANCE") != "sqlite":
        server: postgres.Server = request.getfixturevalue("server")
        url = server.database("template1")
        monkeypatch.setenv(VARIABLE, url)
    with started(tmp_path) as archive:
        made = Office(archive=archive, patients={}, pictures={})
        for number, (name, records) in enumerate(RECORDS.items()):
            _filed(made, name, number, records)
        yield made
    if url:
        postgres.drop(url)


def _filed(office: Office, name: str, number: int, records: int) -> None:
    """Have a patient consent, and file so many photographs, each a record of its own."""
    person = Person(
        letter=name,
        patient_id=f"DISP-{number}",
        name=f"{name.title()}^Patient",
        birth_date="1950-01-01",
        sex="F",
        body_site="70559009",
        laterality="L",
        consent=f"urn:uuid:{UUID(int=number + 1)}",
        scopes=(CARE,),
    )
    journey = office.archive.journey
    file = journey.work / f"{name}.dcm"
    assert journey._wrap(person, journey._photo(0), file) is not None
    made, names = pydicom.dcmread(file), []
    for _ in range(records):
        uids = [str(generate_uid()) for _ in range(3)]
        made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = uids
        made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
        made.save_as(file)
        assert journey.camera.push(file) == 0
        names.append(orthanc_id(person.patient_id, *uids))
    office.patients[name], office.pictures[name] = person.patient_id, names
    if name == "out":
        office.out = str(made.StudyInstanceUID)


def test_the_ten_acceptance_tests_of_disposition(office: Office, tmp_path: Path) -> None:
    in_force(office)
    a_copy_is_out_and_not_back(office)
    plan = proposed_with_flags(office)
    no_second_account_approves(office, plan)
    backup(office, tmp_path)
    held_and_seen_meanwhile(office)
    nobody_else_deletes(office)
    certificate = executed_though_killed(office, plan)
    the_certificate_holds_until_a_byte_is_changed(office, certificate, tmp_path)
    subject_access_is_told(office)
    restored_and_destroyed_again(office, tmp_path)
    leap_days(office, tmp_path)
    assert "The trail is whole" in office.archive.server.consentgate("audit", "verify").stdout


def in_force(office: Office) -> None:
    policy = office.archive.server.folder / "policy.toml"
    policy.write_text(policy.read_text().replace("cooling_off_days = 30", "cooling_off_days = 0") + TWO_ACCOUNTS)
    schedule = office.told("retention", "schedule", "propose", "--by", "clerk")
    office.told("retention", "schedule", "activate", str(schedule["sha256"]), "--by", "guardian")
    office.known()


def a_copy_is_out_and_not_back(office: Office) -> None:
    """Prepare (h): a copy at the workstation, whose patient withdraws."""
    journey = office.archive.journey
    assert journey.workstation.move("DERMWS", StudyInstanceUID=office.out) == 0
    number = list(RECORDS).index("out") + 1
    office.told("consent", "withdraw", f"urn:uuid:{UUID(int=number)}", "--by", "clinic")


def proposed_with_flags(office: Office) -> str:
    """(h): the record whose recall nobody has confirmed is flagged. It is kept, and the others are let go."""
    made = office.told("retention", "plan", "--by", "clerk")
    assert made["lines"] == sum(RECORDS.values())
    plan = str(made["plan_id"])
    lines = json.loads(office.archive.server.consentgate("retention", "show", plan, "--json").stdout)
    flagged = [each for each in lines if "RECALL_NOT_CONFIRMED" in str(each["flags"])]
    assert [each["study_instance_uid"] for each in flagged] == [office.out]
    others = ",".join(str(each["line"]) for each in lines if each not in flagged)
    kept = str(flagged[0]["line"])
    office.told("retention", "decide", plan, kept, "RETAIN_UNTIL", "2035-01-01", "--reason", "out", "--by", "clerk")
    office.told("retention", "decide", plan, others, "DESTROY", "--reason", "due", "--by", "clerk")
    return plan


def no_second_account_approves(office: Office, plan: str) -> None:
    """(c): the proposer's other account, which may approve, is the same person."""
    for account in ("clerk", "clerk-admin"):
        assert office.archive.server.consentgate("retention", "approve", plan, "--by", account).returncode != 0
    office.told("retention", "approve", plan, "--by", "guardian")


def backup(office: Office, folder: Path) -> None:
    office.archive.server.stop()
    shutil.copytree(office.archive.server.folder / "storage", folder / "backup")
    office.archive.server.start()


def held_and_seen_meanwhile(office: Office) -> None:
    """(a) and (b): between approval and execution a hold is placed, and a patient is seen."""
    held = (
        "hold",
        "place",
        "--kind",
        "LITIGATION",
        "--authority",
        "court",
        "--reason",
        "order",
        "--review-on",
        "2090-01-01",
    )
    office.told(*held, "--patient", office.patients["held"], "--by", "clerk")
    office.known(seen=datetime.now(UTC).date().isoformat())


def nobody_else_deletes(office: Office) -> None:
    """(f): a plain DELETE is refused."""
    path = f"/instances/{office.pictures['gone'][0]}"
    for account in ("admin", "derm", ""):
        assert office.archive.server.ask("DELETE", path, account).status_code in (401, 403)
    assert office.shown("gone") == {200}


def executed_though_killed(office: Office, plan: str) -> Path:
    """(d), (a), (b): nothing is listed as destroyed and there; who is held or was seen is dropped."""
    server = office.archive.server
    killed_at_deletion(server, plan, RECORDS["gone"], lambda: bool(destroyed(server)))
    gone = destroyed(server)
    assert gone
    assert gone < set(office.pictures["gone"])  # that of the last deletion is there, and others aren't written down
    assert not gone & itself(server).instances()
    done = server.consentgate("retention", "apply", plan, "--by", "clerk", "--json")
    assert done.returncode in (0, 1), done.stderr  # 1 where it drops the lines itself, and the killed run hadn't
    assert destroyed(server) == set(office.pictures["gone"])
    left = itself(server).instances()
    assert left.isdisjoint(office.pictures["gone"])
    assert left >= {*office.pictures["held"], *office.pictures["seen"], *office.pictures["out"]}
    return Path(str(json.loads(done.stdout)["certificate"]))


def the_certificate_holds_until_a_byte_is_changed(office: Office, certificate: Path, folder: Path) -> None:
    """(g)."""
    verified_offline(office.archive.server, certificate, folder)
    content = bytearray(certificate.read_bytes())
    content[len(content) // 2] ^= 1
    changed = folder / "changed.json"
    changed.write_bytes(content)
    verify = ("certificate", "verify", str(changed), "--key", str(folder / "key.pem"))
    assert office.archive.server.consentgate(*verify).returncode != 0


def subject_access_is_told(office: Office) -> None:
    """(i): the facts of the stubs, and nothing more."""
    done = office.archive.server.consentgate("retention", "destroyed", office.patients["gone"], "--json")
    found = json.loads(done.stdout)
    assert len(found) == RECORDS["gone"]
    assert {(each["rule"], each["approved_by"]) for each in found} == {("ADULT_GENERAL", "guardian")}


def restored_and_destroyed_again(office: Office, folder: Path) -> None:
    """(e): the archive of before is brought back; no door opens until what was destroyed is destroyed again."""
    server = office.archive.server
    server.stop()
    shutil.rmtree(server.folder / "storage")
    shutil.copytree(folder / "backup", server.folder / "storage")
    server.start()
    assert office.shown("gone") | office.shown("held") <= {403, 404}
    found = office.told("retention", "reconcile", "--by", "clerk")
    assert (found["destroyed"], found["remaining"], found["missing"]) == (RECORDS["gone"], 0, [])
    assert wait_until(lambda: office.shown("held") == {200}, SECONDS)
    assert itself(server).instances().isdisjoint(office.pictures["gone"])


def leap_days(office: Office, folder: Path) -> None:
    """(j): eight years after the last 29 February but one, the record is due on the day after that day."""
    cases = folder / "leap.json"
    cases.write_text(json.dumps([{**LEAP, "as_of": day} for day in LEAP_DAYS]))
    done = office.archive.server.consentgate("retention", "due", "--case", str(cases))
    assert [each["status"] for each in json.loads(done.stdout)] == list(LEAP_DAYS.values())
