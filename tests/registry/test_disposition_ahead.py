"""While lines are destroyed the next are marked and those before written down: cut off, refused or held meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import pytest
from sqlalchemy import Connection

from demo.peers import wait_until
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals
from orthanc_plugin.registry.disposals import Batch, Marked, Outcome, State
from orthanc_plugin.registry.plans import Plan
from orthanc_plugin.retention import certifying
from orthanc_plugin.retention.execution import Execution
from orthanc_plugin.retention.following import Head
from orthanc_plugin.retention.hand import GoOn, Hand, MayGo, Why, Word
from orthanc_plugin.retention.interim import Memory
from orthanc_plugin.retention.order import Order
from orthanc_plugin.retention.portions import LONGEST
from tests.fakes.disposing import DISPOSING, Office, PowerCutError, office
from tests.fakes.pictures import CARE, UID, consent, encoded, photograph
from tests.fakes.world import World

RECORDS = 4
SECONDS = 60.0


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with pictures of one patient, each a record of its own, that fell due long ago."""
    return opened(world)


@pytest.fixture
def either_bureau(either_world: World) -> Office:
    """Give the same on each database."""
    return opened(either_world)


def opened(world: World) -> Office:
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    for number in range(1, RECORDS):
        world.receive(encoded(photograph(uid=f"{UID}.{number}", StudyInstanceUID=f"2.25.7{number}")))
    made = office(world)
    made.tell()
    return made


def run(execution: Execution, plan: Plan) -> tuple[Order, list[Outcome]]:
    order, due = execution.begin(plan.plan_id)
    return order, list(execution.run(order, due))


def one_by_one(bureau: Office) -> Execution:
    """Return an execution in which every line is in a transaction of its own, and the thread is one line ahead."""
    return replace(bureau.execution(), at_once=1)


def listed_as_destroyed(bureau: Office) -> set[str]:
    with bureau.world.services.database.reading() as connection:
        return {instance for instance, _ in disposals.instances(connection)}


def nothing_is_told_that_is_there(bureau: Office) -> None:
    assert not listed_as_destroyed(bureau) & bureau.archive.instances()


def all_gone_and_told_once(bureau: Office, order: Order) -> None:
    assert bureau.world.archive.objects == {}
    assert not any(path.is_file() for path in bureau.archive.storage.rglob("*"))
    assert bureau.world.sql("SELECT count(*), sum(objects) FROM disposition_stubs") == [(RECORDS, RECORDS)]
    states = bureau.world.sql("SELECT DISTINCT state FROM disposition_outcomes")
    assert states == [(State.DESTROYED.value,)]
    with bureau.world.services.database.writing() as connection:
        key = bureau.world.services.heads.key
        content = certifying.certify(connection, bureau.act("clerk"), order, key).text
    assert content.count('"uids_sha256"') == RECORDS


@dataclass(kw_only=True)
class Acting:
    """Gives acts, and ends the process at one of them: each step of an execution begins with one."""

    bureau: Office
    cut_at: int
    count: int = 0

    def __call__(self) -> Act:
        self.count += 1
        if self.count == self.cut_at:
            raise PowerCutError
        return self.bureau.act("clerk")


class CutMemory(Memory):
    """The process ends once it is written outside what is destroyed, before the registry has it."""

    def keep(self, connection: Connection, batch: Batch, head: tuple[int, str], lines: list[int]) -> None:  # type: ignore[override]
        super().keep(connection, batch, head, lines)
        raise PowerCutError


def test_a_run_cut_off_before_any_of_its_transactions_is_taken_up(either_bureau: Office) -> None:
    plan = either_bureau.approved()
    for cut_at in range(2, 2 * RECORDS + 3):
        execution = replace(one_by_one(either_bureau), acting=Acting(bureau=either_bureau, cut_at=cut_at))
        try:
            order, _ = run(execution, plan)
            break
        except PowerCutError:
            nothing_is_told_that_is_there(either_bureau)
    else:
        order, _ = run(one_by_one(either_bureau), plan)
    all_gone_and_told_once(either_bureau, order)


def test_a_run_cut_off_at_any_question_to_the_archive_is_taken_up(bureau: Office) -> None:
    plan = bureau.approved()
    for cut_at in (*range(RECORDS + 1, 5 * RECORDS, 2), -1):
        bureau.archive.steps, bureau.archive.cut_at = 0, cut_at
        try:
            order, _ = run(one_by_one(bureau), plan)
            break
        except PowerCutError:
            nothing_is_told_that_is_there(bureau)
    all_gone_and_told_once(bureau, order)


