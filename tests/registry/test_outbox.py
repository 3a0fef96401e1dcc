"""What is to be sent is queued once, claimed by one courier at a time, and cancelled whoever has it in hand."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.outbox import Claimed, Queued, State
from tests.fakes.pictures import CARE, UID
from tests.fakes.processes import actors
from tests.fakes.queued import AT, backlog, wanted
from tests.fakes.world import World

MINUTE = timedelta(minutes=1)
LAPSED = -MINUTE  # a lease that has run out when it begins


def queue(world: World, *rows: Queued, revive: bool = False) -> int:
    return world.services.database.write(lambda connection: outbox.queue(connection, rows, AT, revive=revive))


def claim(
    world: World, courier: str = "a", most: int = 100, at: datetime = AT, lease: timedelta = MINUTE
) -> tuple[Claimed, ...]:
    return world.services.database.write(lambda connection: outbox.claim(connection, courier, at, at + lease, most))


def holds(world: World, claimed: Claimed, at: datetime = AT) -> bool:
    with world.services.database.writing() as connection:
        return outbox.holds(connection, claimed, at)


def ended(world: World, claimed: Claimed, state: State, reason: str = "", next_try: datetime | None = None) -> bool:
    with world.services.database.writing() as connection:
        return outbox.ended(connection, claimed, state, AT, reason=reason, next_try=next_try)


def cancel(
    world: World,
    pictures: Collection[str] | None = None,
    patient: tuple[str, str] | None = None,
    route: str | None = None,
    purposes: Collection[Purpose] | None = None,
) -> int:
    with world.services.database.writing() as connection:
        return outbox.cancel(
            connection, "withdrawn", AT, pictures=pictures, patient=patient, route=route, purposes=purposes
        )


def states(world: World) -> list[str]:
    return [str(state) for (state,) in world.sql("SELECT state FROM outbox ORDER BY outbox_id")]


def test_a_picture_is_queued_once_for_each_route(world: World) -> None:
    row = wanted()
    other = wanted(route="to-research", recipient="research", purpose="RESEARCH")
    assert queue(world, row, row) == 1
    assert queue(world, row, other) == 1
    assert queue(world) == 0
    assert states(world) == ["WAITING", "WAITING"]


def test_a_claim_gives_pictures_of_one_study_of_the_highest_priority_that_is_due(world: World) -> None:
    urgent = [wanted(f"9.{each}", route="urgent", study_instance_uid="9", priority=5) for each in range(3)]
    later = wanted("8.1", route="urgent", study_instance_uid="8", priority=9)
    queue(world, *backlog(6), *urgent, later)
    (highest,) = claim(world)
    assert highest.sop_instance_uid == "8.1"
    assert ended(world, highest, State.WAITING, "away", AT + MINUTE)
    assert [each.sop_instance_uid for each in claim(world, most=2)] == ["9.0", "9.1"]
    assert [each.sop_instance_uid for each in claim(world, most=2)] == ["9.2"]
    rest = claim(world)
    assert {(each.route, each.priority) for each in rest} == {("route-2", 2)}
    assert len({each.study_instance_uid for each in rest}) == 1
    assert len(rest) == 10


def test_what_failed_waits_until_its_next_try_and_counts_its_attempts(world: World) -> None:
    queue(world, wanted())
    for attempt in (1, 2):
        (row,) = claim(world)
        assert row.attempts == attempt
        assert ended(world, row, State.WAITING, "the peer was away", AT)
    (row,) = claim(world)
    assert ended(world, row, State.WAITING, "the peer was away", AT + MINUTE)
    assert claim(world) == ()


@pytest.mark.parametrize("state", [State.DELIVERED, State.REFUSED, State.DEAD])
def test_what_has_ended_is_not_claimed_again(state: State, world: World) -> None:
    queue(world, wanted())
    (row,) = claim(world)
    assert holds(world, row)
    assert ended(world, row, state, "why")
    assert not holds(world, row)
    assert claim(world) == ()


def test_two_claims_never_give_the_same_row(world: World) -> None:
    queue(world, *backlog(30))

    def everything(courier: str) -> list[int]:
        found = []
        while rows := claim(world, courier, most=7):
            found += [row.outbox_id for row in rows]
        return found

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(everything, "abcd"))
    assert sorted(row for each in found for row in each) == list(range(1, 301))


def test_couriers_that_are_processes_of_their_own_never_claim_the_same_row(world: World) -> None:
    queue(world, *backlog(40))
    with actors(world, "claim", "claim") as couriers:
        for courier in couriers:
            courier.begin("7")
        found = [courier.answer() for courier in couriers]
    assert sorted(row for each in found for row in each) == list(range(1, 401))


def test_two_open_transactions_on_a_server_give_different_rows(world: World) -> None:
    if not world.on_postgresql:  # SQLite has one writer, whoever asks
        queue(world, wanted())
        assert len(claim(world)) == 1
        return
    queue(world, *backlog(1))
    engine = world.services.database.engine
    with engine.begin() as first, engine.begin() as second:  # without the lock that writers of the trail take turns by
        held = [outbox.claim(each, "x", AT, AT + MINUTE, 6) for each in (first, second)]
    assert [len(each) for each in held] == [6, 4]
    assert len({row.outbox_id for each in held for row in each}) == 10


def test_a_lease_that_ran_out_is_somebody_else_s_and_the_fence_tells_the_loser(world: World) -> None:
    queue(world, wanted())
    (lost,) = claim(world, "a", lease=LAPSED)
    assert not holds(world, lost)
    (taken,) = claim(world, "b")
    assert taken.fence > lost.fence
    assert (taken.attempts, taken.outbox_id) == (2, lost.outbox_id)
    assert not ended(world, lost, State.DELIVERED)
    assert holds(world, taken)
    assert states(world) == ["CLAIMED"]


def test_a_lease_that_is_renewed_in_time_stays(world: World) -> None:
    queue(world, *backlog(1, 3))
    rows = claim(world, "a", lease=LAPSED)
    with world.services.database.writing() as connection:
        assert outbox.renew(connection, rows[:2], AT, AT + MINUTE) == rows[:2]
    (stolen,) = claim(world, "b")
    assert stolen.outbox_id == rows[2].outbox_id
    with world.services.database.writing() as connection:
        assert outbox.renew(connection, rows, AT, AT + MINUTE) == rows[:2]


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(hours=3)], ids=["behind", "ahead"])
def test_a_courier_whose_clock_is_wrong_neither_takes_what_another_has_nor_misses_what_is_due(
    skew: timedelta, world: World
) -> None:
    at = AT + skew if world.on_postgresql else AT  # the clock of a file's only host can't differ from itself
    queue(world, *backlog(1, 2))
    (first,) = claim(world, "right", most=1)
    (second,) = claim(world, "wrong", at=at)
    assert second.outbox_id != first.outbox_id
    assert claim(world, "wrong", at=at) == ()
    assert holds(world, first)
    assert holds(world, second, at)


def test_what_began_to_leave_is_known_to_whoever_tries_next(world: World) -> None:
    queue(world, wanted())
    (row,) = claim(world, lease=LAPSED)
    with world.services.database.writing() as connection:
        outbox.begun(connection, row, "decision", "disclosure")
    assert claim(world)[0].disclosure_id == "disclosure"


@pytest.mark.parametrize(
    "chosen",
    [
        lambda world: cancel(world, pictures=[UID]),
        lambda world: cancel(world, patient=(world.row().patient_id, world.row().issuer)),
        lambda world: cancel(world, route="to-teaching"),
        lambda world: cancel(world, pictures=[UID], purposes=[Purpose.TEACHING]),
    ],
    ids=["picture", "patient", "route", "purpose"],
)
def test_what_is_cancelled_is_nobody_s_even_when_a_courier_has_it(chosen: Callable[[World], int], world: World) -> None:
    world.file(CARE)
    queue(world, wanted(UID), wanted("9.9", route="other", purpose="RESEARCH"))
    rows = claim(world)
    held = next(row for row in (*rows, *claim(world)) if row.sop_instance_uid == UID)
    assert chosen(world) == 1
    assert not holds(world, held)
    assert not ended(world, held, State.DELIVERED)
    assert sorted(states(world)) == ["CANCELLED", "CLAIMED"]


def test_whoever_names_nothing_cancels_nothing(world: World) -> None:
    queue(world, wanted())
    assert cancel(world) == 0
    assert cancel(world, pictures=[]) == 0
    assert cancel(world, pictures=["1.2.3"], purposes=[]) == 0
    assert cancel(world, pictures=["1.2.3"], purposes=[Purpose.RESEARCH]) == 0
    assert states(world) == ["WAITING"]


def test_what_was_delivered_is_not_cancelled(world: World) -> None:
    queue(world, wanted())
    (row,) = claim(world)
    ended(world, row, State.DELIVERED)
    assert cancel(world, pictures=["1.2.3"]) == 0


@pytest.mark.parametrize(
    ("state", "revive", "after"),
    [
        (State.REFUSED, False, "WAITING"),
        (State.DELIVERED, True, "DELIVERED"),
        (State.DEAD, True, "DEAD"),
        (State.CANCELLED, False, "CANCELLED"),
        (State.CANCELLED, True, "WAITING"),
    ],
)
def test_a_trigger_asks_again_only_for_what_was_refused_or_by_a_consent_cancelled(
    state: State, revive: bool, after: str, world: World
) -> None:
    queue(world, wanted())
    (row,) = claim(world)
    ended(world, row, state, "before")
    queue(world, wanted(cause="CONSENT", priority=7), revive=revive)
    assert states(world) == [after]
    if after == "WAITING":
        (again,) = claim(world)
        assert (again.attempts, again.cause, again.priority) == (1, "CONSENT", 7)
        assert again.fence > row.fence


def dead(world: World) -> None:
    queue(world, wanted("1.1"), wanted("1.2", route="other"), wanted("1.3"))
    while rows := claim(world):
        for row in rows:
            ended(world, row, State.CANCELLED if row.sop_instance_uid == "1.3" else State.DEAD, "gave up")


@pytest.mark.parametrize(
    ("chosen", "again"),
    [
        (lambda connection: outbox.retry(connection, AT), (1, 2)),
        (lambda connection: outbox.retry(connection, AT, route="other"), (2,)),
        (lambda connection: outbox.retry(connection, AT, outbox_id=3), (3,)),
    ],
    ids=["all", "route", "one"],
)
def test_what_is_dead_waits_again_when_a_person_says_so(
    chosen: Callable[[Connection], tuple[int, ...]], again: tuple[int, ...], world: World
) -> None:
    dead(world)
    with world.services.database.writing() as connection:
        assert chosen(connection) == again
    assert [number for number, state in enumerate(states(world), 1) if state == "WAITING"] == [*again]


def test_a_row_that_waits_or_is_unknown_can_t_be_retried(world: World) -> None:
    queue(world, wanted())
    for number in (1, 99):
        with world.services.database.writing() as connection, pytest.raises(UnknownRecordError, match="route queue"):
            outbox.retry(connection, AT, outbox_id=number)


def test_the_queue_is_counted_and_listed(world: World) -> None:
    dead(world)
    with world.services.database.reading() as connection:
        counted = outbox.counts(connection)
        (one,) = outbox.listed(connection, State.DEAD, "other")
        assert len(outbox.listed(connection)) == 3
    assert (counted[State.DEAD], counted[State.CANCELLED], counted[State.WAITING]) == (2, 1, 0)
    assert (one["reason"], one["sop_instance_uid"]) == ("gave up", "1.2")


def test_a_claim_looks_at_the_index_and_never_at_the_table(world: World) -> None:
    queue(world, *backlog(500))
    statements: list[str] = []
    with world.services.database.writing() as connection:
        if world.on_postgresql:
            connection.execute(text("ANALYZE outbox"))
        for query in (outbox.highest(State.WAITING, None), outbox.first_due(State.WAITING, 2, AT)):
            words = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
            explain = "EXPLAIN" if world.on_postgresql else "EXPLAIN QUERY PLAN"
            statements.append(str(connection.execute(text(f"{explain} {words}")).all()))
    for plan in statements:
        assert "outbox_by_turn" in plan
        assert not any(word in plan for word in ("Seq Scan", "SCAN", "TEMP B-TREE", "Sort"))


def test_what_is_due_is_seen_without_a_claim(world: World) -> None:
    def due(at: datetime = AT) -> bool:
        with world.services.database.reading() as connection:
            return outbox.is_due(connection, at)

    assert not due()
    queue(world, wanted("2.25.1"))
    assert due()
    claim(world, lease=LAPSED)
    assert due()
    (row,) = claim(world)
    assert not due()
    ended(world, row, State.WAITING, next_try=AT + MINUTE)
    assert not due()
