"""After the execution: what comes back, what is missing, what is told, and whether the records are as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.cli.audit import RECORDS
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.restored import RESTORED, Restored
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import patients, stubs
from orthanc_plugin.registry.trail import details
from orthanc_plugin.retention import certifying, reconciling, unplanned
from orthanc_plugin.retention.certificate import CertificateError
from orthanc_plugin.retention.page import page
from orthanc_plugin.retention.reconciling import Reconciled
from orthanc_plugin.retention.reporting import report
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, office
from tests.fakes.pictures import CARE, UID, encoded, photograph
from tests.fakes.world import World

SECOND = f"{UID}.2"


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with two pictures of one study that fell due long ago."""
    return opened(world)


@pytest.fixture
def either_bureau(either_world: World) -> Office:
    """Give the same on each database: for what requirements 4 demands of both, (a) to (j)."""
    return opened(either_world)


def opened(world: World) -> Office:
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return office(world)


def certified(bureau: Office) -> str:
    """Execute a plan, write its certificate, and return its text."""
    _, certificate = bureau.execute(bureau.approved())
    number = json.loads(certificate.text)["number"]
    certifying.write_files(folder(bureau), number, certificate.text)
    return certificate.text


def folder(bureau: Office) -> Path:
    settings = bureau.world.services.settings
    return settings.path(settings.trail.certificates)


def reconcile(bureau: Office) -> Reconciled:
    services = bureau.world.services
    shredder = bureau.execution().shredder
    key = services.heads.key.public_key()
    return reconciling.reconcile(services.database, shredder, lambda: bureau.act("clerk"), folder(bureau), key)


def restore(bureau: Office, objects: dict[str, bytes]) -> None:
    bureau.world.archive.objects.update(objects)
    bureau.archive.fill()


def standing(bureau: Office) -> Restored:
    found = Restored(bureau.world.services, bureau.world.archive)
    found.check()
    return found


def test_an_archive_restored_from_a_backup_stays_shut_until_it_is_reconciled(either_bureau: Office) -> None:
    backup = dict(either_bureau.world.archive.objects)
    certified(either_bureau)
    restore(either_bureau, backup)
    found = standing(either_bureau)
    assert either_bureau.world.services.gate.closed == RESTORED
    assert reconcile(either_bureau) == Reconciled(remembered=0, destroyed=2, remaining=0, missing=())
    found.look_again()
    assert either_bureau.world.services.gate.closed is None
    assert either_bureau.world.archive.objects == {}


