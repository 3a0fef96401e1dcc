"""Entries of permits that stand are written by who asks, together, under the lock, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import Connection

from orthanc_plugin.audit import chain
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import hospital_day, hours_of
from orthanc_plugin.errors import RegistryError, UnknownRecordError
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.atonce import MOST, AtOnce, Permit
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.prepared import driver
from orthanc_plugin.registry.snapshots import Snapshot
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.writelock import WRITE
from tests.fakes.pictures import CARE
from tests.fakes.world import World
from tests.registry.test_factversions import CHANGES

PATIENCE = 60.0
SAID = "what it was decided on"


def nothing() -> None:
    """Do nothing."""


@dataclass
class Gated:
    """The registry, whose one-statement transactions wait until they may go on."""

    database: Database
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    after: Callable[[], None] = nothing
    breaks: bool = False
    statements: int = 0

    def at_once(self, work: Callable[[Connection], bool], undone: int, seconds: float) -> bool:
        self.begun.release()
        assert self.go.wait(PATIENCE)
        if self.breaks:
            raise RegistryError("The registry can't be written.")
        self.statements += 1
        done = self.database.at_once(work, undone, seconds)
        self.after()
        return done


@dataclass
class Desk:
    """Where entries are written at once, and a permit for them."""

    world: World
    writes: AtOnce
    permit: Permit
    shut: list[bool]

    def write(self) -> bool:
        return self.writes.write(self.permit, PATIENCE, nothing)

    def permitted(self, facts: Snapshot | None = None) -> Permit:
        """Return a permit that stands now."""
        return permit_of(self.world, facts)

    def entries(self) -> list[dict[str, object]]:
        return [entry for entry in self.world.trail() if entry["detail"] == SAID]


def permit_of(world: World, facts: Snapshot | None = None) -> Permit:
    database = world.services.database
    with database.writing() as connection:
        shelf = world.services.gate.permits.shelf(connection)
    assert shelf.version is not None
    day = hours_of(hospital_day(world.clock()))
    return Permit(shelf.version, *day, event(world).stencil(), facts)


def event(world: World) -> AuditEvent:
    return AuditEvent(
        id="x",
        at=world.clock(),
        event=EventType.ACCESS_CONTROL_DECISION,
        outcome=Outcome.SUCCESS,
        actor="derm",
        door="test",
        detail=SAID,
    )


@pytest.fixture
def desk(world: World) -> Desk:
    """Give one at which an entry was written by a transaction before, so that the trail's end is known."""
    world.file(CARE)
    append_one(world)
    shut: list[bool] = []
    services = world.services
    writes = AtOnce(services.database, world.clock, services.ids, lambda: bool(shut))
    return Desk(world, writes, permit_of(world), shut)


def append_one(world: World) -> None:
    with world.services.database.writing() as connection:
        append(connection, [event(world)])


def whole(world: World) -> bool:
    return chain.verify(world.services.trail.entries()).whole


def test_what_is_written_at_once_is_an_entry_like_any_other(desk: Desk) -> None:
    before = desk.world.trail()
    assert [desk.write() for _ in range(3)] == [True] * 3
    new = desk.world.trail()[len(before) :]
    assert [{**entry, "seq": 0, "id": ""} for entry in new] == [{**before[-1], "seq": 0, "id": ""}] * 3
    assert len({entry["id"] for entry in new}) == 3
    assert whole(desk.world)


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_written_once_a_fact_has_changed_whoever_changed_it(change: str, desk: Desk) -> None:
    if "reviews" in change:
        desk.world.review()
        desk.permit = desk.permitted()
    desk.world.sql(change)
    assert (desk.write(), len(desk.entries())) == (False, 1)


def test_nothing_is_written_under_another_schema(desk: Desk) -> None:
    desk.world.sql("UPDATE alembic_version SET version_num = 'another'")
    assert (desk.write(), len(desk.entries())) == (False, 1)


def test_nothing_is_written_behind_an_entry_that_another_process_wrote_until_that_is_known(desk: Desk) -> None:
    desk.world.sql("INSERT INTO trail SELECT seq + 1, event_id, digest, body, 'd' FROM trail ORDER BY seq DESC LIMIT 1")
    assert (desk.write(), len(desk.entries())) == (False, 2)
    append_one(desk.world)
    assert (desk.write(), len(desk.entries())) == (True, 4)