def test_a_run_cut_off_between_what_is_written_outside_and_the_registry_is_taken_up(bureau: Office) -> None:
    plan, key = bureau.approved(), bureau.world.services.heads.key
    for _ in range(2):
        memory = CutMemory(folder=bureau.certificates, key=key)
        with pytest.raises(PowerCutError):
            run(replace(one_by_one(bureau), memory=memory), plan)
        nothing_is_told_that_is_there(bureau)
    order, _ = run(one_by_one(bureau), plan)
    all_gone_and_told_once(bureau, order)


def during(bureau: Office, first: Callable[[], object]) -> None:
    """Have something happen while the first record is deleted and the second is marked already."""
    delete = bureau.archive.delete

    def meanwhile(name: str) -> None:
        bureau.archive.delete = delete  # type: ignore[method-assign]
        marked = "SELECT count(*) FROM disposition_outcomes WHERE state = 'MARKED'"
        assert wait_until(lambda: bureau.world.sql(marked) == [(2,)], SECONDS)
        first()
        delete(name)

    bureau.archive.delete = meanwhile  # type: ignore[method-assign,assignment]


def test_a_hold_that_comes_while_the_line_before_is_deleted_keeps_what_is_marked_already(
    either_bureau: Office,
) -> None:
    plan = either_bureau.approved()
    during(either_bureau, either_bureau.hold)
    _, outcomes = run(one_by_one(either_bureau), plan)
    assert {each.line: each.state for each in outcomes} == {
        1: State.DESTROYED,
        **dict.fromkeys(range(2, RECORDS + 1), State.DROPPED),
    }
    assert all("HELD (LITIGATION)" in each.reason for each in outcomes if each.line > 1)
    assert len(either_bureau.world.archive.objects) == RECORDS - 1
    kept = [row for row in either_bureau.world.rows() if row.status is not ImageStatus.DISPOSED]
    assert [row.status for row in kept] == [ImageStatus.ACTIVE] * (RECORDS - 1)


def look_up(bureau: Office) -> None:
    """Have somebody do something that is recorded, and says nothing against the plan."""
    event = bureau.act().event(EventType.APPLICATION_ACTIVITY, "SOMETHING_ELSE", subject="")
    bureau.world.services.trail.append(event)


def test_what_others_do_meanwhile_that_says_nothing_against_it_stops_nothing(bureau: Office) -> None:
    plan = bureau.approved()
    during(bureau, lambda: look_up(bureau))
    order, outcomes = run(one_by_one(bureau), plan)
    assert {each.state for each in outcomes} == {State.DESTROYED}
    all_gone_and_told_once(bureau, order)


def test_what_says_nothing_against_one_record_is_asked_about_for_each_that_follows(bureau: Office) -> None:
    asked: list[int] = []

    @dataclass(frozen=True, kw_only=True)
    class Asks(Hand):
        def destroy(
            self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
        ) -> list[Why | None]:
            def ask(place: int, now: Head) -> Word:
                asked.append(place)
                return may_go(place, now)

            look_up(bureau)
            return super().destroy(records, head, ask, go_on)

    plan, execution = bureau.approved(), bureau.execution()
    beside = Asks(database=execution.database, shredder=execution.shredder)
    order, outcomes = run(replace(execution, beside=beside, at_once=RECORDS), plan)
    assert asked == [*range(RECORDS)]
    assert {each.state for each in outcomes} == {State.DESTROYED}
    all_gone_and_told_once(bureau, order)


@pytest.mark.parametrize("at_once", [1, RECORDS])
def test_a_record_that_orthanc_won_t_delete_is_told_and_stops_no_other(at_once: int, bureau: Office) -> None:
    plan, refused = bureau.approved(), bureau.world.row(f"{UID}.1")
    bureau.archive.refuses.add(refused.orthanc_instance)
    _, outcomes = run(replace(bureau.execution(), at_once=at_once), plan)
    states = sorted(each.state for each in outcomes)
    assert states == [State.DESTROYED] * (RECORDS - 1) + [State.PARTLY]
    assert [each.reason for each in outcomes if each.reason] == [
        "1 of 1 objects could not be destroyed: Orthanc answered 500."
    ]
    assert set(bureau.world.archive.objects) == {refused.orthanc_instance}
    assert bureau.world.row(f"{UID}.1").status is ImageStatus.QUARANTINED


