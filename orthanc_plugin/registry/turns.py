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
Lead = Callable[[Callable[[], None]], None]


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
        if not self.take(self.seconds):
            raise RegistryError("The registry can't be written (other writers take too long).")

    def take(self, seconds: float) -> bool:
        """Wait so long for one's turn; tell whether it came, and then it is handed on by leaving."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            mine = _shut()
            self._waiting.append(mine)
        return mine.acquire(timeout=seconds) or not self._left(mine)

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


def _nothing(_result: object) -> None:
    """Do nothing."""


@dataclass(kw_only=True, eq=False)
class _Wish(Generic[T]):
    """What one thread wants written, and what came of it; ``then`` is told the result before that thread is."""

    work: Callable[[Connection], T]
    then: Callable[[T], None] = _nothing
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

    def settle(self) -> None:
        """Tell whoever waits for it."""
        try:
            if self.results:
                self.then(self.results[0])
        except Exception as error:  # noqa: BLE001 - raised in the thread whose wish it was
            self.results, self.error = (), error
        finally:
            self.settled.release()

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
        self._led = False  # whether a thread leads what waits; one that was only told to may have to wait for others
        self._given_up: set[_Wish[object]] = set()
        self._mutex = Lock()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, with whatever else waits for one; return its result once that is committed.

        Another thread may do it, and once more after a transaction that failed: so it must do nothing but read and
        write the registry by the connection that it is given.

        Raises:
            RegistryError: nothing of it was written.
        """
        wish = _Wish(work=work)
        self._add(cast("_Wish[object]", wish))
        self._lead()
        wish.settled.acquire()
        return wish.result()

    def hand(self, work: Callable[[Connection], T], then: Callable[[T], None], lead: Lead, seconds: float | None) -> T:
        """Have the same done by another thread, and wait for it so long; ``then`` is told first what came of it.

        Args:
            work: reads and writes the registry.
            then: is told the result once that is committed, whether or not anybody waits for it any more.
            lead: has a thread do what it is given.
            seconds: how long to wait; None for ever.

        Raises:
            TimeoutError: it took too long, or something before it takes too long and hasn't ended.
            RegistryError: nothing of it was written.
        """
        if self._given_up:
            raise TimeoutError("the registry hangs")
        wish = _Wish(work=work, then=then)
        mine = cast("_Wish[object]", wish)
        if self._add(mine):
            try:
                lead(self._lead)
            except Exception as error:  # noqa: BLE001 - no thread takes it, as everybody who waits is told
                for each in self._take() if self._claims() else ():
                    each.error = error
                    each.settle()
        if not wish.settled.acquire(timeout=-1 if seconds is None else seconds) and self._give_up(mine):
            raise TimeoutError("the registry took too long")
        return wish.result()

    def _add(self, wish: _Wish[object]) -> bool:
        """Add a wish to those that wait; tell whether it is the first."""
        with self._mutex:
            self._wishes.append(wish)
            return len(self._wishes) == 1

    def _claims(self) -> bool:
        """Take the lead of those that wait; False when a thread has it, or nobody waits any more."""
        with self._mutex:
            claimed = bool(self._wishes) and not self._led
            self._led = self._led or claimed
            return claimed

    def _give_up(self, wish: _Wish[object]) -> bool:
        """Wait no longer; False when it is settled after all."""
        with self._mutex:
            if wish.settled.acquire(blocking=False):
                return False
            self._given_up.add(wish)
            return True

    def _lead(self) -> None:
        """Wait for the write lock on behalf of all who come meanwhile, and settle what they wish; one thread does."""
        if not self._claims():
            return
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
                wish.settle()
                with self._mutex:
                    self._given_up.discard(wish)

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
            taken, self._wishes, self._led = self._wishes, [], False
        return taken
