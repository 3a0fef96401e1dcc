"""What a hostile review found, tried again on a real Orthanc: each of these once opened a door or lost a picture."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pynetdicom import AE

from demo.consents import PEOPLE, consent_file
from demo.peers import CALLED_AET, HOST, Receiver, wait_until
from dicomwrap.bitstream.clean import cleaned
from tests.integration.archive import Archive, today
from tests.integration.test_intake import changed, reasons

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"


def record(archive: Archive, folder: Path, letter: str, **values: object) -> None:
    person = next(each for each in PEOPLE if each.letter == letter)
    content = json.loads(consent_file(person, folder, today()).read_text()) | values
    file = folder / "record.json"
    file.write_text(json.dumps(content))
    done = archive.server.consentgate("consent", "add", str(file), "--by", "officer")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("keyword", "letter"), [("SOPInstanceUID", "B"), ("StudyInstanceUID", "B"), ("SeriesInstanceUID", "B")]
)
def test_a_uid_that_two_parsers_read_otherwise_is_refused_aloud(
    archive: Archive, tmp_path: Path, keyword: str, letter: str
) -> None:
    target = str(getattr(pydicom.dcmread(archive.wrapped(letter).file), keyword))
    with pydicom.config.disable_value_validation():
        changed(archive, "A", tmp_path / "odd.dcm", **{keyword: target + "\0y"})
    content = (tmp_path / "odd.dcm").read_bytes()
    assert archive.journey.camera.push(tmp_path / "odd.dcm") != 0
    assert archive.server.ask("POST", "/instances", "uploader", content=content).status_code in (400, 500)


def test_an_element_that_is_there_twice_is_refused_aloud(archive: Archive, tmp_path: Path) -> None:
    changed(archive, "A", tmp_path / "twice.dcm")
    content = (tmp_path / "twice.dcm").read_bytes()
    at = content.index(b"\x08\x00\x18\x00UI")
    length = 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    doubled = content[:at] + content[at : at + length] + content[at:]
    answer = archive.server.ask("POST", "/instances", "uploader", content=doubled)
    assert answer.status_code in (400, 500)


@pytest.mark.parametrize("values", [{"issuer": None}, {"issuer": " HOSPITAL "}, {"patient_id": "DEMO-1001 "}])
def test_a_refusal_counts_however_the_patient_is_written(
    own_archive: Archive, tmp_path: Path, values: dict[str, object]
) -> None:
    archive = own_archive
    record(archive, tmp_path, "A", id="urn:uuid:00000000-0000-4000-8000-000000000001", state="REFUSED", **values)
    path = f"/instances/{archive.wrapped('A').orthanc_instance}/file"
    assert archive.server.ask("GET", path, "derm").status_code == 403


class SlowReceiver(Receiver):
    """Takes its time over each picture."""

    def _store(self, event: object) -> int:
        time.sleep(3)
        return super()._store(event)  # type: ignore[arg-type]


def test_a_withdrawal_stops_the_move_that_is_running(own_archive: Archive, tmp_path: Path) -> None:
    archive = own_archive
    for number in range(3):
        changed(archive, "A", tmp_path / f"{number}.dcm")
        assert archive.journey.camera.push(tmp_path / f"{number}.dcm") == 0
    archive.journey.at_workstation.stop()
    slow = SlowReceiver(aet="DERMWS", port=archive.server.ports.workstation)
    statuses: list[int] = []
    study = archive.wrapped("A").study_instance_uid

    def move() -> None:
        statuses.append(archive.journey.workstation.move("DERMWS", StudyInstanceUID=study))

    moving = threading.Thread(target=move)
    try:
        moving.start()
        assert wait_until(lambda: len(slow.received) >= 1, 20)
        consent = archive.wrapped("A").person.consent
        assert archive.server.consentgate("consent", "withdraw", consent, "--by", "clinic").returncode == 0
        moving.join(60)
    finally:
        slow.stop()
        archive.journey.at_workstation = Receiver(aet="DERMWS", port=archive.server.ports.workstation)
    assert statuses == [0xB000]
    assert len(slow.received) <= 2  # the one under way at the withdrawal may still end


def test_a_consent_for_one_picture_files_no_other(archive: Archive, tmp_path: Path) -> None:
    other = "urn:uuid:00000000-0000-4000-8000-000000000002"
    record(archive, tmp_path, "A", id=other, level="IMAGE", targets=["2.25.1"])
    dataset = pydicom.dcmread(archive.wrapped("A").file)
    block = dataset.private_block(0x0077, "DICOMWRAP CONSENT 1")
    block[0x02].value = other
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
    dataset.save_as(tmp_path / "stamped.dcm", enforce_file_format=True)
    assert archive.journey.camera.push(tmp_path / "stamped.dcm") == 0
    assert reasons(archive, str(dataset.SOPInstanceUID)) == ["CONSENT_OF_ANOTHER_PICTURE"]


def test_a_photograph_in_an_unchecked_transfer_syntax_waits_in_quarantine(archive: Archive, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(archive.wrapped("A").file)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(prefix=None)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGExtended12Bit
    dataset.save_as(tmp_path / "extended.dcm", enforce_file_format=True)
    content = (tmp_path / "extended.dcm").read_bytes()
    assert archive.server.ask("POST", "/instances", "uploader", content=content).json()["ID"] == ""
    assert "SYNTAX_NOT_CHECKED" in reasons(archive, str(dataset.SOPInstanceUID))


def test_a_node_that_stores_nothing_learns_nothing_by_storage_commitment(archive: Archive) -> None:
    entity = AE(ae_title="TEACHING")
    entity.add_requested_context(STORAGE_COMMITMENT)
    association = entity.associate(HOST, archive.server.ports.dicom, ae_title=CALLED_AET)
    asked, item = Dataset(), Dataset()
    asked.TransactionUID = pydicom.uid.generate_uid(prefix=None)
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    item.ReferencedSOPInstanceUID = archive.wrapped("A").sop_instance_uid
    asked.ReferencedSOPSequence = [item]
    status = Dataset()
    if association.is_established:
        status, _ = association.send_n_action(asked, 1, STORAGE_COMMITMENT, COMMITMENT_INSTANCE)
        association.release()
    assert status.get("Status") != 0x0000


def test_a_picture_that_was_swapped_after_its_review_does_not_leave(own_archive: Archive, tmp_path: Path) -> None:
    archive, made = own_archive, own_archive.wrapped("B")
    reviewed = archive.server.consentgate(
        "review", "confirm", made.sop_instance_uid, "--nothing-identifying", "--by", "Reviewer One"
    )
    assert reviewed.returncode == 0
    archive.server.stop()
    other = pydicom.dcmread(archive.wrapped("C").file)
    swapped = pydicom.dcmread(made.file)
    swapped.PixelData = encapsulate([cleaned(archive.wrapped("C").photo.read_bytes())])
    assert other.PixelData == swapped.PixelData
    swapped.save_as(tmp_path / "swapped.dcm", enforce_file_format=True)
    stored = [
        file
        for file in (archive.server.folder / "storage").rglob("*")
        if file.is_file()
        and made.sop_instance_uid.encode() in file.read_bytes()[:4096]
        and b"DICM" in file.read_bytes()[:132]
    ]
    assert len(stored) == 1
    stored[0].write_bytes(
        (tmp_path / "swapped.dcm").read_bytes()[: stored[0].stat().st_size].ljust(stored[0].stat().st_size, b"\0")
    )
    archive.server.start()
    study = made.study_instance_uid
    assert archive.journey.teaching.move("TEACHING", StudyInstanceUID=study) != 0
    assert archive.journey.at_teaching.take() == []
    said = [entry["reasons"] for entry in archive.server.audit(10) if entry["rules"] == ["OBLIGATION_UNMET"]]
    assert said == [["The stored object is not the one that was accepted."]]
