"""Whose turn it is to write: one thread of this process at a time, first come first served; small writes together.

Knows threads and transactions. Must not know tables. SQLite's own waiting sleeps and lets whoever wakes first go first,
so of many threads some wait for long; here each waits for its turn. What waits while another transaction is being
committed is written in the next one, all of it: the disk is synced once for many decisions. Each is still taken under
the write lock and durable before it is answered; nobody waits for others to come. Source: requirements 2.6 (a decision
is on record before anything leaves).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection

from orthanc_plugin.errors import RegistryError

T = TypeVar("T")

Transaction = Callable[[], AbstractContextManager[Connection]]


def _shut() -> Lock:
    """Return a lock that opens when somebody else says so."""
    lock = Lock()
    lock.acquire()
    return lock


class Turns:
    """A lock that is handed on in the order in which it was asked for.

    Args:
        seconds: how long anybody waits for their turn.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._taken = False
        self._waiting: deque[Lock] = deque()
        self._mutex = Lock()

    def __enter__(self) -> None:
        """Wait for one's turn.

        Raises:
            RegistryError: it didn't come in time.
        """
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            mine = _shut()
            self._waiting.append(mine)
        if not mine.acquire(timeout=self.seconds) and self._left(mine):
            raise RegistryError("The registry can't be written (other writers take too long).")

    def _left(self, mine: Lock) -> bool:
        """Leave the queue; False when the turn has come after all."""
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return True
            return False

    def __exit__(self, *_: object) -> None:
        """Hand the turn on."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


@dataclass(kw_only=True)
class _Wish(Generic[T]):
    """What one thread wants written, and what came of it."""

    work: Callable[[Connection], T]
    settled: Lock = field(default_factory=_shut)
    results: tuple[T, ...] = ()
    error: Exception = field(default_factory=lambda: RegistryError("The registry can't be written (interrupted)."))

    def alone(self, writing: Transaction) -> None:
        """Do it in a transaction of its own."""
        try:
            with writing() as connection:
                result = self.work(connection)
            self.results = (result,)
        except Exception as error:  # noqa: BLE001 - raised in the thread whose wish it was
            self.error = error

    def result(self) -> T:
        """Return the result, or raise why there is none."""
        if not self.results:
            raise self.error
        return self.results[0]


class Together:
    """Writes what several threads want written in one transaction.

    Args:
        writing: gives a transaction that holds the write lock.
    """

    def __init__(self, writing: Transaction) -> None:
        self.writing = writing
        self._wishes: list[_Wish[object]] = []
        self._mutex = Lock()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, with whatever else waits for one; return its result once that is committed.

        Another thread may do it, and once more after a transaction that failed: so it must do nothing but read and
        write the registry by the connection that it is given.

        Raises:
            RegistryError: nothing of it was written.
        """
        wish = _Wish(work=work)
        with self._mutex:
            self._wishes.append(cast("_Wish[object]", wish))
            leads = len(self._wishes) == 1
        if leads:
            self._lead()
        else:
            wish.settled.acquire()
        return wish.result()

    def _lead(self) -> None:
        """Wait for the write lock on behalf of all who come meanwhile, and settle what they wish."""
        taken: list[_Wish[object]] = []
        try:
            with self.writing() as connection:
                taken = self._take()
                results = [wish.work(connection) for wish in taken]
            for wish, result in zip(taken, results, strict=True):
                wish.results = (result,)
        except Exception as error:  # noqa: BLE001 - raised in the threads whose wishes they were
            taken = self._fail(taken, error)
        finally:
            for wish in taken or self._take():
                wish.settled.release()

    def _fail(self, taken: list[_Wish[object]], error: Exception) -> list[_Wish[object]]:
        """Tell everybody that there is no transaction; one that failed is tried once more for each by themselves."""
        if len(taken) > 1:
            for wish in taken:
                wish.alone(self.writing)
            return taken
        failed = taken or self._take()
        for wish in failed:
            wish.error = error
        return failed

    def _take(self) -> list[_Wish[object]]:
        """Return what has come together; whoever comes from here on leads the next ones."""
        with self._mutex:
            taken, self._wishes = self._wishes, []
        return taken
