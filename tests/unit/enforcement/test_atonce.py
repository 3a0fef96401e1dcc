"""Entries of permits that stand are written by who asks, together, under the lock, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from orthanc_plugin.errors import RegistryError, UnknownRecordError
from orthanc_plugin.registry import snapshots
from orthanc_plugin.registry.prepared import driver
from orthanc_plugin.registry.snapshots import Snapshot
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.writelock import WRITE
from tests.fakes.world import World
from tests.registry.test_factversions import CHANGES
from tests.unit.enforcement.writingatonce import PATIENCE, Desk, Gated, append_one, desk_of, event, simulated, whole


@pytest.fixture
def desk(world: World) -> Desk:
    return desk_of(world)


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
