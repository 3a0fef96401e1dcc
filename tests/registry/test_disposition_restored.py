"""After a restore, whatever was restored: what is destroyed goes again, no door opens before, and none stays shut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path

import pytest

from dicomwrap.subject import Patient
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.restored import Restored
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.lifecycle import holding
from orthanc_plugin.policy.expiryholds import Population
from orthanc_plugin.policy.expirymodel import HoldKind
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, holdings
from orthanc_plugin.registry.disposals import Marked, State
from orthanc_plugin.registry.holds import Order
from orthanc_plugin.registry.images import ImageRow, orthanc_id
from orthanc_plugin.registry.tables import images
from orthanc_plugin.retention import certifying, interim, reconciling
from orthanc_plugin.retention.certificate import CertificateError
from orthanc_plugin.retention.reconciling import MANY, Reconciled
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, office
from tests.fakes.pictures import CARE, UID, encoded, photograph
from tests.fakes.records import ORDER, held
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT

TABLES = ("disposition_stubs", "disposed_objects", "disposition_batches", "disposition_outcomes")


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with a picture that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def folder(bureau: Office) -> Path:
    settings = bureau.world.services.settings
    return settings.path(settings.trail.certificates)


def destroyed(bureau: Office) -> Path:
    """Execute a plan; return the file of its certificate."""
    _, certificate = bureau.execute(bureau.approved())
    return certifying.write_files(folder(bureau), json.loads(certificate.text)["number"], certificate.text)


def forget(bureau: Office) -> None:
    for table in TABLES:
        bureau.world.sql(f"DELETE FROM {table}")  # noqa: S608 - names of ours


def revive(bureau: Office, before: ImageRow) -> None:
    """Restore the registry's row of the picture."""
    names = ("status", "patient_id", "issuer", "study_instance_uid", "series_instance_uid", "sha256")
    told = ", ".join(f"{name} = '{getattr(before, name)}'" for name in names)
    bureau.world.sql(f"UPDATE images SET {told}")  # noqa: S608 - values of ours


def reconcile(bureau: Office) -> Reconciled:
    services = bureau.world.services
    key = services.heads.key.public_key()
    shredder = bureau.execution().shredder
    return reconciling.reconcile(services.database, shredder, lambda: bureau.act("clerk"), folder(bureau), key)


def is_shut(bureau: Office) -> bool:
    found = Restored(bureau.world.services, bureau.world.archive)
    found.check()
    return found.shut


def copy(file: Path) -> None:
    (file.parent / f"copy of {file.name}").write_bytes(file.read_bytes())


@pytest.mark.parametrize("litter", [copy, lambda file: None], ids=["a copy of a certificate", "nothing else"])
def test_the_doors_open_once_everything_that_the_certificates_tell_is_remembered(
    litter: Callable[[Path], None], bureau: Office
) -> None:
    litter(destroyed(bureau))
    assert not is_shut(bureau)
    forget(bureau)
    assert is_shut(bureau)
    assert reconcile(bureau).remembered == 1
    assert not is_shut(bureau)


