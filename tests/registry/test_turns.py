"""Writers of one process: each gets its turn in order, and small writes share a transaction without sharing a fate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event

from demo.peers import wait_until
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.gate import Answer
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.turns import Together, Turns
from orthanc_plugin.sending.worker import Worker
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

SECONDS = 30.0
EIGHT = 8


class Counted:
    """The transactions of a database, counted; the write lock is had when the test lets it go."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.begun = 0
        self.asked = 0
        self.free = threading.Event()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        self.asked += 1
        assert self.free.wait(SECONDS)
        with self.database.writing() as connection:
            self.begun += 1
            yield connection


def all_waiting(
    together: Together, pool: ThreadPoolExecutor, *works: Callable[[Connection], object]
) -> list[Future[object]]:
    """Have every one of ``works`` wait for the same transaction."""
    futures = [pool.submit(together.write, work) for work in works]
    assert wait_until(lambda: len(together._wishes) == len(works), SECONDS)
    return futures


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(EIGHT) as made:
        yield made


def note(world: World, reason: str) -> Callable[[Connection], object]:
    return lambda connection: append_refusal(world, connection, reason)


def append_refusal(world: World, connection: Connection, reason: str) -> str:
    append(connection, [world.services.gate.refusal(world.requester(), "door", reason, rule="RULE")])
    return reason


def broken(_connection: Connection) -> object:
    raise ZeroDivisionError


def test_what_waits_for_the_write_lock_is_written_in_one_transaction(world: World, pool: ThreadPoolExecutor) -> None:
    counted = Counted(world.services.database)
    together = Together(counted.writing)
    reasons = [f"reason {number}" for number in range(EIGHT)]
    futures = all_waiting(together, pool, *(note(world, reason) for reason in reasons))
    counted.free.set()
    assert [future.result(SECONDS) for future in futures] == reasons
    assert counted.begun == 1
    assert sorted(str(entry["reasons"]) for entry in world.trail()) == [f"['{reason}']" for reason in reasons]
    assert verify(world.services.trail.entries()).whole


def test_a_write_that_fails_takes_none_of_the_others_with_it(world: World, pool: ThreadPoolExecutor) -> None:
    counted = Counted(world.services.database)
    together = Together(counted.writing)
    first, failing, last = all_waiting(together, pool, note(world, "first"), broken, note(world, "last"))
    counted.free.set()
    assert (first.result(SECONDS), last.result(SECONDS)) == ("first", "last")
    with pytest.raises(ZeroDivisionError):
        failing.result(SECONDS)
    assert sorted(str(entry["reasons"]) for entry in world.trail()) == ["['first']", "['last']"]
    assert verify(world.services.trail.entries()).whole


def test_without_a_transaction_nobody_is_told_that_anything_was_written(world: World, pool: ThreadPoolExecutor) -> None:
    let_go = threading.Event()

    @contextmanager
    def lost() -> Iterator[Connection]:
        assert let_go.wait(SECONDS)
        raise RegistryError("The registry can't be written (lost).")
        yield

    together = Together(lost)
    futures = all_waiting(together, pool, *(note(world, "reason") for _ in range(3)))
    let_go.set()
    for future in futures:
        with pytest.raises(RegistryError):
            future.result(SECONDS)
    assert world.trail() == []


def test_whoever_comes_while_a_transaction_is_under_way_has_the_next_one(
    world: World, pool: ThreadPoolExecutor
) -> None:
    counted = Counted(world.services.database)
    counted.free.set()
    together = Together(counted.writing)
    begun, go_on = threading.Event(), threading.Event()

    def slow(_connection: Connection) -> str:
        begun.set()
        assert go_on.wait(SECONDS)
        return "slow"

    first = pool.submit(together.write, slow)
    assert begun.wait(SECONDS)
    second = pool.submit(together.write, note(world, "second"))
    assert wait_until(lambda: counted.asked == 2, SECONDS)
    assert not second.done()
    go_on.set()
    assert (first.result(SECONDS), second.result(SECONDS)) == ("slow", "second")
    assert counted.begun == 2


def test_turns_come_in_the_order_in_which_they_were_asked_for(pool: ThreadPoolExecutor) -> None:
    turns = Turns(SECONDS)
    order: list[int] = []

    def take(number: int) -> None:
        with turns:
            order.append(number)

    with turns:
        for number in range(EIGHT):
            pool.submit(take, number)
            assert wait_until(lambda: len(turns._waiting) == number + 1, SECONDS)  # noqa: B023 - asked at once
    pool.shutdown()
    assert order == list(range(EIGHT))


def test_whoever_waits_too_long_for_a_turn_gives_up_and_holds_up_nobody() -> None:
    turns = Turns(0.01)
    with turns, pytest.raises(RegistryError, match="too long"), turns:
        raise AssertionError
    with turns:
        pass


