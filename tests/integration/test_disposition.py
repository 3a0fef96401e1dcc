"""From a plan to its certificate on a real Orthanc: killed in the middle, restored from a backup, looked at on disk."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from demo.peers import wait_until
from demo.server import ROOT, Server
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.retention.portions import FEWEST
from tests.integration.archive import Archive, started
from tests.integration.destroying import (
    FACTS,
    OFFICERS,
    SECONDS,
    destroyed,
    itself,
    told,
    verified_offline,
)
from tests.integration.needles import needles_of
from tests.integration.striking import killed_at_deletion

COPIES = 22  # with the one of the journey, more than are seen to at once, at first
FEW = FEWEST - 2
SCRIPT = Path(__file__).with_name("guard.py")


@pytest.fixture
def due(tmp_path: Path) -> Iterator[tuple[Archive, str]]:
    """Give an archive with many studies of patient A, who was last seen long ago; and the approved plan on them."""
    with started(tmp_path) as archive:
        server, work = archive.server, archive.journey.work
        made = pydicom.dcmread(archive.wrapped("A").file)
        for number in range(COPIES):
            made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
            made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            made.save_as(work / f"a{number}.dcm")
            assert archive.journey.camera.push(work / f"a{number}.dcm") == 0
        policy = server.folder / "policy.toml"
        policy.write_text(policy.read_text().replace("cooling_off_days = 30", "cooling_off_days = 0") + OFFICERS)
        schedule = told(server, "retention", "schedule", "propose", "--by", "clerk")
        told(server, "retention", "schedule", "activate", str(schedule["sha256"]), "--by", "guardian")
        facts = work / "facts.csv"
        facts.write_text(FACTS.format(patient=archive.wrapped("A").person.patient_id))
        now = datetime.now(UTC).isoformat()
        told(server, "retention", "facts", "import", str(facts), "--source", "pas", "--as-of", now, "--by", "clerk")
        plan = told(server, "retention", "plan", "--by", "clerk")
        assert plan["lines"] == COPIES + 1
        name = str(plan["plan_id"])
        told(server, "retention", "decide", name, "ADULT_GENERAL", "DESTROY", "--reason", "due", "--by", "clerk")
        told(server, "retention", "approve", name, "--by", "guardian")
        yield archive, name


def found_on_disk(folder: Path, needles: frozenset[bytes]) -> set[bytes]:
    """Return those of ``needles`` that are in any file of the folder."""
    contents = (path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {needle for content in contents for needle in needles if needle in content}


def test_what_is_approved_is_destroyed_whatever_happens_and_stays_destroyed(
    due: tuple[Archive, str], tmp_path: Path
) -> None:
    archive, plan = due
    nobody_else_deletes(archive)
    archive.server.stop()
    shutil.copytree(archive.server.folder / "storage", tmp_path / "backup")
    archive.server.start()
    certificate = executed_though_killed(archive, plan)
    no_door_shows_it(archive)
    verified_offline(archive.server, certificate, tmp_path)
    consent = withdrawn_since_the_backup(archive, tmp_path)
    archive.server.stop()
    nothing_left_on_disk(archive)
    restored(archive.server, tmp_path)
    destroyed_again_before_the_doors_open(archive)
    assert "TEACHING" in withdrawn(archive.server, consent)
    held_when_it_comes_again(archive)
    what_is_deleted_behind_the_doors_is_noticed_at_once(archive)
    what_vanishes_is_noticed(archive)


def test_an_execution_killed_while_orthanc_deletes_is_taken_up(due: tuple[Archive, str], tmp_path: Path) -> None:
    archive, plan = due
    server = archive.server
    before = itself(server).instances()
    killed_at_deletion(server, plan, FEW + 1, lambda: len(before - itself(server).instances()) == FEW)
    assert destroyed(server) == set()  # nothing is written down by then, whatever Orthanc has let go of
    assert len(before - itself(server).instances()) == FEW
    report = told(server, "retention", "apply", plan, "--by", "clerk")
    assert len(destroyed(server)) == COPIES + 1
    assert itself(server).instances() == {archive.wrapped("B").orthanc_instance}
    certificate = json.loads(Path(str(report["certificate"])).read_text())
    assert (certificate["counts"]["records"], certificate["not_destroyed"]) == (COPIES + 1, [])
    verified_offline(server, Path(str(report["certificate"])), tmp_path)
    assert "The trail is whole" in server.consentgate("audit", "verify").stdout


def nobody_else_deletes(archive: Archive) -> None:
    path = f"/instances/{archive.wrapped('A').orthanc_instance}"
    assert archive.server.ask("GET", path, "derm").status_code == 200
    for account in ("admin", "derm", ""):
        assert archive.server.ask("DELETE", path, account).status_code in (401, 403)
    with pytest.raises(ArchiveError):  # the secret of the start isn't enough: nothing has marked it
        itself(archive.server).delete(archive.wrapped("A").orthanc_instance)
    assert archive.server.ask("GET", path, "derm").status_code == 200


def executed_though_killed(archive: Archive, plan: str) -> Path:
    """Execute the plan, killed in the middle and taken up again; return the certificate."""
    server = archive.server
    killed_at_deletion(server, plan, FEWEST + 2, lambda: bool(destroyed(server)))
    gone = destroyed(server)
    assert len(gone) == FEWEST  # the first of the next ones is gone, too, and not written down
    assert not gone & itself(server).instances()
    assert len(itself(server).instances()) == COPIES - FEWEST + 1
    report = told(server, "retention", "apply", plan, "--by", "clerk")
    assert len(destroyed(server)) == COPIES + 1
    assert itself(server).instances() == {archive.wrapped("B").orthanc_instance}
    assert "The trail is whole" in server.consentgate("audit", "verify").stdout
    return Path(str(report["certificate"]))


def no_door_shows_it(archive: Archive) -> None:
    server, made = archive.server, archive.wrapped("A")
    for path in (f"/instances/{made.orthanc_instance}/file", f"/dicom-web/studies/{made.study_instance_uid}"):
        assert server.ask("GET", path, "derm").status_code in (403, 404)
    for listing in ("/dicom-web/studies", "/dicom-web/instances"):
        assert made.study_instance_uid not in server.ask("GET", listing, "derm").text
    archive.journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid)
    assert not archive.journey.at_workstation.take()


def held_when_it_comes_again(archive: Archive) -> None:
    assert archive.journey.camera.push(archive.wrapped("A").file) == 0
    held = json.loads(archive.server.consentgate("quarantine", "list", "--json").stdout)
    assert any("DISPOSED_BEFORE" in str(each["reasons"]) for each in held)


def nothing_left_on_disk(archive: Archive) -> None:
    """Look for pixels, names and ids: what proves the use of a picture names it by its UID, and the patient stays."""
    with closing(sqlite3.connect(archive.server.folder / "registry.db", isolation_level=None)) as registry:
        registry.execute("VACUUM")  # as docs/retention.md says
        registry.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    made = archive.wrapped("A")
    kept = {made.person.patient_id.encode(), made.person.birth_date.replace("-", "").encode()}
    kept.add(made.sop_instance_uid.encode())
    needles = needles_of(made.file)
    assert found_on_disk(archive.server.folder, needles) <= kept
    assert found_on_disk(archive.server.folder / "storage", needles) == set()


def withdrawn_since_the_backup(archive: Archive, folder: Path) -> str:
    """Make a backup of the registry, then withdraw B's consent to teaching; return that consent."""
    server = archive.server
    shutil.copy(server.folder / "trail.checkpoints", folder / "heads")
    with (
        closing(sqlite3.connect(server.folder / "registry.db")) as live,
        closing(sqlite3.connect(folder / "r")) as copy,
    ):
        live.backup(copy)
        query = "SELECT consent_id FROM images WHERE sop_instance_uid = ?"
        ((consent,),) = live.execute(query, (archive.wrapped("B").sop_instance_uid,))
    told(server, "consent", "withdraw", consent, "--purpose", "TEACHING", "--by", "clinic")
    assert "TEACHING" in withdrawn(server, consent)
    return str(consent)


