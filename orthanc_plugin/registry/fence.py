"""The fence that a withdrawal passes before it answers: whoever sends holds it while a picture is about to leave.

A sender holds it, shared with other senders, from before it asks once more until the first bytes have gone; whatever
stops releases passes it alone, once, between its commit and its answer. So what left late had begun before the answer,
and whoever asks later sees what was committed. Knows locks: ``flock`` on files beside SQLite's, which the kernel opens
when a process dies, and PostgreSQL's advisory locks, which end with their connection. Must not know what is asked, nor
sent. Source: requirements 0 (4) and 2.9 (a withdrawal counts at once); docs/adr/0054.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from functools import partial
from pathlib import Path
from time import sleep
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from orthanc_plugin.clock import elapsed
from orthanc_plugin.registry.prepared import driver

PATIENCE: Final = 5.0  # seconds that a withdrawal waits: less than whoever asked for it does
SENDERS_PATIENCE: Final = 10.0  # a picture that waits stays, so it may wait longer
PAUSE: Final = 0.0005
TURN, GATE = "-fence-turn", "-fence"  # the files behind the database's name, as SQLite names its own
STOPPED: Final = "consentgate.stopped"  # what a transaction leaves to be done once it is committed
FENCE_LOCK: Final = 0x66656E63  # PostgreSQL's advisory lock ("fenc")
ENTER: Final = "SELECT pg_advisory_lock_shared(%s)"
LEAVE: Final = "SELECT pg_advisory_unlock_shared(%s)"


@dataclass(slots=True)
class Passing:
    """A sender within the fence.

    Attributes:
        connection: on which it asks; None for any.
        leave: lets go, once.
    """

    connection: Connection | None
    leave: Callable[[], None] | None

    def left(self) -> None:
        """Leave the fence: the first bytes have gone, or nothing goes."""
        leave, self.leave = self.leave, None
        if leave is not None:
            leave()


class Fence(Protocol):
    """What senders stand within, and withdrawals pass."""

    def enter(self) -> Passing:
        """Enter as a sender, before anything is asked.

        Raises:
            OSError: it can't be entered, or not in time; nothing may leave then.
            SQLAlchemyError: the same.
        """

    def passed(self) -> bool:
        """Pass alone, once every sender that stands within has left; False when one doesn't in time."""


class FileFence:
    """The fence beside a file of SQLite's; each holder has descriptors of its own, for a lock belongs to those.

    Whoever enters or passes takes the turnstile first, and who passes keeps it: senders who come don't make it wait.
    """

    def __init__(self, database: Path, patience: float = PATIENCE) -> None:
        self.database = database
        self.patience = patience

    def enter(self) -> Passing:
        """Enter as a sender.

        Raises:
            OSError: it can't be entered, or not in time.
        """
        until = elapsed() + SENDERS_PATIENCE
        turn = self._opened(TURN)
        try:
            if not _locked(turn, LOCK_EX, until):
                raise TimeoutError
            gate = self._opened(GATE)
            if not _locked(gate, LOCK_SH, until):
                os.close(gate)
                raise TimeoutError
        finally:
            _let_go(turn)
        return Passing(None, partial(_let_go, gate))

    def passed(self) -> bool:
        """Pass alone."""
        until = elapsed() + self.patience
        try:
            turn = self._opened(TURN)
            try:
                if not _locked(turn, LOCK_EX, until):
                    return False
                gate = self._opened(GATE)
                try:
                    return _locked(gate, LOCK_EX, until)
                finally:
                    _let_go(gate)
            finally:
                _let_go(turn)
        except OSError:
            return False

    def _opened(self, which: str) -> int:
        """Return a descriptor of its own; a file that root makes belongs to whom the database belongs."""
        path = f"{self.database}{which}"
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            found = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        with suppress(OSError):  # nobody but root may give it away, nor has to
            owner = self.database.stat()
            os.fchown(found, owner.st_uid, owner.st_gid)
        return found


def _locked(descriptor: int, how: int, until: float) -> bool:
    while True:
        try:
            flock(descriptor, how | LOCK_NB)
        except BlockingIOError:
            if elapsed() >= until:
                return False
            sleep(PAUSE)
        else:
            return True


def _let_go(descriptor: int) -> None:
    """Unlock, for a child that was forked meanwhile has the descriptor, too, and close it."""
    try:
        flock(descriptor, LOCK_UN)
    finally:
        os.close(descriptor)


class PostgreSQLFence:
    """The fence in PostgreSQL, for every node: an advisory lock of the session, on which the sender asks then.

    A transaction that reads has its snapshot from its first statement, so the lock is had before that begins. Whoever
    waits for a lock is in a queue there; nobody overtakes.

    Args:
        reader: gives connections that read one consistent state.
        engine: gives others.
    """

    def __init__(self, reader: Engine, engine: Engine, patience: float = PATIENCE) -> None:
        self.reader = reader
        self.engine = engine
        self.patience = patience

    def enter(self) -> Passing:
        """Enter as a sender.

        Raises:
            SQLAlchemyError: the server is away, or somebody holds it for too long; or the driver's own error.
        """
        connection = self.reader.connect()
        try:
            _said(connection, ENTER)
        except BaseException:
            _forget(connection)
            raise
        return Passing(connection, partial(_left, connection))

    def passed(self) -> bool:
        """Pass alone."""
        try:
            with self.engine.connect() as connection, connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = {int(self.patience * 1000)}"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": FENCE_LOCK})
        except SQLAlchemyError:
            return False
        return True


def _said(connection: Connection, words: str) -> None:
    """Say it in a transaction of its own; what a session holds outlives that."""
    driver(connection).execute(words, (FENCE_LOCK,)).close()
    connection.connection.rollback()


def _left(connection: Connection) -> None:
    try:
        _said(connection, LEAVE)
    except Exception:  # noqa: BLE001 - whatever failed: a session that ends holds nothing
        _forget(connection)
    else:
        connection.close()


def _forget(connection: Connection) -> None:
    """End the session, so that nobody is given one that holds the fence."""
    connection.invalidate()
    connection.close()
