"""A reading room asks for an export by a key object, by C-STORE and by HTTP; another archive rejects a picture.

One real Orthanc for all of it, in the order of the tests: what one files, the next finds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import KeyObjectSelectionDocumentStorage

from demo.journey import Journey
from demo.peers import CALLED_AET, HOST
from demo.server import Server
from dicomwrap.iod.keyobject import PATIENT_SAFETY, Code, Referenced, Study, Uids, key_object
from dicomwrap.subject import Patient
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.archive import today
from tests.integration.doorways import configured

TEACHING_FILE = Code(value="128710", scheme="DCM", meaning="For Teaching File Export")
NODES = """
[[dicom_nodes]]
name = "reading-room"
aet = "READROOM"
host = "127.0.0.1"
may = ["store", "request-export"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[dicom_nodes]]
name = "old-archive"
aet = "OLDPACS"
host = "127.0.0.1"
may = ["store", "reject"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[users]]
name = "reader"
roles = ["store", "request-export"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"

[[routes]]
name = "for-teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "medical school"
triggers = ["KEY_OBJECT"]

"""
MODALITY = """"{name}": {{
      "AET": "{aet}", "Host": "127.0.0.1", "Port": {port},
      "AllowEcho": true, "AllowStore": true, "AllowFind": false, "AllowFindWorklist": false,
      "AllowGet": false, "AllowMove": false, "AllowNAction": false, "AllowEventReport": false
    }},
    """


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """The archive, and who asks it."""

    server: Server
    journey: Journey

    def picture(self, letter: str) -> Dataset:
        return pydicom.dcmread(self.journey.wrapped[letter].file)

    def note(self, title: Code, letter: str, number: int = 1) -> bytes:
        """Return a key object on a patient's photograph."""
        said = self.picture(letter)
        study = str(said.StudyInstanceUID)
        reference = Referenced(
            study_instance_uid=study,
            series_instance_uid=str(said.SeriesInstanceUID),
            sop_class_uid=str(said.SOPClassUID),
            sop_instance_uid=str(said.SOPInstanceUID),
        )
        return key_object(
            title,
            [reference],
            patient=Patient(id=str(said.PatientID), issuer=str(said.IssuerOfPatientID), name=str(said.PatientName)),
            study=Study(study_instance_uid=study),
            uids=Uids.derived(title.value, letter, str(number)),
            at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
        )

    def stored(self, content: bytes, aet: str) -> int:
        """Send an object by C-STORE; return the status."""
        dataset = pydicom.dcmread(BytesIO(content))
        entity = AE(ae_title=aet)
        entity.add_requested_context(KeyObjectSelectionDocumentStorage, dataset.file_meta.TransferSyntaxUID)
        association = entity.associate(HOST, self.server.ports.dicom, ae_title=CALLED_AET)
        assert association.is_established
        answer = association.send_c_store(dataset)
        association.release()
        return int(answer.Status)

    def told(self, *arguments: str) -> list[dict[str, object]]:
        done = self.server.consentgate(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    def shown(self, content: bytes, account: str) -> dict[str, int]:
        """Return what each door that could give an object answers."""
        said = pydicom.dcmread(BytesIO(content))
        uids = (str(said.StudyInstanceUID), str(said.SeriesInstanceUID), str(said.SOPInstanceUID))
        name = orthanc_id(str(said.PatientID), *uids)
        study, series, instance = uids
        within = f"/dicom-web/studies/{study}/series/{series}"
        paths = (
            f"/instances/{name}/file",
            f"/instances/{name}/tags",
            f"{within}/instances/{instance}",
            f"{within}/instances/{instance}/metadata",
            f"/wado?requestType=WADO&objectUID={instance}&contentType=application/dicom",
        )
        return {path: self.server.ask("GET", path, account).status_code for path in paths}

    def listed(self, content: bytes, account: str) -> bool:
        said = pydicom.dcmread(BytesIO(content))
        answer = self.server.ask("GET", f"/dicom-web/studies/{said.StudyInstanceUID}/instances", account)
        return str(said.SOPInstanceUID) in answer.text


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("hospital")
    server, work = configured(folder / "orthanc"), folder / "work"
    policy, orthanc = server.folder / "policy.toml", server.folder / "orthanc.json"
    policy.write_text(policy.read_text().replace("\n[profiles.teaching]", f"\n{NODES}[profiles.teaching]"))
    port = server.ports.camera
    nodes = "".join(
        MODALITY.format(name=name, aet=aet, port=port) for name, aet in (("reading", "READROOM"), ("old", "OLDPACS"))
    )
    text = orthanc.read_text().replace('"camera": {', f'{nodes}"camera": {{', 1)
    orthanc.write_text(text.replace('"derm":', '"reader": "a password of the test",\n    "derm":', 1))
    work.mkdir()
    server.start()
    journey = Journey(server=server, work=work, today=today(), show=lambda _line: None)
    try:
        journey.wrap()
        journey.push()
        assert journey.wrong == 0
        yield Hospital(server=server, journey=journey)
    finally:
        journey.at_workstation.stop()
        journey.at_teaching.stop()
        server.stop()


def test_a_workstation_asks_by_c_store_and_an_account_by_http(hospital: Hospital) -> None:
    by_node, by_account = hospital.note(TEACHING_FILE, "B", 1), hospital.note(TEACHING_FILE, "B", 2)
    by_uploader = hospital.note(TEACHING_FILE, "B", 3)
    assert hospital.stored(by_node, "READROOM") == 0x0000
    for account, content in (("reader", by_account), ("uploader", by_uploader)):
        assert hospital.server.ask("POST", "/instances", account, content=content).status_code == 200
    found = {str(each["sender"]): each for each in hospital.told("export", "list", "--all")}
    assert {sender: each["state"] for sender, each in found.items()} == {
        "reading-room": "REQUESTED",
        "reader": "REQUESTED",
        "uploader": "NO_EFFECT",
    }
    assert (found["reading-room"]["queued"], found["reader"]["queued"]) == (1, 0)
    (picture,) = hospital.told("export", "show", str(found["reading-room"]["request"]))
    assert (picture["standing"], picture["recipient"]) == ("waiting for review", "teaching-archive")


def test_what_was_asked_for_leaves_by_itself_once_somebody_has_looked(hospital: Hospital) -> None:
    request, receiver = pydicom.dcmread(BytesIO(hospital.note(TEACHING_FILE, "B", 1))), hospital.journey.at_teaching
    assert hospital.server.consentgate("courier", "--once").returncode == 0
    assert receiver.take() == []
    uid = str(hospital.picture("B").SOPInstanceUID)
    confirm = ("review", "confirm", uid, "--nothing-identifying", "--by", "Reviewer One")
    assert hospital.server.consentgate(*confirm).returncode == 0
    assert hospital.server.consentgate("courier", "--once").returncode == 0
    (copy,) = receiver.take()
    assert str(copy.PatientID) != str(hospital.picture("B").PatientID)
    (picture,) = hospital.told("export", "show", str(request.SOPInstanceUID))
    assert picture["standing"] == "delivered"


def test_no_door_gives_a_key_object_to_who_may_have_the_picture(hospital: Hospital) -> None:
    note = hospital.note(TEACHING_FILE, "B", 1)
    for account in ("derm", "teacher"):
        answers = hospital.shown(note, account)
        assert not [path for path, status in answers.items() if status == 200], answers
    assert not hospital.listed(note, "derm")
    assert hospital.listed(hospital.journey.wrapped["B"].file.read_bytes(), "derm")
    study = str(hospital.picture("B").StudyInstanceUID)
    assert hospital.journey.workstation.move("DERMWS", StudyInstanceUID=study) == 0x0000
    assert [each.SOPClassUID for each in hospital.journey.at_workstation.take()] == [hospital.picture("B").SOPClassUID]


def test_a_study_with_a_key_object_in_it_is_told_of_and_given_as_if_it_had_none(hospital: Hospital) -> None:
    server, note = hospital.server, pydicom.dcmread(BytesIO(hospital.note(TEACHING_FILE, "B", 1)))
    uids = (str(note.StudyInstanceUID), str(note.SeriesInstanceUID), str(note.SOPInstanceUID))
    patient = str(note.PatientID)
    names = [*uids[1:], orthanc_id(patient, *uids[:2]), orthanc_id(patient, *uids)]
    study, web = f"/studies/{orthanc_id(patient, *uids[:1])}", f"/dicom-web/studies/{uids[0]}"
    tails = ("", "/series", "/instances", "/statistics", "/shared-tags", "/instances-tags", "/module", "/archive")
    answers = {path: server.ask("GET", path, "derm") for path in (web, f"{web}/metadata", *(study + t for t in tails))}
    assert {path: each.status_code for path, each in answers.items()} == dict.fromkeys(answers, 200)
    assert not [path for path, each in answers.items() if any(name.encode() in each.content for name in names)]
    assert str(hospital.picture("B").SOPInstanceUID).encode() in answers[web].content
    counted = answers[f"{study}/statistics"].json()
    assert (counted["CountSeries"], counted["CountInstances"], int(counted["DiskSize"]) > 0) == (1, 1, True)
    assert len(answers[f"{study}/instances"].json()) == len(answers[f"{study}/series"].json()) == 1
    assert answers[f"{study}/module"].json()["0020,000d"]["Value"] == uids[0]
    alone = (f"/series/{names[2]}", f"{web}/series/{uids[1]}", f"{web}/series/{uids[1]}/metadata")
    assert [server.ask("GET", path, "derm").status_code for path in alone] == [403] * 3


def test_another_archive_s_rejection_holds_a_picture_back_until_somebody_lifts_it(hospital: Hospital) -> None:
    photograph = hospital.journey.wrapped["A"].file.read_bytes()
    assert hospital.shown(photograph, "derm")[_file(photograph)] == 200
    assert hospital.stored(hospital.note(PATIENT_SAFETY, "A", 1), "READROOM") == 0x0000
    assert hospital.shown(photograph, "derm")[_file(photograph)] == 200
    assert hospital.stored(hospital.note(PATIENT_SAFETY, "A", 2), "OLDPACS") == 0x0000
    answers = hospital.shown(photograph, "derm")
    assert not [path for path, status in answers.items() if status == 200], answers
    assert not hospital.listed(photograph, "derm")
    assert hospital.journey.camera.push(hospital.journey.wrapped["A"].file) == 0
    held = hospital.told("quarantine", "list")
    assert [str(each["reasons"][0]).partition(":")[0] for each in held].count("REJECTED_ELSEWHERE") == 1  # type: ignore[index]
    (rejected,) = hospital.told("rejection", "list")
    lift = ("rejection", "lift", str(rejected["rejection"]), "--reason", "looked at", "--by", "governance")
    assert hospital.server.consentgate(*lift).returncode == 0
    assert hospital.shown(photograph, "derm")[_file(photograph)] == 200


def test_all_of_it_is_in_a_trail_that_is_whole(hospital: Hospital) -> None:
    done = hospital.server.consentgate("audit", "verify")
    assert done.returncode == 0, done.stdout
    effects = [each["effect"] for each in hospital.server.audit(200)]
    assert effects.count("EXPORT_REQUESTED") == 2
    assert effects.count("KEY_OBJECT_WITHOUT_EFFECT") == 2
    assert [effects.count(each) for each in ("REJECTED_ELSEWHERE", "REJECTION_LIFTED")] == [1, 1]


def _file(content: bytes) -> str:
    said = pydicom.dcmread(BytesIO(content))
    uids = (str(said.StudyInstanceUID), str(said.SeriesInstanceUID), str(said.SOPInstanceUID))
    return f"/instances/{orthanc_id(str(said.PatientID), *uids)}/file"
