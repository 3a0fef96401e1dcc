"""An execution that was cut off is taken up where it began, and what it destroyed is never forgotten nor told twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import ArchiveError, IllegalTransitionError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import patients, stubs
from orthanc_plugin.registry.disposals import Batch, State
from orthanc_plugin.registry.plans import Plan
from orthanc_plugin.retention import reconciling
from orthanc_plugin.retention.interim import Memory
from tests.fakes.disposing import DISPOSING, DisposalSimulator, Office, PowerCutError, office
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT

SECOND = f"{UID}.2"


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with two pictures of one study that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return office(world)


def cut_off(bureau: Office, plan: Plan, name: str) -> None:
    """Have the process end once Orthanc has let go of an object, whose file is still there."""

    def half_gone(_name: str) -> None:
        del bureau.world.archive.objects[name]
        raise PowerCutError

    bureau.archive.delete = half_gone  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    del bureau.archive.delete


def certificates(bureau: Office) -> list[str]:
    return [path.name for path in bureau.certificates.glob("*.json")] if bureau.certificates.exists() else []


def test_a_run_that_was_cut_off_in_one_archive_is_not_taken_up_in_another(bureau: Office) -> None:
    plan, mine = bureau.approved(), dict(bureau.world.archive.objects)
    cut_off(bureau, plan, bureau.world.row().orthanc_instance)
    here, left = bureau.archive, dict(bureau.world.archive.objects)
    (bureau.world.folder / "there").mkdir()
    bureau.archive = DisposalSimulator(world=bureau.world, storage=bureau.world.folder / "there", name="the second")
    bureau.world.archive.objects.clear()
    with pytest.raises(IllegalTransitionError, match="cut off in another archive"):
        bureau.execute(plan)
    assert certificates(bureau) == []
    bureau.archive = here
    bureau.world.archive.objects.update(left)
    bureau.archive.fill()
    assert len(mine) == len(left) + 1
    bureau.archive.file_of(next(iter(set(mine) - set(left)))).unlink()
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED


@pytest.mark.parametrize("emptied", [False, True], ids=["something is left in Orthanc", "nothing is left"])
def test_a_run_is_not_taken_up_where_no_file_of_the_archive_is_found(emptied: bool, bureau: Office) -> None:
    plan, name = bureau.approved(), bureau.world.row().orthanc_instance
    cut_off(bureau, plan, name)
    if emptied:
        bureau.world.archive.objects.clear()
    storage, elsewhere = bureau.archive.storage, bureau.world.folder / "elsewhere"
    elsewhere.mkdir()
    bureau.archive.storage = elsewhere
    with pytest.raises(ArchiveError, match="None of the files"):
        bureau.execute(plan)
    assert {row.status for row in bureau.world.rows()} == {ImageStatus.QUARANTINED}
    bureau.archive.storage, bureau.archive.keeps_files = storage, True
    (outcome,), _ = bureau.execute(plan)
    assert (outcome.state, "still on disk" in outcome.reason) == (State.PARTLY, True)


class CutMemory(Memory):
    """The process ends once it is written outside what is destroyed, before the registry has it."""

    def keep(self, connection: Connection, batch: Batch, head: tuple[int, str], lines: list[int]) -> None:  # type: ignore[override]
        super().keep(connection, batch, head, lines)
        if list(self.folder.glob("*.json")):
            raise PowerCutError


def test_what_is_destroyed_is_written_down_outside_before_the_registry_says_so(bureau: Office) -> None:
    plan, services = bureau.approved(), bureau.world.services
    execution = replace(bureau.execution(), memory=CutMemory(folder=bureau.certificates, key=services.heads.key))
    order, due = execution.begin(plan.plan_id)
    with pytest.raises(PowerCutError):
        list(execution.run(order, due))
    assert bureau.world.archive.objects == {}
    assert bureau.world.sql("SELECT count(*) FROM disposition_stubs") == [(0,)]
    with services.database.reading() as connection:
        assert len(reconciling.forgotten(connection, bureau.certificates)) == 1  # so no door opens
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED
    assert bureau.world.sql("SELECT count(*) FROM disposition_stubs") == [(1,)]
    assert certificates(bureau) == [f"{order.batch.batch_id}.json"]


def other_patient(bureau: Office) -> None:
    """Have the second picture be of somebody else, whom the feed tells of too."""
    with bureau.world.services.database.writing() as connection:
        patients.ensure(connection, "P2", "HOSP", PATIENT.birth_date)
    bureau.world.sql(f"UPDATE images SET patient_id = 'P2' WHERE sop_instance_uid = '{SECOND}'")  # noqa: S608
    bureau.tell()


def test_of_a_record_with_pictures_of_two_patients_each_has_a_stub(bureau: Office) -> None:
    other_patient(bureau)
    (outcome,), certificate = bureau.execute(bureau.approved())
    assert outcome.state is State.DESTROYED
    told = json.loads(certificate.text)
    assert told["counts"] == {"records": 2, "objects": 2}
    assert [len(each["pictures"]) for each in told["records"]] == [1, 1]
    with bureau.world.services.database.reading() as connection:
        found = {who: stubs.of_patient(connection, ((who, "HOSP"),)) for who in ("P1", "P2")}
    assert [each.objects for every in found.values() for each in every] == [1, 1]
    assert found["P1"][0].link_id != found["P2"][0].link_id


def test_a_clock_that_was_set_forward_doesn_t_end_the_cooling_off(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.approve(plan)
    bureau.pass_days(2)
    bureau.world.clock.advance(days=29)
    bureau.tell()
    for lived in (5, 7):
        with pytest.raises(IllegalTransitionError, match=f"tells of {lived} only: the clock has leapt"):
            bureau.execute(plan)
        bureau.pass_days(3)
    assert len(bureau.world.archive.objects) == 2


def test_a_hospital_that_is_shut_over_the_weekend_waits_no_longer(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.approve(plan)
    for _ in range(10):
        bureau.world.clock.advance(days=2)
        bureau.pass_days(1)
    bureau.tell()
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED
