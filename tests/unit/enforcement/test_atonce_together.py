"""Who comes while an entry is being written has theirs written by the same statement, or is told that it wasn't."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.atonce import MOST, Permit
from tests.fakes.world import World
from tests.unit.enforcement.writingatonce import PATIENCE, Desk, Gated, desk_of, event, simulated, whole


@pytest.fixture
def desk(world: World) -> Desk:
    return desk_of(world)


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
