"""The guard says how it is; what hangs or fails is told, and hides nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orthanc_plugin.clock import Pulse
from orthanc_plugin.enforcement.health import LEAST_FREE, PARTS, Part, examined, spool
from orthanc_plugin.enforcement.heartbeat import BEATS_MISSED, SECONDS_BETWEEN_BEATS, Heartbeat
from tests.fakes.caller import Caller, Said, world_with_accounts
from tests.fakes.world import START, World

LATE = BEATS_MISSED * SECONDS_BETWEEN_BEATS + 1


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    world = world_with_accounts(tmp_path)
    Heartbeat(world.services).beat()
    yield Caller(world=world)
    world.close()


def failing(said: Said) -> set[str]:
    parts = said["parts"]
    assert isinstance(parts, dict)
    return {name for name, part in parts.items() if not part["ok"]}


def test_when_everything_works_it_says_so_and_leaves_no_entry(caller: Caller) -> None:
    said = caller.get("health", "admin")
    assert (said.status, said["ok"], failing(said)) == (200, True, set())
    assert said["doors"] == {"open": True, "why": ""}
    assert said["policy"] == caller.world.services.policy.sha256
    assert caller.world.trail() == []


@pytest.mark.parametrize("account", ["derm", "governance", "nobody"])
def test_only_an_operator_is_told(account: str, caller: Caller) -> None:
    assert caller.get("health", account).status == 403


def test_our_own_processes_are_told_and_of_nothing_else(caller: Caller) -> None:
    assert caller.get("health", "consentgate").status == 200
    assert caller.get("tasks", "consentgate").status == 403


def test_shut_doors_are_told_with_the_reason(caller: Caller) -> None:
    caller.world.services.gate.close("a test")
    said = caller.get("health", "admin")
    assert (said.status, said["doors"], failing(said)) == (503, {"open": False, "why": "a test"}, set())


def no_beat(world: World) -> None:
    world.clock.advance(seconds=LATE)


def no_registry(world: World) -> None:
    world.lose_the_database()


def no_spool(world: World) -> None:
    (world.folder / "quarantine").write_text("a file where the folder should be")


@pytest.mark.parametrize(
    ("fault", "parts"),
    [(no_beat, {"heartbeat", "trail"}), (no_registry, {"registry"}), (no_spool, {"spool"})],
)
def test_a_part_that_does_not_work_is_named(fault: Callable[[World], None], parts: set[str], caller: Caller) -> None:
    fault(caller.world)
    said = caller.get("health", "admin")
    assert (said.status, failing(said)) == (503, parts)


def test_before_the_first_beat_nothing_is_claimed(tmp_path: Path) -> None:
    world = world_with_accounts(tmp_path)
    assert failing(Caller(world=world).get("health", "admin")) == {"heartbeat", "trail"}
    world.close()


def test_a_part_that_hangs_is_told_in_time_and_so_are_the_others(
    caller: Caller,
) -> None:
    released = threading.Event()

    def hangs(_services: object) -> Part:
        released.wait(60)
        return Part(ok=True)

    def raises(_services: object) -> Part:
        raise ValueError("Doe^Jane")

    reply = examined(caller.world.services, {**PARTS, "registry": hangs, "spool": raises}, 0.2)
    released.set()
    said = Said(status=reply.status, body=reply.payload)
    assert (said.status, failing(said)) == (503, {"registry", "spool"})
    assert "Doe" not in str(said.body)


def test_a_full_disk_is_told(world: World) -> None:
    assert spool(world.services, least=1).ok
    assert not spool(world.services, least=LEAST_FREE**3).ok


def test_three_missed_beats_shut_every_door_until_the_next_one(world: World) -> None:
    heart = Heartbeat(world.services)
    heart.pulsate()
    world.clock.advance(seconds=LATE - 2)
    assert world.services.gate.closed is None
    world.clock.advance(seconds=2)
    assert world.services.gate.closed == "the heartbeat has stopped"
    assert not world.services.gate.authorize(world.request()).decision.permits
    heart.beat()
    assert world.services.gate.closed is None


def test_a_task_that_never_returns_is_a_heart_that_has_stopped(world: World) -> None:
    heart = Heartbeat(world.services, seconds=0.01)
    hanging, released = threading.Event(), threading.Event()

    def hangs() -> None:
        hanging.set()
        released.wait(60)

    heart.also.append(hangs)
    heart.start()
    assert hanging.wait(30)
    world.clock.advance(seconds=1)
    assert world.services.gate.closed == "the heartbeat has stopped"
    released.set()
    heart.stop()


def test_what_has_never_begun_has_not_stopped() -> None:
    pulse = Pulse()
    assert not pulse.stopped(START)
    pulse.beat(START, timedelta(seconds=10))
    assert [pulse.stopped(START + timedelta(seconds=after)) for after in (0, 10, 11)] == [False, False, True]