@pytest.mark.parametrize("at_once", [1, RECORDS])
def test_a_file_that_stays_is_found_though_all_are_looked_for_together(at_once: int, bureau: Office) -> None:
    plan, stays = bureau.approved(), bureau.archive.file_of(bureau.world.row(f"{UID}.2").orthanc_instance)
    delete = bureau.archive.delete

    def leave_one(name: str) -> None:
        content = stays.read_bytes() if stays.exists() else b""
        delete(name)
        if not stays.exists():
            stays.write_bytes(content)

    bureau.archive.delete = leave_one  # type: ignore[method-assign,assignment]
    _, outcomes = run(replace(bureau.execution(), at_once=at_once), plan)
    assert [each.reason for each in outcomes if each.state is not State.DESTROYED] == [
        "1 of 1 objects could not be destroyed: its file is still on disk"
    ]


def test_where_the_archive_is_lost_in_the_middle_nothing_more_is_deleted(bureau: Office) -> None:
    plan, deleted = bureau.approved(), []

    def unreachable(name: str) -> None:
        deleted.append(name)
        bureau.archive.look = bureau.archive.has = gone  # type: ignore[method-assign,assignment]
        raise ArchiveError("Orthanc could not be reached (ConnectionRefusedError).")

    def gone(_names: object) -> bool:
        raise ArchiveError("Orthanc could not be reached (ConnectionRefusedError).")

    bureau.archive.delete = unreachable  # type: ignore[method-assign,assignment]
    with pytest.raises(ArchiveError, match="could not be reached"):
        run(one_by_one(bureau), plan)
    assert len(deleted) == 1
    del bureau.archive.delete, bureau.archive.look, bureau.archive.has
    order, _ = run(one_by_one(bureau), plan)
    all_gone_and_told_once(bureau, order)


def test_whoever_ends_a_run_in_the_middle_has_what_is_left_taken_up(bureau: Office) -> None:
    plan, execution = bureau.approved(), one_by_one(bureau)
    order, due = execution.begin(plan.plan_id)
    running = execution.run(order, due)
    next(running)
    cast("Generator[Outcome]", running).close()
    nothing_is_told_that_is_there(bureau)
    order, _ = run(one_by_one(bureau), plan)
    all_gone_and_told_once(bureau, order)


def by_day(bureau: Office, pause: Callable[[float], None]) -> Execution:
    """Return an execution one by one, in which each look at the clock takes a moment."""
    ticks = bureau.world.ticks

    def passing() -> float:
        ticks.seconds += 1 / 128
        return ticks.seconds

    return replace(one_by_one(bureau), ticks=passing, pause=pause)


def test_whoever_else_writes_goes_first_from_then_on(bureau: Office) -> None:
    plan, pauses = bureau.approved(), list[float]()
    during(bureau, lambda: look_up(bureau))
    order, outcomes = run(by_day(bureau, pauses.append), plan)
    assert [each.state for each in outcomes] == [State.DESTROYED] * RECORDS
    assert len(pauses) == 2 * RECORDS - 3  # two were marked, and one was written down, which told of it
    assert all(0 < seconds <= LONGEST for seconds in pauses)
    all_gone_and_told_once(bureau, order)


def test_while_nobody_else_writes_nobody_is_waited_for(bureau: Office) -> None:
    pauses = list[float]()
    order, _ = run(by_day(bureau, pauses.append), bureau.approved())
    assert pauses == []
    all_gone_and_told_once(bureau, order)


def test_what_comes_into_quarantine_while_others_go_first_keeps_its_record(bureau: Office) -> None:
    plan, pauses = bureau.approved(), list[float]()
    elsewhere = consent(id="urn:uuid:00000000-0000-4000-8000-000000000001")

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        for number in range(RECORDS) if len(pauses) == 1 else ():
            study = {"StudyInstanceUID": f"2.25.7{number}"}
            bureau.world.receive(encoded(photograph(uid=f"{UID}.9{number}", refers_to=elsewhere, **study)))

    during(bureau, lambda: look_up(bureau))
    _, outcomes = run(by_day(bureau, pause), plan)
    dropped = [each.line for each in outcomes if each.state is State.DROPPED]
    assert set(dropped) >= {3, 4}
    assert all("waits in quarantine" in each.reason for each in outcomes if each.line in dropped)