def test_a_registry_that_has_forgotten_its_stubs_is_told_by_the_certificates(bureau: Office) -> None:
    backup = dict(bureau.world.archive.objects)
    certified(bureau)
    restore(bureau, backup)
    tables = ("disposition_stubs", "disposed_objects", "disposition_batches", "disposition_outcomes")
    for table in tables:
        bureau.world.sql(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    found = standing(bureau)
    assert bureau.world.services.gate.closed == RESTORED
    assert reconcile(bureau) == Reconciled(remembered=1, destroyed=2, remaining=0, missing=())
    found.look_again()
    assert bureau.world.services.gate.closed is None


def test_nothing_is_destroyed_on_the_word_of_a_certificate_that_was_changed(either_bureau: Office) -> None:
    backup = dict(either_bureau.world.archive.objects)
    text = certified(either_bureau)
    restore(either_bureau, backup)
    either_bureau.world.sql("DELETE FROM disposition_batches")
    either_bureau.world.sql("DELETE FROM disposition_stubs")
    (file,) = folder(either_bureau).glob("*.json")
    file.write_text(text.replace("ADULT_GENERAL", "CHILD"))
    with pytest.raises(CertificateError):
        reconcile(either_bureau)
    assert len(either_bureau.world.archive.objects) == 2


def test_an_archive_that_was_never_restored_is_open(bureau: Office) -> None:
    certified(bureau)
    standing(bureau)
    assert bureau.world.services.gate.closed is None


def test_a_picture_that_vanished_is_put_on_the_records_officer_s_list_once(either_bureau: Office) -> None:
    either_bureau.world.archive.objects.pop(either_bureau.world.row().orthanc_instance)
    assert reconcile(either_bureau).missing == (UID,)
    assert reconcile(either_bureau).missing == (UID,)
    assert [(task["kind"], task["owner"]) for task in either_bureau.world.tasks()] == [
        ("UNPLANNED_DESTRUCTION", "RECORDS_OFFICER")
    ]


def test_a_picture_whose_file_vanished_from_the_disk_is_put_on_the_list_though_orthanc_has_it(
    either_bureau: Office,
) -> None:
    either_bureau.archive.file_of(either_bureau.world.row().orthanc_instance).unlink()
    assert reconcile(either_bureau).missing == (UID,)
    assert [task["kind"] for task in either_bureau.world.tasks()] == ["UNPLANNED_DESTRUCTION"]


def test_where_no_file_is_found_at_all_every_picture_is_on_the_list(bureau: Office) -> None:
    uids = {row.sop_instance_uid for row in bureau.world.rows()}
    for row in bureau.world.rows():
        bureau.archive.file_of(row.orthanc_instance).unlink()
    assert {*reconcile(bureau).missing} == uids
    assert {task["subject"] for task in bureau.world.tasks()} == uids


def test_what_we_destroy_ourselves_is_no_accident(bureau: Office) -> None:
    names = [row.orthanc_instance for row in bureau.world.rows()]
    bureau.execute(bureau.approved())
    with bureau.world.services.database.writing() as connection:
        assert unplanned.tell(connection, bureau.act(), names) == ()


def test_a_destroyed_picture_that_is_sent_again_is_held_and_says_why(bureau: Office) -> None:
    bureau.execute(bureau.approved())
    verdict = bureau.world.receive(encoded(photograph(uid=UID)))
    assert verdict.content is None
    assert [reason.partition(":")[0] for reason in verdict.reasons] == ["DISPOSED_BEFORE"]
    assert bureau.world.row(UID).status is ImageStatus.DISPOSED


def test_subject_access_is_told_what_was_destroyed_and_when(either_bureau: Office) -> None:
    row = either_bureau.world.row()
    either_bureau.execute(either_bureau.approved())
    with either_bureau.world.services.database.reading() as connection:
        (stub,) = stubs.of_patient(connection, patients.numbers(connection, (row.patient_id, row.issuer)))
    assert (stub.objects, stub.rule, stub.approved_by) == (2, "ADULT_GENERAL", "guardian")


def test_the_registry_forgets_whose_it_was(bureau: Office) -> None:
    before = bureau.world.row()
    bureau.execute(bureau.approved())
    after = bureau.world.row()
    assert (after.study_instance_uid, after.sha256, after.accession_number, after.consent_id) == ("", "", "", None)
    assert after.patient_id != before.patient_id
    assert bureau.world.sql("SELECT study_instance_uid, words FROM disposition_lines") == [("", "")]


def unlike(bureau: Office) -> set[str]:
    """Return the kinds of record that aren't as the trail has them, as 'audit verify' looks."""
    with bureau.world.services.database.reading() as connection:
        said = dict(details(connection))
        return {
            kind
            for kind, (seal, seals) in RECORDS.items()
            if kind.startswith("disposition")
            and {each.partition(" sha256 ")[0]: each for each in said if each.startswith(seal)}
            != {each.partition(" sha256 ")[0]: each for each in seals(connection)}
        }


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE disposition_plans SET proposed_by = 'else'", "disposition plan"),
        ("UPDATE disposition_lines SET rule = 'CHILD'", "disposition plan"),
        ("UPDATE disposition_decisions SET decided_by = 'else'", "disposition decision"),
        ("UPDATE disposition_approvals SET approved_at = '2020-01-01'", "disposition approval"),
        ("UPDATE disposition_outcomes SET state = 'DROPPED'", "disposition outcome"),
        ("UPDATE disposition_stubs SET rule = 'CHILD'", "disposition stub"),
        ("UPDATE disposition_batches SET certificate = 'x'", "disposition certificate"),
    ],
)
def test_a_changed_row_is_noticed(change: str, kind: str, bureau: Office) -> None:
    bureau.execute(bureau.approved())
    assert unlike(bureau) == set()
    bureau.world.sql(change)
    assert unlike(bureau) == {kind}


def test_the_year_s_report_counts_without_names(bureau: Office) -> None:
    bureau.execute(bureau.approved())
    with bureau.world.services.database.reading() as connection:
        found = {(each.part, each.name): each.records for each in report(connection, 2026)}
    assert found[("destroyed", "ADULT_GENERAL")] == 1
    assert found[("decided", "DESTROY")] == 1
    assert found[("exceptions", "DROPPED")] == 0


def test_the_page_of_a_certificate_escapes_what_it_shows(bureau: Office) -> None:
    text = certified(bureau).replace("guardian", "<script>alert(1)</script>")
    assert "<script>" not in page(text)
    assert "Certificate of destruction" in page(text)


@pytest.mark.parametrize("fault", [lambda path: path.rmdir(), lambda path: (path.rmdir(), path.write_text(""))])
def test_files_that_can_t_be_looked_for_are_never_taken_for_gone(
    fault: Callable[[Path], object], tmp_path: Path
) -> None:
    area = tmp_path / "storage"
    area.mkdir()
    StorageArea(area).require()
    fault(area)
    with pytest.raises(ArchiveError, match="Orthanc's machine"):
        StorageArea(area).require()


def test_a_picture_made_for_teaching_alone_is_due_the_day_after_it_is_withdrawn(bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=date(2026, 1, 1)))
    bureau.world.sql("UPDATE images SET made_for = 'SECONDARY'")
    bureau.world.withdraw()
    assert bureau.plan().lines == 0
    bureau.world.clock.advance(days=1)
    bureau.tell(replace(LONG_AGO, last_contact=date(2026, 1, 1)))
    assert bureau.plan().lines == 1
    assert bureau.world.sql("SELECT rule, due_date FROM disposition_lines") == [("SECONDARY_ONLY", "2026-11-22")]
