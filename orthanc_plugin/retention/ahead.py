"""One thread that destroys what is marked, while the next lines are decided on and those before are written down.

Knows threads. Must not know what is done. Nothing begins any more once something has failed, on either side: what is
marked by then is taken up by the next execution. What has begun is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import TypeVar

from orthanc_plugin.errors import ConsentgateError

T = TypeVar("T")


class EndedError(ConsentgateError):
    """The execution has ended, so nothing more is destroyed."""

    remedy = "Run 'consentgate retention apply' again; it takes up what is left."


class Ahead:
    """The thread; leaving the context ends it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="consentgate-destroys")
        self._ended = Event()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._pool.shutdown(cancel_futures=True)

    def go_on(self) -> None:
        """Return if the execution goes on; asked before each record is destroyed.

        Raises:
            EndedError: it doesn't.
        """
        if self._ended.is_set():
            raise EndedError("The execution was ended before this was destroyed.")

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Have it done after what was begun before."""
        return self._pool.submit(self._done, work)

    def _done(self, work: Callable[[], T]) -> T:
        self.go_on()
        try:
            return work()
        except BaseException:
            self._ended.set()
            raise
