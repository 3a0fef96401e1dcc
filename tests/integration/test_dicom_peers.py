"""DICOM peers that aren't ours at the doors: dcmtk's movescu, getscu and storescp, and what they are told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as StudyRootMove

from demo.peers import CALLED_AET, HOST, Receiver, identifier
from orthanc_plugin.cli.orthancfile import without_comments
from tests.integration.archive import Archive
from tests.integration.stock import dcmtk, orthanc
from tests.unit.dicomwrap.sendable import photographic

AETS = ("DERMCAM", "DERMWS", "TEACHING")
WARNING, FAILED = 0xB000, 0xC000


def counts_each(archive: Archive) -> bool:
    """Tell whether this Orthanc's Python plugin asks for each instance of a C-MOVE (4.2 and later do)."""
    return not str(archive.server.ask("GET", "/system", "admin").json()["Version"]).startswith("1.10.")


def told_by_move(archive: Archive, *studies: str) -> list[tuple[int, ...]]:
    """Return each answer's status and numbers: remaining, completed, failed."""
    entity = AE(ae_title="DERMWS")
    entity.add_requested_context(StudyRootMove)
    association = entity.associate(HOST, archive.server.ports.dicom, ae_title=CALLED_AET)
    asked = identifier("STUDY", {"StudyInstanceUID": "\\".join(studies)})
    answers = [status for status, _ in association.send_c_move(asked, "DERMWS", StudyRootMove)]
    association.release()
    return [numbers(status) for status in answers]


def numbers(status: Dataset) -> tuple[int, ...]:
    keywords = ("Status", "NumberOfRemainingSuboperations", "NumberOfCompletedSuboperations")
    return tuple(int(status.get(keyword) or 0) for keyword in (*keywords, "NumberOfFailedSuboperations"))


def test_each_picture_that_is_delivered_is_told_and_a_refused_one_fails(own_archive: Archive) -> None:
    archive, studies = own_archive, [own_archive.wrapped(letter).study_instance_uid for letter in "AB"]
    by_one = counts_each(archive)
    assert told_by_move(archive, *studies) == (
        [(0xFF00, 1, 1, 0), (0x0000, 0, 2, 0)] if by_one else [(0x0000, 0, 1, 0)]
    )
    assert len(archive.journey.at_workstation.take()) == 2
    withdrawn = archive.server.consentgate("consent", "withdraw", archive.wrapped("A").person.consent, "--by", "clinic")
    assert withdrawn.returncode == 0, withdrawn.stderr
    # Orthanc counts the one that failed as completed, too, and ends there; nothing that may go comes after it.
    assert told_by_move(archive, *studies)[-1] == ((WARNING, 0, 2, 1) if by_one else (WARNING, 0, 1, 1))
    assert [str(each.SOPInstanceUID) for each in archive.journey.at_workstation.take()] == [
        archive.wrapped("B").sop_instance_uid
    ]


def test_a_move_that_delivers_nothing_has_failed(archive: Archive) -> None:
    ((status, *_),) = told_by_move(archive, archive.wrapped("C").study_instance_uid)
    assert status == (FAILED if counts_each(archive) else WARNING)


def test_movescu_and_storescp_get_the_picture(archive: Archive, tmp_path: Path) -> None:
    made, ports = archive.wrapped("A"), archive.server.ports
    journey = archive.journey
    journey.at_workstation.stop()
    taken = tmp_path / "taken"
    taken.mkdir()
    call = ["/usr/bin/movescu", "-S", "-aet", "DERMWS", "-aec", CALLED_AET, "-aem", "DERMWS", HOST, str(ports.dicom)]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={made.study_instance_uid}"]
    try:
        with dcmtk("storescp", taken, ["--prefer-jpeg8", "--aetitle", "DERMWS"], port=ports.workstation):
            done = subprocess.run([*call, *keys], capture_output=True, check=False, timeout=60)
    finally:
        journey.at_workstation = Receiver(aet="DERMWS", port=ports.workstation)
    assert done.returncode == 0, done.stderr
    assert [dcmread(file).SOPInstanceUID for file in taken.glob("VL*")] == [made.sop_instance_uid]


def fetched(aet: str, called: str, port: int, study: str, folder: Path) -> list[str]:
    """Return the instances that dcmtk's getscu gets."""
    folder.mkdir()
    call = ["/usr/bin/getscu", "-S", "-aet", aet, "-aec", called, "-od", str(folder), HOST, str(port)]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    subprocess.run([*call, *keys], capture_output=True, check=False, timeout=60)
    return [str(dcmread(file).SOPInstanceUID) for file in folder.iterdir() if file.stat().st_size]


def test_no_node_that_orthanc_knows_gets_a_picture_by_c_get(archive: Archive, tmp_path: Path) -> None:
    configured = json.loads(without_comments((archive.server.folder / "orthanc.json").read_text()))
    titles = {str(each["AET"]) for each in configured["DicomModalities"].values()}
    assert titles == set(AETS)
    study = archive.wrapped("A").study_instance_uid
    for aet in sorted(titles):
        assert fetched(aet, CALLED_AET, archive.server.ports.dicom, study, tmp_path / aet) == []


def test_an_orthanc_that_nobody_guards_gives_it_to_the_same_call(tmp_path: Path) -> None:
    running = tmp_path / "stock"
    running.mkdir()
    file = photographic(tmp_path / "a.dcm", "2.25.190")
    with orthanc(running, DicomModalities={"us": {"AET": "DERMWS", "Host": HOST, "Port": 1}}) as stock:
        push = ["/usr/bin/storescu", "-xy", "-aet", "DERMWS", "-aec", "ARCHIVE", HOST, str(stock.node.port), str(file)]
        subprocess.run(push, check=True, capture_output=True, timeout=60)
        study = str(dcmread(file).StudyInstanceUID)
        assert fetched("DERMWS", "ARCHIVE", stock.node.port, study, tmp_path / "taken") == ["2.25.190"]


def test_a_known_title_from_another_host_is_nobody(own_archive: Archive) -> None:
    """The title's host is moved away in both files, so that this machine is the other host."""
    server = own_archive.server
    server.stop()
    for name in ("orthanc.json", "policy.toml"):
        file = server.folder / name
        file.write_text(elsewhere(file.read_text()))
    server.start()
    study = own_archive.wrapped("A").study_instance_uid
    assert own_archive.journey.workstation.move("DERMWS", StudyInstanceUID=study) != 0
    assert own_archive.journey.at_workstation.take() == []


def elsewhere(text: str) -> str:
    """Return a file's text with the workstation on another host."""
    before, title, after = text.partition('"DERMWS"')
    return before + title + after.replace(f'"{HOST}"', '"10.255.255.1"', 1)