def test_nothing_is_written_behind_an_entry_that_was_undone(desk: Desk) -> None:
    def undone() -> None:
        with desk.world.services.database.writing() as connection:
            append(connection, [event(desk.world)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert desk.write() is False  # what was found out before counts no more
    desk.permit = desk.permitted()
    assert desk.write() is False  # and the trail doesn't end where the undone transaction had it end
    append_one(desk.world)
    assert (desk.write(), len(desk.entries()), whole(desk.world)) == (True, 3, True)


def test_nothing_is_written_when_every_door_is_shut(desk: Desk) -> None:
    desk.shut.append(True)
    assert (desk.write(), len(desk.entries())) == (False, 1)


def every_door_is_shut(desk: Desk, _: sqlite3.Connection) -> None:
    desk.shut.append(True)


def a_day_passes(desk: Desk, _: sqlite3.Connection) -> None:
    desk.world.clock.advance(days=1)


def consents_go(_: Desk, other: sqlite3.Connection) -> None:
    other.execute("DELETE FROM consents")


def nothing_happens(_: Desk, _other: sqlite3.Connection) -> None:
    """Do nothing."""


@pytest.mark.parametrize("facts", [None, snapshots.named('{"image":1}')])
@pytest.mark.parametrize(
    ("meanwhile", "written"),
    [(every_door_is_shut, False), (a_day_passes, False), (consents_go, False), (nothing_happens, True)],
)
def test_what_happens_while_another_process_writes_counts_for_who_waits_for_it(
    meanwhile: Callable[[Desk, sqlite3.Connection], None], written: bool, facts: Snapshot | None, desk: Desk
) -> None:
    desk.permit = desk.permitted(facts)
    outcome, waiting = list[bool](), threading.Event()
    connection = desk.world.services.database._kept
    assert connection is not None
    ours = cast("sqlite3.Connection", driver(connection))
    other = sqlite3.connect(desk.world.database_file, isolation_level=None)
    other.execute(WRITE)
    # What found the lock taken looks for it by itself.
    ours.set_trace_callback(lambda text: waiting.set() if text == WRITE else None)
    thread = threading.Thread(target=lambda: outcome.append(desk.write()))
    thread.start()
    assert waiting.wait(PATIENCE)
    meanwhile(desk, other)
    other.execute("COMMIT")
    other.close()
    thread.join(PATIENCE)
    ours.set_trace_callback(None)
    append_one(desk.world)  # no transaction is left open
    assert (outcome, len(desk.entries())) == ([written], 2 + written)
    assert whole(desk.world)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_permit_is_one_day_s(days: int, desk: Desk) -> None:
    desk.world.clock.advance(days=days)
    assert (desk.write(), len(desk.entries())) == (False, 1)


def test_what_was_written_while_midnight_passed_opens_nothing(desk: Desk) -> None:
    until = desk.permit.until - timedelta(seconds=1)
    desk.world.clock.advance(seconds=(until - desk.world.clock()).total_seconds())
    gated = Gated(desk.world.services.database, after=lambda: desk.world.clock.advance(seconds=2))
    gated.go.set()
    desk.writes = simulated(desk, gated)
    assert (desk.write(), len(desk.entries())) == (False, 2)


def test_an_entry_that_can_t_be_written_opens_nothing(desk: Desk) -> None:
    desk.world.stop_the_trail()
    with pytest.raises(RegistryError):
        desk.write()


def test_facts_are_written_with_the_first_entry_that_rests_on_them(desk: Desk) -> None:
    facts = snapshots.named('{"image":1}')
    desk.permit = desk.permitted(facts)
    assert kept(desk.world, facts) is None
    assert [desk.write(), desk.write()] == [True, True]
    assert (kept(desk.world, facts), desk.permit.facts) == ({"image": 1}, None)


def test_facts_aren_t_written_without_an_entry(desk: Desk) -> None:
    facts = snapshots.named('{"image":1}')
    desk.permit = desk.permitted(facts)
    desk.world.withdraw()
    assert (desk.write(), kept(desk.world, facts), desk.permit.facts) == (False, None, facts)
    append_one(desk.world)  # the connection has no transaction open


def kept(world: World, facts: Snapshot) -> dict[str, object] | None:
    with world.services.database.reading() as connection:
        try:
            return snapshots.read(connection, facts.digest)
        except UnknownRecordError:
            return None


def simulated(desk: Desk, gated: Gated) -> AtOnce:
    services = desk.world.services
    return AtOnce(gated, desk.world.clock, services.ids, lambda: False)  # type: ignore[arg-type]


@dataclass
class Asking:
    """Somebody who asks on a thread of their own."""

    desk: Desk
    seconds: float = PATIENCE
    outcome: list[object] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.permit = self.desk.permit
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        try:
            self.outcome.append(self.desk.writes.write(self.permit, self.seconds, lambda: self.late.append(True)))
        except (RegistryError, TimeoutError) as error:
            self.outcome.append(type(error))

    def heard(self) -> object:
        self.thread.join(PATIENCE)
        (outcome,) = self.outcome
        return outcome


def until_waiting(desk: Desk, count: int) -> None:
    """Wait until so many wait for whoever leads."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if len(desk.writes._waiting) == count:
            return
        pause.wait(0.01)
    raise AssertionError


@pytest.fixture
def gated(desk: Desk) -> Iterator[Gated]:
    """Give a registry that waits; the desk writes by it."""
    made = Gated(desk.world.services.database)
    desk.writes = simulated(desk, made)
    yield made
    made.go.set()


def test_who_comes_meanwhile_is_written_together_by_one_statement(desk: Desk, gated: Gated) -> None:
    asking = [Asking(desk) for _ in range(8)]
    until_waiting(desk, 7)
    gated.go.set()
    assert [each.heard() for each in asking] == [True] * 8
    assert (gated.statements, len(desk.entries()), whole(desk.world)) == (1, 9, True)


def test_more_than_one_statement_takes_are_led_by_the_first_of_them(desk: Desk, gated: Gated) -> None:
    asking = [Asking(desk) for _ in range(MOST + 3)]
    until_waiting(desk, MOST + 2)
    gated.go.set()
    assert {each.heard() for each in asking} == {True}
    assert (gated.statements, len(desk.entries()), whole(desk.world)) == (2, MOST + 4, True)


def test_who_has_another_version_s_permit_is_left_to_be_decided_as_usual(desk: Desk, gated: Gated) -> None:
    first = Asking(desk)
    assert gated.begun.acquire(timeout=PATIENCE)
    old, desk.permit = (
        desk.permit,
        Permit((("another", "word"), 0), desk.permit.since, desk.permit.until, event(desk.world).stencil()),
    )
    other = Asking(desk)
    desk.permit = old
    until_waiting(desk, 1)
    gated.go.set()
    assert (first.heard(), other.heard(), len(desk.entries())) == (True, False, 2)


def test_who_waits_too_long_is_refused_and_nothing_is_written_for_them(desk: Desk, gated: Gated) -> None:
    first = Asking(desk)
    assert gated.begun.acquire(timeout=PATIENCE)
    impatient = Asking(desk, seconds=0.01)
    assert impatient.heard() is TimeoutError
    assert desk.write() is False  # whoever leads hangs, so the next is decided as usual, at once
    gated.go.set()
    assert (first.heard(), impatient.late, len(desk.entries())) == (True, [], 2)
    assert desk.write() is True


def test_who_gave_up_while_it_was_written_is_told_as_too_late(desk: Desk, gated: Gated) -> None:
    impatient: list[Asking] = []
    gated.after = lambda: impatient[0].thread.join(PATIENCE)
    first = Asking(desk)
    assert gated.begun.acquire(timeout=PATIENCE)
    impatient.append(Asking(desk, seconds=3.0))
    until_waiting(desk, 1)
    gated.go.set()
    assert (first.heard(), impatient[0].heard()) == (True, TimeoutError)
    assert (impatient[0].late, first.late, len(desk.entries())) == ([True], [], 3)


def test_nobody_leaves_by_a_statement_that_failed(desk: Desk, gated: Gated) -> None:
    gated.breaks = True
    first = Asking(desk)
    assert gated.begun.acquire(timeout=PATIENCE)
    other = Asking(desk)
    until_waiting(desk, 1)
    gated.go.set()
    assert first.heard() is RegistryError
    assert other.heard() is RegistryError  # it led, since the first had taken nobody when the registry failed
    gated.breaks = False
    assert (desk.write(), len(desk.entries())) == (True, 2)


def test_who_writes_for_longer_than_anybody_waits_has_the_others_decided_as_usual(desk: Desk) -> None:
    outcome: list[bool] = []
    with desk.world.services.database.writing():
        thread = threading.Thread(target=lambda: outcome.append(desk.write()))
        thread.start()
        thread.join(PATIENCE)
    assert (outcome, len(desk.entries())) == ([False], 1)