def withdrawn(server: Server, consent: str) -> str:
    with closing(sqlite3.connect(server.folder / "registry.db")) as registry:
        query = "SELECT record FROM consents WHERE consent_id = ? ORDER BY version DESC LIMIT 1"
        ((record,),) = registry.execute(query, (consent,))
    return str(json.loads(record).get("withdrawn_purposes"))


def restored(server: Server, backup: Path) -> None:
    """Bring back last month's files and index of the archive, and a registry from before the withdrawal."""
    shutil.rmtree(server.folder / "storage")
    shutil.copytree(backup / "backup", server.folder / "storage")
    for path in server.folder.glob("registry.db*"):
        path.unlink()
    shutil.copy(backup / "r", server.folder / "registry.db")
    shutil.copy(backup / "heads", server.folder / "trail.checkpoints")


def destroyed_again_before_the_doors_open(archive: Archive) -> None:
    server = archive.server
    server.start()
    other = f"/instances/{archive.wrapped('B').orthanc_instance}"
    assert server.ask("GET", other, "derm").status_code == 403
    found = told(server, "retention", "reconcile", "--by", "clerk")
    assert (found["destroyed"], found["remaining"], found["missing"]) == (COPIES + 1, 0, [])
    assert found["withdrawn"] == 1
    assert wait_until(lambda: server.ask("GET", other, "derm").status_code == 200, SECONDS)
    assert itself(server).instances() == {archive.wrapped("B").orthanc_instance}


def what_is_deleted_behind_the_doors_is_noticed_at_once(archive: Archive) -> None:
    server, configuration = archive.server, archive.server.folder / "orthanc.json"
    server.stop()
    before = configuration.read_text()
    configuration.write_text(before.replace(str(ROOT / "docker" / "consent_gate.py"), str(SCRIPT)))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CONSENTGATE_TEST_GUARD", "deletes")
        server.start()
    assert wait_until(lambda: itself(server).instances() == frozenset(), SECONDS)
    lost = (archive.wrapped("B").sop_instance_uid, "UNPLANNED_DESTRUCTION")

    def told_of() -> bool:
        found = json.loads(server.consentgate("task", "list", "--json").stdout)
        return lost in {(each["subject"], each["kind"]) for each in found}

    assert wait_until(told_of, SECONDS)
    assert "The trail is whole" in server.consentgate("audit", "verify").stdout
    configuration.write_text(before)


def what_vanishes_is_noticed(archive: Archive) -> None:
    server = archive.server
    server.stop()
    shutil.rmtree(server.folder / "storage")
    server.start()
    found = told(server, "retention", "reconcile", "--by", "clerk", status=1)
    assert found["missing"] == [archive.wrapped("B").sop_instance_uid]
    assert "UNPLANNED_DESTRUCTION" in server.consentgate("task", "list").stdout
