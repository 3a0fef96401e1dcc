"""Rows that a courier gives back after it failed: due at once the first time, after a pause when it happens again."""

from __future__ import annotations

from datetime import timedelta

from orthanc_plugin.registry import outbox, unended
from orthanc_plugin.registry.outbox import Claimed, State
from orthanc_plugin.registry.unended import BROKE_OFF
from tests.fakes.queued import AT, backlog
from tests.fakes.world import World

HOUR = timedelta(hours=1)


def claim(world: World, courier: str = "a") -> tuple[Claimed, ...]:
    return world.services.database.write(lambda connection: outbox.claim(connection, courier, AT, AT + HOUR, 100))


def give_back(world: World, wait: timedelta = HOUR) -> list[int]:
    """Have courier ``a`` give back what it has; return of how many attempts it was asked how long to wait."""
    asked: list[int] = []

    def pause(attempts: int) -> timedelta:
        asked.append(attempts)
        return wait

    with world.services.database.writing() as connection:
        assert unended.take_back(connection, "a", (), AT, pause) == []
    return asked


def queued(world: World) -> set[tuple[object, ...]]:
    with world.services.database.reading() as connection:
        return {(row["state"], row["reason"], row["attempts"]) for row in outbox.listed(connection)}


def test_rows_are_due_at_once_the_first_time_and_wait_when_it_happens_again(world: World) -> None:
    with world.services.database.writing() as connection:
        outbox.queue(connection, backlog(1, 3), AT)
    first = claim(world)
    assert give_back(world) == []
    assert queued(world) == {(State.WAITING, BROKE_OFF, 1)}
    with world.services.database.writing() as connection:
        assert not any(outbox.ended(connection, each, State.DELIVERED, AT) for each in first)  # it has them no more
    assert len(claim(world)) == len(first)
    assert give_back(world, -HOUR) == [2]  # one pause, so that a study stays together
    assert len(claim(world)) == len(first)
    assert give_back(world) == [3]
    assert (claim(world), queued(world)) == ((), {(State.WAITING, BROKE_OFF, 3)})


def test_what_another_courier_has_stays_with_it(world: World) -> None:
    with world.services.database.writing() as connection:
        outbox.queue(connection, backlog(1), AT)
    claim(world, "b")
    assert give_back(world) == []
    assert queued(world) == {(State.CLAIMED, "", 1)}
