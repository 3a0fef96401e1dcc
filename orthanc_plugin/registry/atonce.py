"""The entries of permits that stand, written by the threads that ask, by one statement for all that come together.

On SQLite only. The statement is a transaction by itself: it takes the write lock, and writes nothing unless, under that
lock, the facts are those of the permits' version and the trail ends where we saw it end. So what it writes is what a
decision would have written there, and a withdrawal counts from its commit. Whatever it doesn't write is decided as
usual. One of the threads that ask writes for all of them, and none of them waits for a thread of our own. Must not know
what is permitted. Source: requirements 2.6 (R6; a decision is on record before anything leaves); docs/adr/0056.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.chain import digest_of
from orthanc_plugin.audit.event import Stencil
from orthanc_plugin.clock import Clock, Ids
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry import writelock
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.factversions import Version
from orthanc_plugin.registry.prepared import driver
from orthanc_plugin.registry.snapshots import Snapshot
from orthanc_plugin.registry.trail import HEAD_SEEN

MOST: Final = 16  # entries of one statement; who comes after them leads the next
TURN_SECONDS: Final = 1.0  # that are waited for others who write, before they are left to decide as usual


@dataclass(slots=True, eq=False)
class Permit:
    """A permit that stands under a version of the facts, on one day of the hospital's, and its entry but for the rest.

    ``since`` and ``until`` are the day's first moment, and the next one's. ``facts`` is what it rests on, until that is
    written.
    """

    version: Version
    since: datetime
    until: datetime
    stencil: Stencil
    facts: Snapshot | None = None

    def goes_with(self, other: Permit) -> bool:
        """Tell whether both stand under the same version on the same day."""
        return self.version == other.version and self.since == other.since


class _Wish:
    """What one thread waits for: whether the entry of its permit was written, or that it leads now."""

    __slots__ = ("failed", "given_up", "late", "leads", "permit", "settled", "written")

    def __init__(self, permit: Permit, late: Callable[[], None]) -> None:
        self.permit = permit
        self.late = late
        self.written = self.leads = self.failed = self.given_up = False
        self.settled = Lock()
        self.settled.acquire()


class AtOnce:
    """Writes such entries.

    Args:
        database: the registry.
        clock: gives the present moment.
        ids: gives fresh ids.
        shut: tells whether every door is.
    """

    def __init__(self, database: Database, clock: Clock, ids: Ids, shut: Callable[[], bool]) -> None:
        self.database = database
        self.clock = clock
        self.ids = ids
        self.shut = shut
        self._mutex = Lock()
        self._led = False
        self._waiting: deque[_Wish] = deque()

    def write(self, permit: Permit, seconds: float | None, late: Callable[[], None]) -> bool:
        """Write the entry of a permit, if it still stands; False when that is to be found out as usual.

        ``late`` is called where it was written when nobody waited for it any more.

        Raises:
            TimeoutError: it took too long, and nothing leaves.
            RegistryError: the registry failed, and nothing leaves.
        """
        with self._mutex:
            if self._led and self._waiting and self._waiting[0].given_up:
                return False  # whoever leads hangs
            mine = _Wish(permit, late) if self._led else None
            self._led = True
            if mine is not None:
                self._waiting.append(mine)
        return self._lead(permit) if mine is None else self._follow(mine, seconds)

    def _follow(self, mine: _Wish, seconds: float | None) -> bool:
        """Wait for what whoever leads writes, or lead those that wait."""
        if not mine.settled.acquire(timeout=-1 if seconds is None else seconds) and self._give_up(mine):
            raise TimeoutError("the registry took too long")
        if mine.failed:
            raise RegistryError("The registry can't be written.")
        return self._lead(mine.permit) if mine.leads else mine.written

    def _give_up(self, wish: _Wish) -> bool:
        """Wait no longer; False when it is settled after all."""
        with self._mutex:
            if wish.settled.acquire(blocking=False):
                return False
            wish.given_up = True
            return True

    def _lead(self, permit: Permit) -> bool:
        """Write the entry, and those of who waits, and have the first who came later lead them."""
        taken: list[_Wish] = []
        written, failed = False, True

        def work(connection: Connection) -> bool:
            self._take(permit, taken)
            return self._append(connection, (permit, *(each.permit for each in taken)))

        try:
            # What waited for another process over midnight is asked about anew.
            written = self.database.at_once(work, permit.version[1], TURN_SECONDS) and self.clock() < permit.until
            failed = False
        finally:
            self._settle(taken, written=written, failed=failed)
        return written

    def _take(self, permit: Permit, taken: list[_Wish]) -> None:
        """Take who waits with a permit of the same version and day, so far; the others are asked about as usual."""
        if not self._waiting:
            return
        with self._mutex:
            for _ in range(min(len(self._waiting), MOST - 1)):
                wish = self._waiting.popleft()
                if wish.permit.goes_with(permit) and not wish.given_up:
                    taken.append(wish)
                else:
                    wish.settled.release()

    def _settle(self, taken: Sequence[_Wish], *, written: bool, failed: bool) -> None:
        """Tell who waits what came of it, and have the first of the others lead; who waits no more is passed over."""
        with self._mutex:
            late = [wish for wish in taken if wish.given_up and written]
            for wish in taken:
                wish.written, wish.failed = written, failed
                wish.settled.release()
            self._led = False
            while self._waiting and not self._led:
                following = self._waiting.popleft()
                following.leads = self._led = not following.given_up
                following.settled.release()
        for wish in late:
            wish.late()

    def _append(self, connection: Connection, permits: Sequence[Permit]) -> bool:
        """Append the entries, with facts that nobody has written yet; tell whether it was done."""
        new = [each for each in permits if each.facts is not None]
        if not new:
            return writelock.at_once(connection, lambda: self._written(connection, permits))
        done = writelock.within(connection, lambda: _kept(connection, new) and self._written(connection, permits))
        for each in new if done else ():
            each.facts = None
        return done

    def _written(self, connection: Connection, permits: Sequence[Permit]) -> bool:
        """Write them by a statement that finds out whether they may be; all of them, or none."""
        at, head = self.clock(), connection.info.get(HEAD_SEEN)
        if head is None or not permits[0].since <= at < permits[0].until or self.shut():
            return False
        seq, digest = head
        values: list[object] = []
        for each in permits:
            event_id, body = each.stencil.entry(self.ids(), at)
            seq, previous = seq + 1, digest
            digest = digest_of(seq, event_id, previous, body)
            values += (seq, event_id, previous, body, digest)
        values += (*permits[0].version[0], head[1])
        done = driver(connection).execute(_statement(len(permits)), values).rowcount == len(permits)
        if done:
            connection.info[HEAD_SEEN] = seq, digest
        return done


def _kept(connection: Connection, permits: Sequence[Permit]) -> bool:
    for each in permits:
        if each.facts is not None:
            each.facts.keep(connection)
    return True


@cache
def _statement(entries: int) -> str:
    """Return the statement for so many entries: all of them, or none."""
    rows = ",".join(["(?,?,?,?,?)"] * entries)
    return (
        "INSERT INTO trail (seq, event_id, previous, body, digest)"  # noqa: S608 - our own words
        f" SELECT * FROM (VALUES {rows})"
        " WHERE (SELECT token FROM fact_versions LIMIT 1) = ? AND (SELECT version_num FROM alembic_version) = ?"
        " AND (SELECT digest FROM trail ORDER BY seq DESC LIMIT 1) = ?"
    )
