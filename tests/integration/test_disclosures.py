"""A patient's own copy, the account of what left, and marked copies for teaching, on a running Orthanc."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from PIL import Image
from pyzipper import AESZipFile

from demo.consents import CARE, PEOPLE, TEACHING, consent_file
from demo.journey import Journey
from demo.server import Server
from dicomwrap.consenttags import read_stamp
from tests.integration import ward
from tests.integration.archive import Archive, today

ATLAS = """
[[users]]
name = "atlas"
roles = ["view", "send"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
[[users]]
name = "records"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "dr-look"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
"""
PATIENT = PEOPLE[0]


@dataclass(frozen=True, kw_only=True)
class Office:
    """The records office: what it types, and what it is answered."""

    archive: Archive
    folder: Path

    def does(self, *arguments: str) -> object:
        done = self.archive.server.consentgate(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def given(self, path: str, account: str = "atlas") -> tuple[int, bytes]:
        answer = self.archive.server.ask("GET", path, account)
        return answer.status_code, answer.content


def configured(folder: Path) -> Server:
    """Write the ward's configuration, and add an account that may teach with identifiable pictures."""
    server = ward.configured(folder)
    policy, orthanc = folder / "policy.toml", folder / "orthanc.json"
    policy.write_text(policy.read_text().replace("\n[profiles.teaching]", f"{ATLAS}\n[profiles.teaching]"))
    orthanc.write_text(orthanc.read_text().replace('"derm":', '"atlas": "a password of the test",\n    "derm":'))
    return server


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an archive in which patient A has agreed to teaching with what shows who they are."""
    folder = tmp_path_factory.mktemp("office")
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        journey.push()
        office = Office(archive=Archive(server=server, journey=journey), folder=folder)
        agreed = json.loads(consent_file(PATIENT, work, today()).read_text())
        agreed |= {"id": "urn:x:atlas", "scopes": [CARE, {**TEACHING, "max_form": "IDENTIFIABLE"}]}
        (work / "atlas.json").write_text(json.dumps(agreed))
        office.does("consent", "add", str(work / "atlas.json"), "--by", "nurse")
        yield office
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


def test_an_identifiable_copy_for_teaching_says_so_and_an_original_is_refused(office: Office) -> None:
    made = office.archive.wrapped("A")
    refused, _ = office.given(f"/instances/{made.orthanc_instance}/file")
    assert refused == 403
    study = office.given(f"/instances/{made.orthanc_instance}/file", "derm")[1]
    original = pydicom.dcmread(BytesIO(study))
    status, content = office.given(f"/tools/create-archive?resources={made.orthanc_instance}")
    assert status == 200, content
    with ZipFile(BytesIO(content)) as archive:
        copy = pydicom.dcmread(BytesIO(archive.read("00001.dcm")))
    found = read_stamp(copy)
    assert found is not None
    assert (found.release_purpose, found.recipient, found.record_id) == ("TRAIN", "atlas", "urn:x:atlas")
    assert copy.PixelData == original.PixelData
    assert copy.SOPInstanceUID != original.SOPInstanceUID == made.sop_instance_uid
    (row,) = office.does("disclosures", "--recipient", "atlas")  # type: ignore[misc]
    assert (row["released_uid"], row["requester"], row["standing"]) == (copy.SOPInstanceUID, "atlas", "HELD")
    assert row["consents"] == ["urn:x:atlas version 1"]


def test_the_patient_s_own_copy_is_made_once_it_is_checked(office: Office) -> None:
    who, out = PATIENT.patient_id, office.folder / "own"
    opened = office.does(
        "subject-access", "open", who, "--handover", "IN_PERSON", "--note", "a letter", "--by", "records"
    )
    request = str(opened["request"])  # type: ignore[index]
    check = ("subject-access", "check", request)
    office.does(*check, "identity", "--clear", "--reason", "passport seen", "--by", "records")
    refused = office.archive.server.consentgate("subject-access", "copy", request, "--out", str(out), "--by", "records")
    assert (refused.returncode, out.exists()) == (1, False)
    for kind in ("third-parties", "serious-harm"):
        office.does(*check, kind, "--all", "--clear", "--reason", "looked at each", "--by", "dr-look")
    made = office.does("subject-access", "copy", request, "--out", str(out), "--by", "records")
    (name,) = made["files"]  # type: ignore[index]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    with Image.open(out / name) as picture:
        picture.load()
        assert (picture.format, picture.getexif()) == ("JPEG", {})
    assert who not in (out / name).read_bytes().decode("latin-1")
    assert "This was agreed to." in (out / "consents.txt").read_text()
    encrypted(office, request)
    again = office.archive.server.consentgate("subject-access", "copy", request, "--out", str(out), "--by", "records")
    assert "nothing is overwritten" in again.stderr
    office.does("subject-access", "close", request, "--given", "--note", "in clinic", "--by", "records")
    assert office.does("subject-access", "list") == []
    rows = office.does("disclosures", "--patient", who)
    assert [row["standing"] for row in rows if row["purpose"] == "SUBJECT_ACCESS"] == ["HELD"] * 2  # type: ignore[attr-defined]
    verified = office.does("audit", "verify")
    assert verified["whole"] is True  # type: ignore[index]


def test_the_account_is_given_by_http_in_each_form_to_those_who_handle_consents(office: Office) -> None:
    body = json.dumps({"image": office.archive.wrapped("A").sop_instance_uid}).encode()

    def asked(media: str, account: str = "epr") -> tuple[int, str, bytes]:
        headers = {"Content-Type": "application/json", "Accept": media}
        path = "/consentgate/disclosures/search"
        answer = office.archive.server.ask("POST", path, account, headers=headers, content=body)
        return answer.status_code, answer.headers.get("Content-Type", ""), answer.content

    assert asked("application/json", "derm")[0] == 403
    status, media, content = asked("application/json")
    assert (status, media) == (200, "application/json")
    assert json.loads(content)["disclosures"][0]["recipient"] == "atlas"
    assert asked("text/html")[1:][0].startswith("text/html")
    assert asked("text/csv")[2].startswith(b"disclosure,at,image")
    bundle = Bundle.model_validate_json(asked("application/fhir+json")[2])
    assert len(bundle.entry) == 2 * len(json.loads(content)["disclosures"])


def encrypted(office: Office, request: str) -> None:
    """Make the copy once more, as a file that opens with its passphrase alone."""
    phrase, out = office.folder / "phrase", office.folder / "own.zip"
    phrase.write_text("correct horse battery staple\n")
    to = ("--zip", str(out), "--passphrase-file", str(phrase), "--by", "records")
    made = office.does("subject-access", "copy", request, *to)
    with AESZipFile(out) as file:
        file.setpassword(b"correct horse battery staple")
        assert set(made["files"]) < set(file.namelist())  # type: ignore[index]
        assert file.read("disclosures.pdf").startswith(b"%PDF")
