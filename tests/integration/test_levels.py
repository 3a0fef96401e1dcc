"""Patients, studies and series of a running Orthanc, asked for whole: by its own REST API and by WADO-RS.

Every row of the table is asked, and read by clients that aren't ours.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.message import Message

import httpx
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import generate_uid
from requests import Session

from dicomwrap.consenttags import read_stamp, stamp
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.route import Kind, Route
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.doorways import Doors, Stored
from tests.integration.needles import found

ROWS = [row for row in ROUTES if row.kind is Kind.BODY and row.subject]
DICOMWEB = [row for row in ROWS if row.path.startswith("/dicom-web/")]
SERIES = "/dicom-web/studies/{study_uid}/series/{series_uid}"
INSTANCE = f"{SERIES}/instances/{{instance_uid}}"
OBJECTS = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
AS_STORED = (("application/dicom", "*"),)


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def get(doors: Doors, row: Route, stored: Stored, account: str = "derm") -> httpx.Response:
    headers = {} if row not in DICOMWEB or row.path.endswith("/metadata") else OBJECTS
    return doors.ask("GET", row.path.format(**stored.named()), account, headers=headers)


def parts(answer: httpx.Response) -> list[bytes]:
    """Return the parts of a multipart answer."""
    message = message_from_bytes(f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.content)
    assert message.is_multipart()
    return [part.get_payload(decode=True) for part in message.get_payload() if isinstance(part, Message)]  # type: ignore[misc]


def ids(level: str) -> Callable[[bytes, Stored], bool]:
    return lambda content, stored: [each["ID"] for each in json.loads(content)] == [stored.named()[level]]


def tells(keyword: str) -> Callable[[bytes, Stored], bool]:
    return lambda content, stored: str(stored.dataset[keyword].value).encode() in content


RIGHT: dict[str, Callable[[bytes, Stored], bool]] = {
    "{patient}": lambda content, stored: json.loads(content)["ID"] == stored.named()["patient"],
    "{study}": lambda content, stored: json.loads(content)["ID"] == stored.named()["study"],
    "{series}": lambda content, stored: json.loads(content)["ID"] == stored.named()["series"],
    "{series}/module": tells("SeriesInstanceUID"),
    "{study}/module": tells("StudyInstanceUID"),
    "{patient}/module": tells("PatientID"),
    "/module-patient": tells("PatientID"),
    "/instances": ids("instance"),
    "/series": ids("series"),
    "/studies": ids("study"),
    "/statistics": lambda content, stored: str(json.loads(content)["DicomDiskSize"]) == str(len(stored.content)),
    "/labels": lambda content, _: json.loads(content) == [],
    "/shared-tags": tells("SOPInstanceUID"),
    "/instances-tags": tells("SOPInstanceUID"),
    "/metadata": lambda content, stored: (
        [each["00080018"]["Value"] for each in json.loads(content)] == [[stored.dataset.SOPInstanceUID]]
    ),
}


def right(row: Route, answer: httpx.Response, stored: Stored) -> bool:
    """Tell whether the answer is what the row is for."""
    test = next((RIGHT[end] for end in sorted(RIGHT, key=len, reverse=True) if row.path.endswith(end)), None)
    return parts(answer) == [stored.content] if test is None else test(answer.content, stored)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_with_a_grant_the_right_bytes_leave_and_the_trail_has_the_decision(doors: Doors, row: Route) -> None:
    before, stored = doors.last_entry(), doors.objects["B"]
    answer = get(doors, row, stored)
    if answer.status_code == 404:
        assert row.path.endswith("/labels")  # which Orthanc 1.10.1 does not have
        return
    assert answer.status_code == 200
    assert right(row, answer, stored)
    decisions = [each for each in doors.entries_since(before) if each["subject"]]
    assert [(each["subject"], each["door"], each["effect"]) for each in decisions] == [
        (stored.dataset.SOPInstanceUID, named(row), "PERMIT_IDENTIFIABLE")
    ]


@pytest.mark.parametrize("name", ["A", "sibling", "C"])
@pytest.mark.parametrize("row", ROWS, ids=named)
def test_without_a_grant_nothing_leaves_and_the_decision_is_named(doors: Doors, row: Route, name: str) -> None:
    before, stored = doors.last_entry(), doors.objects[name]
    answer = get(doors, row, stored)
    assert answer.status_code == 403
    assert found(answer.content, doors.forbidden("derm"), known=row.path.format(**stored.named()).encode()) == []
    (refused,) = answer.json()["refused"]
    entries = doors.entries_since(before)
    assert set(refused["decisions"]) <= {each["id"] for each in entries}
    assert (entries[-1]["effect"], entries[-1]["door"]) == ("DENY", named(row))


def test_a_dicomweb_client_retrieves_a_study_a_series_and_their_metadata(doors: Doors) -> None:
    said, session = doors.objects["B"].dataset, Session()
    session.trust_env = False
    session.auth = ("derm", doors.server.passwords["derm"])
    client = DICOMwebClient(f"{doors.server.url}/dicom-web", session=session)
    study, series = str(said.StudyInstanceUID), str(said.SeriesInstanceUID)
    for (read,) in (
        client.retrieve_study(study, media_types=AS_STORED),
        client.retrieve_series(study, series, media_types=AS_STORED),
    ):
        assert (read.SOPInstanceUID, read.PixelData) == (said.SOPInstanceUID, said.PixelData)
    for (told,) in (client.retrieve_study_metadata(study), client.retrieve_series_metadata(study, series)):
        header = pydicom.Dataset.from_json(json.dumps(told), bulk_data_uri_handler=lambda _uri: None)
        assert (header.PatientName, header.Rows, header.Columns) == (said.PatientName, said.Rows, said.Columns)


def test_metadata_is_what_the_dicomweb_plugin_tells_of_the_same_picture(doors: Doors) -> None:
    names = doors.objects["B"].named()
    (theirs,) = doors.ask("GET", f"{INSTANCE}/metadata".format_map(names), "derm").json()
    (ours,) = doors.ask("GET", f"{SERIES}/metadata".format_map(names), "derm").json()
    theirs.setdefault("7FE00010", ours["7FE00010"])  # which older versions of the plugin leave out
    assert set(ours) == set(theirs)
    assert [(told, theirs[tag]) for tag, told in ours.items() if not alike(told, theirs[tag])] == []
    assert doors.ask("GET", ours["7FE00010"]["BulkDataURI"], "derm").status_code == 200


def alike(ours: dict[str, object], theirs: dict[str, object]) -> bool:
    """Tell whether two elements say the same; the plugin's addresses begin with the host, its numbers may be texts."""
    if "BulkDataURI" in ours:
        return ours["vr"] == theirs["vr"] and str(theirs["BulkDataURI"]).endswith(str(ours["BulkDataURI"]))
    if ours["vr"] in ("DS", "IS"):
        return [float(str(each)) for each in values(ours)] == [float(str(each)) for each in values(theirs)]
    return ours == theirs


