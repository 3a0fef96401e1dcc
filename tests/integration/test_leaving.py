"""Archives and sends of a running Orthanc: what leaves by the core's routes that Consentgate answers."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid

from demo.consents import CARE
from demo.journey import Journey
from demo.peers import HOST, wait_until
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.archive import Archive, today
from tests.integration.doorways import configured, consented
from tests.integration.needles import KEYWORDS, found, needles_of

CREATE = "/tools/create-archive"
SEND = "/modalities/dermatology/store"
MANIFEST = ["MANIFEST.json", "MANIFEST.txt"]
UNKNOWN = "6816cb19-844d5aee-85245eba-28e841e6-2414fae2"
NOWHERE = "203.0.113.66"
HANG_UPS = 5  # more than there are threads that make archives


@contextmanager
def filled(folder: Path) -> Iterator[Archive]:
    server, work = configured(folder / "orthanc"), folder / "work"
    work.mkdir()
    server.start()
    said: list[str] = []
    journey = Journey(server=server, work=work, today=today(), show=said.append)
    try:
        journey.wrap()
        journey.push()
        assert journey.wrong == 0, "\n".join(said)
        yield Archive(server=server, journey=journey)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with filled(tmp_path_factory.mktemp("ward")) as archive:
        yield archive


def stored(ward: Archive, letter: str) -> pydicom.Dataset:
    return pydicom.dcmread(ward.wrapped(letter).file)


def ids(said: pydicom.Dataset) -> dict[str, str]:
    """Return Orthanc's identifiers of a picture and of what it is in."""
    uids = (said.StudyInstanceUID, said.SeriesInstanceUID, said.SOPInstanceUID)
    keys = ("patients", "studies", "series", "instances")
    return {key: orthanc_id(said.PatientID, *uids[:at]) for at, key in enumerate(keys)}


def file_more(ward: Archive, letter: str, count: int) -> list[str]:
    """File more pictures of a patient's series; return their SOP Instance UIDs."""
    said, uids = stored(ward, letter), []
    for _ in range(count):
        said.SOPInstanceUID = said.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
        content = io.BytesIO()
        said.save_as(content, enforce_file_format=True)
        answer = ward.server.ask("POST", "/instances", "uploader", content=content.getvalue())
        assert answer.status_code == 200, answer.text
        assert answer.json()["ID"], answer.text
        uids.append(str(said.SOPInstanceUID))
    return uids


def refuse(ward: Archive, letter: str, uid: str) -> None:
    """Record that the patient wants one picture used for nothing."""
    person = ward.wrapped(letter).person
    record = {
        "id": f"urn:x:no-{uid}",
        "patient_id": person.patient_id,
        "issuer": "HOSPITAL",
        "state": "REFUSED",
        "level": "IMAGE",
        "targets": [uid],
        "giver": {"type": "PATIENT", "id": person.patient_id},
        "decided_on": today().isoformat(),
        "scopes": [CARE],
        "evidence": "ORAL_NOTED",
        "discussion": {"note": "Asked.", "author": "clinic"},
    }
    answer = ward.server.ask("POST", "/consentgate/consents", "epr", content=json.dumps(record).encode())
    assert answer.status_code == 200, answer.text


def unpacked(answer: httpx.Response) -> tuple[zipfile.ZipFile, dict[str, list[dict[str, object]]]]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip"), answer.text
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("MANIFEST.json"))


def outcomes(ward: Archive, door: str) -> list[object]:
    done = ward.server.consentgate("disclosure", "list", "--json")
    assert done.returncode == 0, done.stderr
    return [each["outcome"] for each in json.loads(done.stdout) if each["door"] == door]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("level", ["patients", "studies", "series"])
def test_an_archive_of_a_level_holds_the_stored_bytes(ward: Archive, method: str, level: str) -> None:
    said = stored(ward, "A")
    answer = ward.server.ask(method, f"/{level}/{ids(said)[level]}/archive", "derm", content=b"")
    archive, manifest = unpacked(answer)
    assert archive.namelist() == ["00001.dcm", *MANIFEST]
    content = archive.read("00001.dcm")
    assert content == ward.server.ask("GET", f"/instances/{ids(said)['instances']}/file", "derm").content
    (entry,) = manifest["files"]
    assert (entry["sha256"], entry["sop_instance_uid"]) == (hashlib.sha256(content).hexdigest(), said.SOPInstanceUID)
    assert str(said.PatientID) not in f"{answer.headers} {archive.namelist()} {manifest}"
    decision = ward.server.consentgate("explain", str(entry["decision"]))
    assert decision.returncode == 0, decision.stderr


