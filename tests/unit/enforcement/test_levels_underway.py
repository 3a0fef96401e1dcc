"""What the core tells of a study waits for a picture that the archive has stored and nobody has on record yet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement import levels
from orthanc_plugin.enforcement.acceptances import Acceptances
from tests.fakes.core import CoreSimulator
from tests.fakes.exits import OTHER, THIRD, Asking, refuse, world_with_senders
from tests.fakes.pictures import CARE, TEACHING, UID, encoded, photograph
from tests.fakes.world import World
from tests.unit.enforcement.test_levels import STUDY, get, told
from tests.unit.enforcement.test_underway import PATIENCE, Delayed, Hooks, beside


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = world_with_senders(tmp_path)
    for uid in (UID, OTHER):
        made.file(CARE, TEACHING, uid=uid)
    yield made
    made.close()


@pytest.fixture
def hooks(world: World) -> Iterator[Hooks]:
    made = Hooks(world=world, intake=Delayed(world), content=encoded(photograph(uid=THIRD)))
    yield made
    made.intake.go_on.set()


def asking(hooks: Hooks) -> Asking:
    """Return who asks for the study while the picture is stored; the core knows it at once, as Orthanc does."""
    core = CoreSimulator(archive=hooks.world.archive)

    def come_in() -> None:
        core.meanwhile = lambda: None
        hooks.receive()
        hooks.world.archive.objects[hooks.name] = hooks.content

    core.meanwhile = come_in
    return Asking(world=hooks.world, core=core, acceptances=hooks.acceptances)


def test_a_picture_that_may_not_leave_keeps_the_study_before_it_is_on_record(hooks: Hooks) -> None:
    refuse(hooks.world, THIRD)
    threading.Timer(0.1, hooks.intake.go_on.set).start()
    given = get(asking(hooks), STUDY)
    assert (given.status, THIRD in given.content.decode()) == (403, False)


def test_one_that_may_leave_is_waited_for_and_told_of(hooks: Hooks) -> None:
    threading.Timer(0.1, hooks.intake.go_on.set).start()
    assert told(get(asking(hooks), STUDY)) == [UID, OTHER, THIRD]


def test_while_nobody_can_tell_what_is_there_the_study_is_not_described(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "STORING_SECONDS", 0.01)
    given = get(asking(hooks), STUDY)
    assert (given.status, bool(given.json["remedy"])) == (503, True)


def test_what_failed_to_be_put_on_record_counts_until_it_is_or_every_door_is_shut(hooks: Hooks) -> None:
    hooks.intake.failures = 1
    hooks.intake.go_on.set()
    asked = asking(hooks)
    assert isinstance(asked.core, CoreSimulator)
    asked.core.meanwhile()  # on this thread, on which the archive tells of it below
    given = get(asked, STUDY)
    assert (given.status, THIRD in given.content.decode()) == (503, False)
    hooks.stored()
    assert hooks.acceptances.settled(0.0)
    assert told(get(asked, STUDY)) == [UID, OTHER, THIRD]
    assert hooks.world.row(THIRD).orthanc_instance == hooks.name


def test_several_wait_for_the_same_picture(hooks: Hooks) -> None:
    hooks.receive()
    found: list[bool] = []
    waiting = [beside(lambda: found.append(hooks.acceptances.settled(PATIENCE))) for _ in range(4)]
    hooks.intake.go_on.set()
    for each in waiting:
        each.join(PATIENCE)
    hooks.stored()
    assert found == [True] * 4


def test_what_was_never_stored_is_forgotten_with_the_thread_s_next_request(hooks: Hooks) -> None:
    hooks.intake.failures = 1
    hooks.intake.go_on.set()
    hooks.receive()
    assert not hooks.acceptances.settled(PATIENCE)
    assert hooks.acceptances.freed(lambda uri, **_: uri == "/")("/") is True
    assert hooks.acceptances.settled(0.0)


def test_nothing_is_waited_for_where_nothing_comes_in() -> None:
    assert Acceptances().settled(0.0)
