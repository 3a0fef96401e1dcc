"""Threads with a stack of our own size: Orthanc's HTTP threads have 100 KiB, on which a parser can kill the server.

A hook hands its work over, waits, and obeys. While it waits the interpreter lock is free. It never waits longer than it
was told to: a registry that hangs makes a door say no, and once every thread hangs the door says so at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

STACK_BYTES: Final = 64 * 1024 * 1024
DECISION_SECONDS: Final = 10.0


class Worker:
    """A pool of threads with large stacks.

    Args:
        name: prefix of the threads' names.
        threads: how many pieces of work may run at once.
        seconds: how long a hook waits before it gives up (and refuses); None for ever.
    """

    def __init__(self, name: str, threads: int, seconds: float | None = DECISION_SECONDS) -> None:
        self.threads = threads
        self.seconds = seconds
        self.hanging: set[Future[object]] = set()
        self.pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        before = threading.stack_size(STACK_BYTES)
        try:
            gathered = threading.Barrier(threads + 1)  # started now, while the stack size is ours
            for _ in range(threads):
                self.pool.submit(gathered.wait)
            gathered.wait()
        finally:
            threading.stack_size(before)

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns, or raise what it raises.

        Raises:
            TimeoutError: it took too long, or every thread hangs in work that does.
        """
        return self.within(self.seconds, work, *args, **kwargs)

    def within(self, seconds: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the same, but wait so long for it.

        Raises:
            TimeoutError: it took too long, or every thread hangs in work that does.
        """
        if len(self.hanging) >= self.threads:
            raise TimeoutError("every thread hangs")
        future = self.pool.submit(work, *args, **kwargs)
        try:
            return future.result(seconds)
        except TimeoutError:
            if not future.cancel():  # what hasn't begun is forgotten, so that nothing piles up
                self._hang(future)
            raise

    def ahead(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Begin ``work`` on a thread that is free; return what gives its result, and does it itself if none was."""
        future = self.pool.submit(work, *args, **kwargs)
        return lambda: work(*args, **kwargs) if future.cancel() else future.result()

    def later(self, work: Callable[[], None]) -> None:
        """Have ``work`` done when a thread is free; nobody waits for it."""
        self.pool.submit(work)

    def meet(self) -> None:
        """Return once a thread is free, however long that takes; it waits its turn like any work.

        Raises:
            RuntimeError: no thread takes work any more.
        """
        self.pool.submit(int).result()

    def _hang(self, future: Future[T]) -> None:
        """Count ``future`` as hanging until it ends, which may be now."""
        hanging = cast("Future[object]", future)
        self.hanging.add(hanging)
        hanging.add_done_callback(self.hanging.discard)

    def stop(self) -> None:
        """Take no more work; what has begun is let finish."""
        self.pool.shutdown(wait=False, cancel_futures=True)
