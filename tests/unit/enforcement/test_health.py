"""The guard says how it is; what hangs or fails is told, and hides nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.peers import wait_until
from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.archive.sighting import HEALTH
from orthanc_plugin.clock import Pulse, elapsed
from orthanc_plugin.enforcement.health import DECISIONS, LEAST_FREE, PARTS, PATIENCE, Ask, Examiner, Part, free, spool
from orthanc_plugin.enforcement.heartbeat import BEATS_MISSED, SECONDS_BETWEEN_BEATS, Heartbeat
from orthanc_plugin.enforcement.http import HttpFilter
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services
from tests.fakes.caller import Caller, Said, world_with_accounts
from tests.fakes.world import HandTicks, World
from tests.unit.enforcement.test_http import basic

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


@pytest.mark.parametrize(
    ("account", "method", "path", "allowed"),
    [
        ("admin", 1, HEALTH, True),
        ("derm", 1, HEALTH, False),
        ("nobody", 1, HEALTH, False),
        ("consentgate", 1, HEALTH, False),
        ("admin", 2, HEALTH, False),
        ("admin", 1, "/consentgate/tasks", False),
        ("admin", 1, "/system", False),
    ],
)
def test_an_operator_gets_to_it_also_when_nobody_decides_any_more(
    account: str, method: int, path: str, allowed: bool, caller: Caller
) -> None:
    worker = caller.world.worker()
    worker.stop()
    hook = HttpFilter(caller.world.services, Credentials(user="consentgate", password="p", secret="s"), worker).hook
    assert hook(path, method=method, ip="", headers={"Authorization": basic(account)}, get={}) is allowed
    assert caller.world.trail() == []


def test_shut_doors_are_told_with_the_reason(caller: Caller) -> None:
    caller.world.services.gate.close("a test")
    said = caller.get("health", "admin")
    assert (said.status, said["doors"], failing(said)) == (503, {"open": False, "why": "a test"}, set())


def no_beat(world: World) -> None:
    world.ticks.seconds += LATE


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


@contextmanager
def hanging() -> Iterator[tuple[Ask, list[threading.Thread], threading.Event]]:
    """Give a part that doesn't answer until it is released, and the threads in which it was asked."""
    released, asked = threading.Event(), list[threading.Thread]()

    def hangs(_services: Services) -> Part:
        asked.append(threading.current_thread())
        released.wait(60)
        return Part(ok=True)

    try:
        yield hangs, asked, released
    finally:
        released.set()
        for thread in asked:
            thread.join()


def told(examiner: Examiner) -> Said:
    reply = examiner.examined()
    return Said(status=reply.status, body=reply.payload)


def part(said: Said, name: str) -> dict[str, object]:
    parts = said["parts"]
    assert isinstance(parts, dict)
    found: dict[str, object] = parts[name]
    return found


def test_a_part_that_hangs_is_told_in_time_and_so_are_the_others(caller: Caller) -> None:
    def raises(_services: Services) -> Part:
        raise ValueError("Doe^Jane")

    with hanging() as (hangs, _, _released):
        said = told(Examiner(caller.world.services, {**PARTS, "registry": hangs, "spool": raises}, 0.2))
    assert (said.status, failing(said)) == (503, {"registry", "spool"})
    assert "Doe" not in str(said.body)


def test_a_part_that_hangs_is_not_asked_again_until_it_has_answered(caller: Caller) -> None:
    world = caller.world
    with hanging() as (hangs, asked, released):
        examiner = Examiner(world.services, {**PARTS, "registry": hangs}, 0.05)
        for _ in range(20):
            assert failing(told(examiner)) == {"registry"}
        assert len(asked) == 1
        world.ticks.seconds += 8
        assert part(told(examiner), "registry") == {"ok": False, "busy": False, "detail": "no answer for 8 s"}
        released.set()
        asked[0].join()
        assert failing(told(examiner)) == set()
    assert len(asked) == 2


def test_the_threads_that_decide_may_be_busy_for_a_while_and_not_for_ever(caller: Caller) -> None:
    world, worker = caller.world, Worker("busy", 1)
    examiner = Examiner(world.services, {**PARTS, DECISIONS: free(worker)}, 0.05)
    occupied, released = threading.Event(), threading.Event()

    def occupy() -> None:
        occupied.set()
        released.wait(60)

    holder = threading.Thread(target=worker.within, args=(None, occupy))
    holder.start()
    assert occupied.wait(60)
    busy = {"ok": True, "busy": True, "detail": "no answer for 0 s"}
    assert [part(told(examiner), DECISIONS) for _ in range(3)] == [busy] * 3
    assert told(examiner).status == 200
    world.ticks.seconds += PATIENCE[DECISIONS]
    assert failing(told(examiner)) == {DECISIONS}
    released.set()
    holder.join()
    assert wait_until(lambda: failing(told(examiner)) == set(), 60)
    worker.stop()
    assert wait_until(lambda: failing(told(examiner)) == {DECISIONS}, 60)


def test_threads_of_which_all_hang_are_busy_like_any_that_owe_an_answer(caller: Caller) -> None:
    worker, released = Worker("hanging", 1, seconds=0.01), threading.Event()
    with pytest.raises(TimeoutError):
        worker.run(released.wait, 60)
    examiner = Examiner(caller.world.services, {DECISIONS: free(worker)}, 0.05)
    assert part(told(examiner), DECISIONS)["busy"] is True
    released.set()
    worker.stop()


def test_a_full_disk_is_told(world: World) -> None:
    assert spool(world.services, least=1).ok
    assert not spool(world.services, least=LEAST_FREE**3).ok


def test_three_missed_beats_shut_every_door_until_the_next_one(world: World) -> None:
    heart = Heartbeat(world.services)
    heart.pulsate()
    world.ticks.seconds += LATE - 2
    assert world.services.gate.closed is None
    world.ticks.seconds += 2
    assert world.services.gate.closed == "the heartbeat has stopped"
    assert not world.services.gate.authorize(world.request()).decision.permits
    heart.beat()
    assert world.services.gate.closed is None


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_is_set_neither_stops_the_heart_nor_hides_that_it_has_stopped(hours: int, caller: Caller) -> None:
    world = caller.world
    world.clock.advance(hours=hours)
    assert (world.services.gate.closed, failing(caller.get("health", "admin"))) == (None, set())
    world.ticks.seconds += LATE
    assert failing(caller.get("health", "admin")) == {"heartbeat", "trail"}
    world.clock.advance(hours=-hours)
    assert world.services.gate.closed == "the heartbeat has stopped"


def test_a_task_that_never_returns_is_a_heart_that_has_stopped(world: World) -> None:
    heart = Heartbeat(world.services, seconds=0.01)
    hanging, released = threading.Event(), threading.Event()

    def hangs() -> None:
        hanging.set()
        released.wait(60)

    heart.also.append(hangs)
    heart.start()
    assert hanging.wait(30)
    world.ticks.seconds += 1
    assert world.services.gate.closed == "the heartbeat has stopped"
    released.set()
    heart.stop()


def test_what_has_never_begun_has_not_stopped() -> None:
    ticks = HandTicks()
    pulse = Pulse(ticks)
    assert (pulse.since, pulse.stopped) == (None, False)
    pulse.beat(10)
    found = []
    for _ in range(3):
        found.append((pulse.since, pulse.stopped))
        ticks.seconds += 5.5
    assert found == [(0.0, False), (5.5, False), (11.0, True)]


def test_the_ticks_only_go_on() -> None:
    first = elapsed()
    assert 0 <= elapsed() - first < 3600