def values(told: dict[str, object]) -> list[object]:
    value = told.get("Value", [])
    assert isinstance(value, list)
    return value


def copy_of(stored: Stored, study: str, *, intimate: bool = False) -> tuple[str, bytes]:
    """Return the UID and the bytes of another picture of the patient, in ``study``."""
    made = pydicom.dcmread(stored.file)
    made.StudyInstanceUID, made.SeriesInstanceUID = study, generate_uid(prefix=None)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    if intimate:
        said = read_stamp(made)
        assert said is not None
        stamp(made, replace(said, confidentiality="R"))
    made.save_as(content := io.BytesIO(), enforce_file_format=True)
    return str(made.SOPInstanceUID), content.getvalue()


def test_a_study_still_takes_in_what_is_stored_into_it(doors: Doors) -> None:
    """The path is one that we answer, and the DICOMweb plugin takes what is sent there."""
    study = generate_uid(prefix=None)
    uid, content = copy_of(doors.objects["D"], study)
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n%b\r\n--x--\r\n" % content
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
    path = f"/dicom-web/studies/{study}"
    assert doors.ask("POST", path, "uploader", headers=headers, content=body).status_code == 200
    (kept,) = parts(doors.ask("GET", path, "derm"))
    assert pydicom.dcmread(io.BytesIO(kept)).SOPInstanceUID == uid


class Reader:
    """Asks for a study again and again, on a thread of its own, until it is told to end."""

    def __init__(self, doors: Doors, path: str) -> None:
        self.doors, self.path = doors, path
        self.begun, self.enough = threading.Event(), threading.Event()
        self.answers: list[tuple[int, bytes]] = []
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        auth = ("derm", self.doors.server.passwords["derm"])
        with httpx.Client(trust_env=False, timeout=60, auth=auth) as client:
            while not self.enough.is_set():
                answer = client.get(self.doors.server.url + self.path)
                self.answers.append((answer.status_code, answer.content))
                self.begun.set()

    def end(self) -> None:
        self.enough.set()
        self.thread.join()


@pytest.mark.parametrize("turn", range(3))
def test_a_picture_that_is_filed_while_a_study_is_read_leaves_with_nobody(doors: Doors, turn: int) -> None:
    study = generate_uid(prefix=None)
    for _ in range(4):
        _, content = copy_of(doors.objects["D"], study)
        assert doors.ask("POST", "/instances", "uploader", content=content).json()["ID"]
    orthanc_study = orthanc_id(str(doors.objects["D"].dataset.PatientID), study)
    paths = (f"/dicom-web/studies/{study}", f"/dicom-web/studies/{study}/metadata", f"/studies/{orthanc_study}")
    readers = [Reader(doors, path) for path in (*paths, f"/studies/{orthanc_study}/instances-tags")]
    try:
        assert all(reader.begun.wait(60) for reader in readers)
        uid, content = copy_of(doors.objects["D"], study, intimate=True)
        assert doors.ask("POST", "/instances", "uploader", content=content).json()["ID"]
    finally:
        for reader in readers:
            reader.end()
    for reader in readers:
        assert {status for status, _ in reader.answers} <= {200, 403, 503}
        assert [content for _, content in reader.answers if uid.encode() in content] == []
        assert doors.ask("GET", reader.path, "derm").status_code == 403
