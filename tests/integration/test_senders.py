"""Who sent an object: by every way of HTTP, on every thread, Consentgate knows the account, and believes no other.

A picture that says that the patient supplied it goes past nearly every rule of intake, so its sender's word must count.
"""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid

from demo.journey import Journey
from demo.server import Server
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import stamp
from tests.integration.archive import today
from tests.integration.doorways import configured

PORTAL = """
[[users]]
name = "portal"
patient_supplied = true
roles = ["store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
"""
UNCONFIRMED = "PATIENT_SUPPLIED_UNCONFIRMED"
STOW = {
    "Content-Type": 'multipart/related; type="application/dicom"; boundary=part',
    "Accept": "application/dicom+json",
}
FORM = {"Content-Type": "multipart/form-data; boundary=part"}


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.dcm", content)
    return file.getvalue()


def in_parts(kind: bytes) -> Callable[[bytes], bytes]:
    return lambda content: b"--part\r\n" + kind + b"\r\n\r\n" + content + b"\r\n--part--\r\n"


WAYS: dict[str, tuple[str, dict[str, str], Callable[[bytes], bytes]]] = {
    "REST": ("/instances", {}, bytes),
    "ZIP": ("/instances", {}, zipped),
    "form": ("/instances", FORM, in_parts(b'Content-Disposition: form-data; name="a"; filename="a"')),
    "STOW-RS": ("/dicom-web/studies", STOW, in_parts(b"Content-Type: application/dicom")),
}


@dataclass(frozen=True, kw_only=True)
class Portal:
    """The archive, where patients send pictures in, and one of theirs that is sent in many copies."""

    server: Server
    journey: Journey
    work: Path

    def picture(self) -> tuple[str, bytes]:
        """Return another picture that says that the patient supplied it; nobody has filed any consent for it."""
        dataset = pydicom.dcmread(self.work / "a.dcm")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
        dataset.PatientID = "DEMO-3001"
        stamp(dataset, ConsentStamp(device_class="PATIENT"))
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        return str(dataset.SOPInstanceUID), file.getvalue()

    def send(self, way: str, account: str) -> str:
        path, headers, body = WAYS[way]
        uid, content = self.picture()
        auth = (account, self.server.passwords[account])
        url = self.server.url + path
        answer = httpx.post(url, auth=auth, headers=headers, content=body(content), trust_env=False, timeout=120)
        assert answer.status_code in (200, 202), answer.text
        return uid

    def seen(self, uid: str) -> bool:
        status = self.server.ask("GET", f"/wado?requestType=WADO&objectUID={uid}", "derm").status_code
        assert status in (200, 403)
        return status == 200

    def held(self, uid: str) -> list[tuple[str, list[str], str]]:
        """Return id, rules and account of what is held under this UID."""
        query = "SELECT quarantine_id, reasons, account FROM quarantine WHERE sop_instance_uid = ? AND status = 'HELD'"
        with closing(sqlite3.connect(self.server.folder / "registry.db")) as registry:
            found = registry.execute(query, (uid,)).fetchall()
        return [(name, [each.partition(":")[0] for each in json.loads(why)], account) for name, why, account in found]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Give a running archive with an account that sends what patients supplied."""
    folder = tmp_path_factory.mktemp("portal")
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    policy, orthanc = server.folder / "policy.toml", server.folder / "orthanc.json"
    policy.write_text(policy.read_text() + PORTAL)
    orthanc.write_text(orthanc.read_text().replace('"derm":', '"portal": "a password of the test",\n    "derm":'))
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        (work / "a.dcm").write_bytes(journey.wrapped["A"].file.read_bytes())
        yield Portal(server=server, journey=journey, work=work)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_the_patient_s_on_the_word_of_the_portal_only(way: str, portal: Portal) -> None:
    uid = portal.send(way, "portal")
    assert (portal.seen(uid), portal.held(uid)) == (True, [])
    uid = portal.send(way, "uploader")
    ((_, rules, account),) = portal.held(uid)
    assert (portal.seen(uid), rules, account) == (False, [UNCONFIRMED], "uploader")


def test_many_senders_at_once_are_never_taken_for_each_other(portal: Portal) -> None:
    sent = [(way, account) for account in ("portal", "uploader") for way in WAYS] * 4
    with ThreadPoolExecutor(8) as pool:
        uids = list(pool.map(lambda each: portal.send(*each), sent))
    for (_, account), uid in zip(sent, uids, strict=True):
        told = [(rules, whose) for _, rules, whose in portal.held(uid)]
        assert told == ([] if account == "portal" else [([UNCONFIRMED], "uploader")])
        assert portal.seen(uid) is (account == "portal")


def test_by_c_store_nobody_is_believed_though_the_portal_has_just_sent(portal: Portal) -> None:
    for _ in range(60):  # every thread of Orthanc's for HTTP has had its turn
        portal.server.ask("POST", "/instances", "portal", content=b"no object")
    uid, content = portal.picture()
    (portal.work / "sent.dcm").write_bytes(content)
    assert portal.journey.camera.push(portal.work / "sent.dcm") == 0
    ((_, rules, account),) = portal.held(uid)
    assert (portal.seen(uid), rules, account) == (False, [UNCONFIRMED], "")


def test_what_an_officer_confirms_is_filed_as_the_patient_s(portal: Portal) -> None:
    uid = portal.send("REST", "uploader")
    ((name, _, _),) = portal.held(uid)
    plain = portal.server.consentgate("quarantine", "release", name, "--by", "officer")
    assert (plain.returncode, UNCONFIRMED in plain.stdout) == (1, True)
    done = portal.server.consentgate("quarantine", "release", name, "--patient-supplied", "--by", "officer")
    assert (done.returncode, portal.held(uid), portal.seen(uid)) == (0, [], True)
    with closing(sqlite3.connect(portal.server.folder / "registry.db")) as registry:
        told = registry.execute("SELECT source FROM images WHERE sop_instance_uid = ?", (uid,)).fetchall()
    assert told == [("PATIENT_SUPPLIED",)]
    assert portal.server.consentgate("audit", "verify").returncode == 0


def test_a_lost_phone_is_known_by_its_account_though_its_pictures_name_no_device(portal: Portal) -> None:
    def command(*arguments: str) -> None:
        done = portal.server.consentgate("device", *arguments, "--by", "illustration")
        assert done.returncode == 0, done.stderr

    safe = ("--password", "--encrypted", "--auto-lock", "--remote-wipe", "--cloud-sync", "off", "--owner", "ward 7")
    known = ("--class", "MANAGED", "--serial", "PHONE-1", "--account", "porter")
    command("add", "PHONE-1", *known, *safe, "--reason", "asset list")
    command("lost", "PHONE-1", "--reason", "left on a bus")
    content = photographed(portal)
    uid = str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID)
    assert portal.server.ask("POST", "/instances", "porter", content=content).status_code == 500
    assert [rules for _, rules, _ in portal.held(uid)] == [["DEVICE_LOST"]]
    assert not portal.seen(uid)
    another = photographed(portal)
    assert portal.server.ask("POST", "/instances", "uploader", content=another).json()["Status"] == "Success"


def photographed(portal: Portal) -> bytes:
    """Return another photograph of A's, with its consent, that names no device."""
    dataset = pydicom.dcmread(portal.work / "a.dcm")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    for keyword in ("DeviceSerialNumber", "StationName"):
        if keyword in dataset:
            del dataset[keyword]
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