@pytest.mark.parametrize("way", ["POST /tools/create-media-extended", "GET /tools/create-media?resources="])
def test_a_medium_opens_by_its_directory_and_holds_only_what_may_leave(ward: Archive, way: str, tmp_path: Path) -> None:
    method, path = way.split()
    names = [ids(stored(ward, letter))["studies"] for letter in "ABC"]
    asked = json.dumps(names).encode() if method == "POST" else b""
    answer = ward.server.ask(method, path + ("" if asked else ",".join(names)), "derm", content=asked)
    archive, manifest = unpacked(answer)
    archive.extractall(tmp_path)
    found = {str(each.SOPInstanceUID): Path(each.path).read_bytes() for each in FileSet(tmp_path / "DICOMDIR")}
    assert set(found) == {str(stored(ward, letter).SOPInstanceUID) for letter in "AB"}
    digests = {each["sop_instance_uid"]: each["sha256"] for each in manifest["files"]}
    assert {uid: hashlib.sha256(content).hexdigest() for uid, content in found.items()} == digests
    assert [each["named"] for each in manifest["left_out"]] == [3]
    dumped = subprocess.run(["/usr/bin/dcmdump", "DICOMDIR"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (dumped.stdout.count("ReferencedFileID"), dumped.stderr) == (2, "")


@pytest.mark.parametrize("form", ["GET", "GET twice", "POST object", "POST list", "trailing slash"])
def test_an_archive_of_what_is_named_is_ours_in_every_form(ward: Archive, form: str) -> None:
    a, b = (ids(stored(ward, letter))["instances"] for letter in ("A", "B"))
    path = {"GET": f"{CREATE}?resources={a},{b},{a}", "GET twice": f"{CREATE}?resources={UNKNOWN}&resources={a},{b}"}
    body = {"POST object": {"Resources": [a, b, b]}, "POST list": [a, b], "trailing slash": [a, b]}
    slash = "/" if form == "trailing slash" else ""
    answer = ward.server.ask(
        "GET" if form in path else "POST",
        path.get(form, CREATE + slash),
        "derm",
        content=json.dumps(body[form]).encode() if form in body else b"",
    )
    _, manifest = unpacked(answer)
    assert [each["file"] for each in manifest["files"]] == ["00001.dcm", "00002.dcm"]


def test_one_that_is_refused_is_left_out_and_the_manifest_says_why(ward: Archive) -> None:
    (uid,) = file_more(ward, "A", 1)
    refuse(ward, "A", uid)
    answer = ward.server.ask("GET", f"/studies/{ids(stored(ward, 'A'))['studies']}/archive", "derm")
    archive, manifest = unpacked(answer)
    assert archive.namelist() == ["00001.dcm", *MANIFEST]
    (left_out,) = manifest["left_out"]
    assert left_out["pictures"] == 1
    assert uid.encode() not in answer.content
    assert "because" in archive.read("MANIFEST.txt").decode()


def test_of_what_is_in_quarantine_or_of_nobody_there_is_no_archive_and_the_answers_are_the_same(ward: Archive) -> None:
    needles = needles_of(ward.wrapped("C").file)
    told = []
    for name in (*ids(stored(ward, "C")).values(), UNKNOWN):
        answer = ward.server.ask("POST", CREATE, "derm", content=json.dumps([name]).encode())
        assert answer.status_code == 403
        assert found(answer.content, needles) == []
        (refused,) = answer.json()["refused"]
        told.append((answer.json()["error"], refused["reasons"], len(refused["decisions"])))
    assert len({str(each) for each in told}) == 1


def test_an_anonymised_account_gets_an_archive_without_any_identifier(ward: Archive) -> None:
    said = stored(ward, "B")
    named = json.dumps([ids(said)["studies"]]).encode()
    assert ward.server.ask("POST", CREATE, "teacher", content=named).status_code == 403
    consented(ward.server, "review", "confirm", str(said.SOPInstanceUID), "--nothing-identifying")
    answer = ward.server.ask("POST", CREATE, "teacher", content=named)
    archive, manifest = unpacked(answer)
    texts = (said.get(keyword, "") for keyword in KEYWORDS)
    hidden = {str(each).encode() for each in (*texts, *str(said.PatientName).split("^"), *ids(said).values()) if each}
    assert found(answer.content, hidden) == []
    copy = pydicom.dcmread(io.BytesIO(archive.read("00001.dcm")))
    assert (copy.PatientIdentityRemoved, copy.SOPInstanceUID) == ("YES", manifest["files"][0]["sop_instance_uid"])
    one = ward.server.ask("POST", f"/instances/{ids(said)['instances']}/anonymize", "teacher", content=b"{}")
    assert (one.status_code, one.content == archive.read("00001.dcm")) == (200, True)


def test_a_picture_is_sent_and_arrives_and_the_answer_counts_it(ward: Archive) -> None:
    said = stored(ward, "B")
    names = ids(said)
    resources = [names["studies"], names["instances"]]
    guessing = ward.server.ask("POST", SEND, "sender", content=json.dumps([*resources, UNKNOWN]).encode())
    assert (guessing.status_code, [each["resource"] for each in guessing.json()["refused"]]) == (403, [UNKNOWN])
    body = {"Resources": resources, "Synchronous": True}
    answer = ward.server.ask("POST", SEND, "sender", content=json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["InstancesCount"], told["FailedInstancesCount"], told["RemoteAet"]) == (1, 0, "DERMWS")
    assert told["Refused"] == []
    assert [each.SOPInstanceUID for each in ward.journey.at_workstation.take()] == [said.SOPInstanceUID]
    assert outcomes(ward, "POST /modalities/{modality}/store") == ["DELIVERED"]


@pytest.mark.parametrize(
    ("path", "extra", "status"),
    [
        (SEND, {"Host": NOWHERE}, 400),
        (SEND, {"Host": NOWHERE, "Port": 104, "CalledAet": "EVIL"}, 400),
        (SEND, {"Asynchronous": True}, 400),
        (SEND, {"Synchronous": False}, 400),
        ("/modalities/teaching/store", {}, 403),
        ("/modalities/camera/store", {}, 403),
        ("/modalities/nowhere/store", {}, 403),
    ],
)
def test_no_other_destination_and_no_job(ward: Archive, path: str, extra: dict[str, object], status: int) -> None:
    body = {"Resources": [ids(stored(ward, "B"))["instances"]], **extra}
    answer = ward.server.ask("POST", path, "sender", content=json.dumps(body).encode())
    assert (answer.status_code, bool(answer.json()["remedy"])) == (status, True)
    assert ward.journey.at_workstation.take() == ward.journey.at_teaching.take() == []


@pytest.mark.parametrize(
    ("account", "path"),
    [
        ("derm", SEND),
        ("sender", "/modalities/dermatology/store-straight"),
        ("sender", "/peers/other/store"),
        ("sender", "/jobs/1/resubmit"),
        ("sender", "/modalities/dermatology/move"),
        ("uploader", "/tools/create-dicom"),
    ],
)
def test_other_ways_to_send_are_shut(ward: Archive, account: str, path: str) -> None:
    body = json.dumps([ids(stored(ward, "B"))["instances"]]).encode()
    assert ward.server.ask("POST", path, account, content=body).status_code == 403
    assert ward.journey.at_workstation.take() == []


@pytest.mark.parametrize("path", ["/tools/bulk-modify", "/studies/{studies}/merge", "/patients/{patients}/anonymize"])
def test_no_copy_is_derived_and_what_to_do_is_said(ward: Archive, path: str) -> None:
    names = ids(stored(ward, "B"))
    body = {"Resources": [names["studies"]], "Replace": {"PatientName": "X"}}
    answer = ward.server.ask("POST", path.format_map(names), "uploader", content=json.dumps(body).encode())
    assert (answer.status_code, "consentgate" in answer.text or "policy.toml" in answer.text) == (403, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_no_other_method_reaches_the_core(ward: Archive, method: str) -> None:
    study = ids(stored(ward, "B"))["studies"]
    assert ward.server.ask(method, f"/studies/{study}/archive", "derm").status_code in (403, 405)
    headers = {"X-HTTP-Method-Override": method}
    assert ward.server.ask("POST", f"/studies/{study}/archive", "derm", headers=headers).status_code in (403, 405)


def test_a_hundred_pictures_leave_in_one_archive_and_a_client_that_hangs_up_blocks_nobody(ward: Archive) -> None:
    uids = file_more(ward, "B", 99)
    path = f"/studies/{ids(stored(ward, 'B'))['studies']}/archive"
    before = ward.last_entry()
    for _ in range(HANG_UPS):
        hang_up(ward, path)
    archive, manifest = unpacked(ward.server.ask("GET", path, "derm"))
    assert {*uids, str(stored(ward, "B").SOPInstanceUID)} == {each["sop_instance_uid"] for each in manifest["files"]}
    assert len(archive.namelist()) == 100 + len(MANIFEST)

    def ended() -> int:
        entries = [each for each in ward.server.audit(5000) if int(str(each["seq"])) > before]
        return len([each for each in entries if "pictures to derm in an archive" in str(each["reasons"])])

    assert wait_until(lambda: ended() == HANG_UPS + 1, 60)


def hang_up(ward: Archive, path: str) -> None:
    """Ask for an archive, read its beginning and close the connection."""
    password = ward.server.passwords["derm"]
    authorization = httpx.BasicAuth("derm", password)._auth_header
    with socket.create_connection((HOST, ward.server.ports.http), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_after_a_withdrawal_nothing_leaves_by_any_of_them(ward: Archive) -> None:
    names = ids(stored(ward, "A"))
    consented(ward.server, "consent", "withdraw", ward.wrapped("A").person.consent)
    needles = needles_of(ward.wrapped("A").file)
    named = json.dumps([names["instances"]]).encode()
    for path, account in ((f"/studies/{names['studies']}/archive", "derm"), (CREATE, "derm"), (SEND, "sender")):
        answer = ward.server.ask("POST", path, account, content=b"" if "studies" in path else named)
        assert (answer.status_code, found(answer.content, needles)) == (403, [])
        assert answer.json()["refused"][0]["reasons"]
    assert ward.journey.at_workstation.take() == []
