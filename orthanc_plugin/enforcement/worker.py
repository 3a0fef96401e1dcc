"""Threads with a stack of our own size: Orthanc's HTTP threads have 100 KiB, on which a parser can kill the server.

A hook hands its work over, waits, and obeys. While it waits the interpreter lock is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

STACK_BYTES: Final = 64 * 1024 * 1024
DECISION_SECONDS: Final = 30.0


class Worker:
    """A pool of threads with large stacks.

    Args:
        name: prefix of the threads' names.
        threads: how many pieces of work may run at once.
        seconds: how long a hook waits before it gives up (and refuses); None for ever.
    """

    def __init__(self, name: str, threads: int, seconds: float | None = DECISION_SECONDS) -> None:
        self.seconds = seconds
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
            TimeoutError: it took too long.
        """
        return self.pool.submit(work, *args, **kwargs).result(self.seconds)

    def stop(self) -> None:
        """Take no more work; what has begun is let finish."""
        self.pool.shutdown(wait=False, cancel_futures=True)