def test_a_certificate_of_nothing_shuts_no_door(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.hold()
    _, certificate = bureau.execute(plan)
    certifying.write_files(folder(bureau), json.loads(certificate.text)["number"], certificate.text)
    forget(bureau)
    assert not is_shut(bureau)


def test_what_is_no_certificate_is_named_with_the_remedy(bureau: Office) -> None:
    file = destroyed(bureau).with_name("notes.json")
    file.write_text("{}")
    assert is_shut(bureau)
    with pytest.raises(CertificateError, match=r"notes\.json.*move what is no certificate elsewhere"):
        reconcile(bureau)
    file.unlink()
    assert not is_shut(bureau)


def test_a_folder_that_can_t_be_looked_into_is_never_taken_for_empty(bureau: Office) -> None:
    folder(bureau).write_text("")
    with pytest.raises(ConsentgateError, match="can't be looked into"):
        is_shut(bureau)


def test_a_registry_restored_alone_forgets_again_what_is_destroyed(bureau: Office) -> None:
    before = bureau.world.row()
    destroyed(bureau)
    forget(bureau)
    revive(bureau, before)
    assert reconcile(bureau) == Reconciled(remembered=1, destroyed=0, remaining=0, missing=())
    row = bureau.world.row()
    assert (row.status, row.study_instance_uid) == (ImageStatus.DISPOSED, "")


def test_a_backup_from_between_mark_and_stub_is_settled_by_the_certificate(bureau: Office) -> None:
    before, backup = bureau.world.row(), dict(bureau.world.archive.objects)
    plan = bureau.approved()
    _, certificate = bureau.execute(plan)
    certifying.write_files(folder(bureau), json.loads(certificate.text)["number"], certificate.text)
    marked = Marked(sop_instance_uid=UID, orthanc_instance=before.orthanc_instance, status="ACTIVE", files=("x",))
    bureau.world.sql("DELETE FROM disposition_stubs")
    bureau.world.sql("UPDATE disposition_batches SET ended_at = NULL")
    bureau.world.sql("UPDATE disposed_objects SET state = 'MARKED'")
    said = json.dumps([asdict(marked)])
    bureau.world.sql(f"UPDATE disposition_outcomes SET state = 'MARKED', marked = '{said}'")  # noqa: S608 - ours
    revive(bureau, replace(before, status=ImageStatus.QUARANTINED))
    bureau.world.archive.objects.update(backup)
    bureau.archive.fill()
    assert is_shut(bureau)
    assert reconcile(bureau) == Reconciled(remembered=1, destroyed=1, remaining=0, missing=())
    assert not is_shut(bureau)
    assert bureau.world.archive.objects == {}
    with bureau.world.services.database.reading() as connection:
        found = disposals.outcome_of(connection, plan.plan_id, 1)
    assert found is not None
    assert found.state is State.DESTROYED


def test_a_picture_that_is_back_under_another_name_of_orthanc_s_is_destroyed_again(bureau: Office) -> None:
    destroyed(bureau)
    values = {each.name: getattr(PATIENT, each.name) for each in fields(Patient)}
    dataset = photograph(patient=Patient(**{**values, "id": "P1X"}))
    name = orthanc_id("P1X", dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
    bureau.world.archive.objects[name] = encoded(dataset)
    bureau.archive.fill()
    Intake(bureau.world.services).stored({each.keyword: each.value for each in dataset if each.VR != "OW"}, name)
    assert bureau.world.row().status is ImageStatus.DISPOSED
    assert is_shut(bureau)
    assert reconcile(bureau).destroyed == 1
    assert not is_shut(bureau)
    assert bureau.world.archive.objects == {}


def test_an_execution_that_was_killed_before_its_certificate_is_remembered(bureau: Office) -> None:
    before, backup = bureau.world.row(), dict(bureau.world.archive.objects)
    execution = bureau.execution()
    order, due = execution.begin(bureau.approved().plan_id)
    list(execution.run(order, due))
    assert not is_shut(bureau)
    forget(bureau)
    revive(bureau, before)
    bureau.world.archive.objects.update(backup)
    bureau.archive.fill()
    assert is_shut(bureau)
    assert reconcile(bureau) == Reconciled(remembered=1, destroyed=1, remaining=0, missing=())
    assert not is_shut(bureau)
    interim.clear(folder(bureau), order.batch.batch_id)
    assert list(folder(bureau).iterdir()) == []


def test_what_came_again_of_a_destroyed_picture_leaves_the_spool(bureau: Office) -> None:
    (content,) = bureau.world.archive.objects.values()
    destroyed(bureau)
    bureau.world.receive(content)
    spool = bureau.world.services.spool
    backup = {name: spool.get(name) for name in spool.names()}
    assert len(backup) == 1
    for _ in range(2):
        reconcile(bureau)
        assert spool.names() == ()
        assert bureau.world.sql("SELECT patient_id, status FROM quarantine") == [("", "DELETED")]
        for name, kept in backup.items():  # the spool is restored too
            spool.put(name, kept)


def claim(bureau: Office) -> str:
    """Place a hold on the patient, whose record is destroyed already."""
    order = Order(
        kind=HoldKind.STATUTORY_INQUIRY,
        authority="the inquiry",
        reason="its notice",
        review_on=bureau.world.clock().date(),
        patients=((PATIENT.id, "HOSP"),),
    )
    with bureau.world.services.database.writing() as connection:
        return holding.place(connection, bureau.act("legal"), order).hold_id


@pytest.mark.parametrize("registry_too", [False, True], ids=["the archive alone", "the registry too"])
def test_what_comes_back_under_a_hold_is_kept_shut_until_it_is_lifted(registry_too: bool, bureau: Office) -> None:
    before, backup = bureau.world.row(), dict(bureau.world.archive.objects)
    destroyed(bureau)
    if registry_too:
        forget(bureau)
        bureau.world.sql("DELETE FROM disposition_links")
        revive(bureau, before)
    bureau.world.archive.objects.update(backup)
    bureau.archive.fill()
    hold = claim(bureau)
    assert is_shut(bureau) is registry_too  # for it has forgotten its stubs
    assert reconcile(bureau) == Reconciled(remembered=int(registry_too), destroyed=0, remaining=0, missing=(), held=1)
    assert not is_shut(bureau)
    assert bureau.world.archive.objects == backup
    assert "destroyed" in bureau.world.services.gate.authorize(bureau.world.request()).decision.reasons[0]
    with bureau.world.services.database.writing() as connection:
        holding.lift(connection, bureau.act("guardian"), hold, "the inquiry", "closed")
    assert is_shut(bureau)
    assert reconcile(bureau).destroyed == 1
    assert bureau.world.archive.objects == {}


@pytest.mark.parametrize(("year", "kept"), [(1985, 1), (1990, 0)], ids=["of that year", "of no year of it"])
def test_what_comes_back_is_kept_by_a_hold_on_the_year_in_which_it_was_made(
    year: int, kept: int, bureau: Office
) -> None:
    bureau.world.sql("UPDATE images SET made_on = '1985-05-05'")
    bureau.tell(replace(LONG_AGO, first_contact=date(2010, 1, 1)))
    backup = dict(bureau.world.archive.objects)
    destroyed(bureau)
    bureau.world.archive.objects.update(backup)
    bureau.archive.fill()
    held(bureau.world, replace(ORDER, patients=(), population=Population(years=(year, year))), by="legal")
    assert is_shut(bureau) is not bool(kept)
    found = reconcile(bureau)
    assert (found.held, found.destroyed) == (kept, 1 - kept)


def test_what_another_node_s_archive_has_is_not_called_lost_here(bureau: Office) -> None:
    row = bureau.world.row()
    bureau.world.archive.objects.clear()
    with bureau.world.services.database.writing() as connection:
        holdings.keep(connection, "the other node's", (row.orthanc_instance,))
    assert reconcile(bureau).missing == ()
    assert bureau.world.tasks() == []


def test_where_nodes_share_a_registry_what_has_just_come_is_given_an_hour(bureau: Office) -> None:
    bureau.world.archive.objects.clear()
    with bureau.world.services.database.writing() as connection:
        holdings.keep(connection, "the other node's", ("another picture",))
    assert reconcile(bureau).missing == ()
    bureau.world.clock.advance(hours=1, seconds=1)
    assert reconcile(bureau).missing == (UID,)


def test_another_node_s_archive_is_not_called_lost(bureau: Office) -> None:
    bureau.world.archive.objects.clear()
    columns = [column.name for column in images.columns]
    for number in range(MANY):
        others = {"sop_instance_uid": f"'{UID}.{number}'", "orthanc_instance": f"'other-{number}'"}
        values = ", ".join(others.get(name, name) for name in columns)
        bureau.world.sql(f"INSERT INTO images ({', '.join(columns)}) SELECT {values} FROM images LIMIT 1")  # noqa: S608
    with pytest.raises(ArchiveError, match="hasn't 101 of the 101"):
        reconcile(bureau)
    assert bureau.world.tasks() == []