def test_decisions_that_are_asked_for_at_once_are_each_taken_and_on_record(
    world: World, pool: ThreadPoolExecutor
) -> None:
    world.file(CARE)
    requests = [world.request(uid=UID if number % 2 else "2.25.999") for number in range(EIGHT * 4)]
    answers: list[Answer] = list(pool.map(world.services.gate.authorize, requests))
    assert [answer.decision.permits for answer in answers] == [request.sop_instance_uid == UID for request in requests]
    for answer in answers:
        entry = world.services.trail.find(answer.decision_id)
        assert (entry["subject"], entry["effect"]) == (answer.request.sop_instance_uid, answer.decision.effect)
    assert verify(world.services.trail.entries()).whole


def test_a_withdrawal_between_them_parts_the_decisions_before_from_those_after(
    world: World, pool: ThreadPoolExecutor
) -> None:
    world.file(CARE)
    committed = threading.Event()

    def ask() -> tuple[bool, bool]:
        after = committed.is_set()
        return after, world.services.gate.authorize(world.request()).decision.permits

    asked = [pool.submit(ask) for _ in range(EIGHT)]
    world.withdraw()
    committed.set()
    asked += [pool.submit(ask) for _ in range(EIGHT)]
    assert [permits for after, permits in (each.result(SECONDS) for each in asked) if after and permits] == []
    effects = [entry["effect"] for entry in world.trail() if entry["event"] == "110147"]
    assert effects == sorted(effects, reverse=True)  # PERMIT_... before DENY, never again after it


def test_a_lost_commit_denies_all_who_shared_it(world: World, pool: ThreadPoolExecutor) -> None:
    world.file(CARE)
    before = len(world.trail())

    def lose(_connection: Connection) -> None:
        raise OSError

    event.listen(world.services.database.engine, "commit", lose)
    denied = list(pool.map(world.services.gate.authorize, [world.request()] * EIGHT))
    event.remove(world.services.database.engine, "commit", lose)
    assert {(answer.decision.permits, answer.decision_id) for answer in denied} == {(False, "")}
    assert len(world.trail()) == before


def at_once(work: Callable[[], None]) -> None:
    """Lead on the calling thread."""
    work()


def test_what_another_thread_writes_is_told_to_whoever_asked_for_it_before_they_are(world: World) -> None:
    told: list[object] = []
    together = Together(world.services.database.writing)
    assert together.hand(note(world, "handed"), told.append, at_once, SECONDS) == "handed"
    assert told == ["handed"]
    assert world.trail()[-1]["reasons"] == ["handed"]


def test_once_somebody_has_waited_in_vain_nobody_else_waits_until_that_has_ended(world: World) -> None:
    together = Together(world.services.database.writing)
    leading: list[Callable[[], None]] = []
    for seconds in (0, SECONDS):  # the second at once
        with pytest.raises(TimeoutError):
            together.hand(note(world, "late"), lambda _: None, leading.append, seconds)
    (lead,) = leading
    lead()
    assert together.hand(note(world, "after"), lambda _: None, at_once, SECONDS) == "after"
    assert [entry["reasons"] for entry in world.trail()] == [["late"], ["after"]]


def test_where_no_thread_takes_work_nothing_is_written_and_nobody_is_kept_waiting(world: World) -> None:
    together = Together(world.services.database.writing)

    def none_left(_work: Callable[[], None]) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        together.hand(note(world, "never"), lambda _: None, none_left, SECONDS)
    assert world.trail() == []
    assert together.write(note(world, "now")) == "now"


def test_an_error_in_what_is_told_is_raised_where_it_was_asked_for(world: World) -> None:
    together = Together(world.services.database.writing)

    def fail(result: int) -> None:
        raise ZeroDivisionError(result)

    with pytest.raises(ZeroDivisionError):
        together.hand(lambda _: 0, fail, at_once, SECONDS)


def test_what_waits_on_every_thread_is_not_kept_by_a_lead_that_waits_for_one(world: World) -> None:
    """As when eight requests that name no picture are asked at once with one that does."""
    together = Together(world.services.database.writing)
    worker, go_on, begun = Worker("test", 1, SECONDS), threading.Event(), threading.Event()

    def busy() -> object:
        begun.set()
        assert go_on.wait(SECONDS)
        return together.write(note(world, "noted"))

    with ThreadPoolExecutor(2) as pool:
        noted = pool.submit(worker.run, busy)
        assert begun.wait(SECONDS)
        handed = pool.submit(together.hand, note(world, "handed"), lambda _: None, worker.lead, SECONDS)
        assert wait_until(lambda: worker._queue.qsize() == 1, SECONDS)
        go_on.set()
        assert (handed.result(SECONDS), noted.result(SECONDS)) == ("handed", "noted")
    worker.join()
