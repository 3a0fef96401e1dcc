"""Threads that hang: nothing piles up behind them, and the doors are themselves again afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from demo.peers import wait_until
from orthanc_plugin.sending.worker import Worker

SHORT = 0.05


@pytest.fixture
def registry() -> Iterator[threading.Event]:
    """Give what a stuck piece of work waits for; at the end it comes, so that no thread outlives the test."""
    answers = threading.Event()
    yield answers
    answers.set()


@pytest.fixture
def worker(registry: threading.Event) -> Iterator[Worker]:
    made = Worker("hanging", 2, seconds=SHORT)
    yield made
    registry.set()
    made.stop()


def hang(worker: Worker, work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        with pytest.raises(TimeoutError):
            worker.run(work)


def test_when_every_thread_hangs_the_answer_comes_at_once_and_nothing_waits(
    worker: Worker, registry: threading.Event
) -> None:
    hang(worker, registry.wait, 2)
    begun: list[str] = []
    with pytest.raises(TimeoutError, match="every thread hangs"):
        worker.within(None, begun.append, "asked")
    registry.set()
    assert wait_until(lambda: not worker.hanging, 10)
    assert begun == []
    worker.within(None, begun.append, "asked again")
    assert begun == ["asked again"]


def test_while_one_thread_is_free_the_others_may_hang(worker: Worker, registry: threading.Event) -> None:
    hang(worker, registry.wait, 1)
    assert worker.within(None, int, "7") == 7


def test_what_nobody_waits_for_any_more_is_never_begun(worker: Worker, registry: threading.Event) -> None:
    both = threading.Barrier(3)

    def occupy() -> None:
        both.wait()
        registry.wait()

    busy = [threading.Thread(target=worker.within, args=(None, occupy)) for _ in range(2)]
    for thread in busy:
        thread.start()
    both.wait()
    begun: list[str] = []
    with pytest.raises(TimeoutError):
        worker.run(begun.append, "too late")
    registry.set()
    for thread in busy:
        thread.join()
    assert worker.within(None, len, begun) == 0
    assert worker.hanging == set()


def test_work_that_itself_says_it_took_too_long_does_not_hang(worker: Worker) -> None:
    def late() -> None:
        raise TimeoutError("the recipient took too long")

    for _ in range(3):
        with pytest.raises(TimeoutError, match="the recipient"):
            worker.within(None, late)
    assert worker.hanging == set()


def test_work_begun_ahead_is_done_by_a_thread_that_is_free(worker: Worker) -> None:
    begun = threading.Event()

    def work() -> threading.Thread:
        begun.set()
        return threading.current_thread()

    by = worker.ahead(work)
    assert begun.wait(10)
    assert by().name.startswith("hanging")


def test_work_begun_ahead_is_done_by_whoever_waits_for_it_when_no_thread_is_free(
    worker: Worker, registry: threading.Event
) -> None:
    hang(worker, registry.wait, 2)
    by = worker.ahead(threading.current_thread)
    assert by() is threading.current_thread()


def test_what_waits_when_the_threads_are_stopped_is_told_that_nothing_comes(
    worker: Worker, registry: threading.Event
) -> None:
    hang(worker, registry.wait, 2)
    waiting = worker.ahead(int)
    worker.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        waiting()
    with pytest.raises(RuntimeError, match="stopped"):
        worker.later(lambda: None)


def test_what_has_been_asked_for_is_finished_before_the_threads_are_joined() -> None:
    worker = Worker("joined", 2)
    done: list[int] = []
    for number in range(8):
        worker.later(lambda number=number: done.append(number))  # type: ignore[misc]
    worker.join()
    assert sorted(done) == list(range(8))


def test_an_error_is_raised_where_the_work_is_waited_for(worker: Worker) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        worker.within(None, int, "seven")


def test_shared_work_is_done_in_order_of_its_items_though_no_other_thread_is_free() -> None:
    worker, over, busy = Worker("test", 1, seconds=None), threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        over.wait(60)

    worker.later(hold)
    assert busy.wait(60)
    assert worker.share(lambda each: each * 2, (1, 2, 3)) == [2, 4, 6]
    over.set()
    worker.meet()
    assert worker.share(str, ()) == []
    worker.stop()


def test_work_may_say_what_comes_of_it_before_it_has_ended(worker: Worker, registry: threading.Event) -> None:
    def work(tell: Callable[[str], None]) -> str:
        tell("early")
        registry.wait()
        return "late"

    piece = worker.early(10, work)
    assert (piece.answer(), piece.ended, piece.failed) == ("early", False, False)
    with pytest.raises(TimeoutError):
        worker.settled(SHORT, piece)
    assert len(worker.hanging) == 1
    registry.set()
    assert wait_until(lambda: not worker.hanging, 10)
    assert [worker.settled(10, piece) for _ in range(2)] == ["late", "late"]


def test_work_that_says_nothing_is_waited_for_to_its_end(worker: Worker) -> None:
    piece = worker.early(10, lambda _tell: "the end")
    assert (piece.answer(), worker.settled(10, piece)) == ("the end", "the end")


def test_work_that_fails_after_it_has_said_so_has_failed(worker: Worker) -> None:
    def work(tell: Callable[[str], None]) -> str:
        tell("early")
        raise ConnectionError

    piece = worker.early(10, work)
    assert piece.answer() == "early"
    with pytest.raises(ConnectionError):
        worker.settled(10, piece)
    assert piece.failed


def test_work_that_says_nothing_in_time_hangs_and_what_was_not_begun_is_forgotten(
    worker: Worker, registry: threading.Event
) -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError, match="too long"):
            worker.early(SHORT, lambda _tell: registry.wait())
    with pytest.raises(TimeoutError, match="every thread hangs"):
        worker.early(SHORT, lambda _tell: registry.wait())


def test_work_that_is_stopped_before_it_begins_says_that_nothing_comes(
    worker: Worker, registry: threading.Event
) -> None:
    hang(worker, registry.wait, 1)
    worker.later(lambda: cast("None", registry.wait()))
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            worker.early(10, lambda _tell: "never").answer()
        except RuntimeError as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert wait_until(lambda: not worker._queue.empty(), 10)
    worker.stop()
    asking.join(10)
    assert [str(each) for each in raised] == ["the threads have been stopped"]
