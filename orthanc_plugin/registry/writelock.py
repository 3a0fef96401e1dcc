"""SQLite's write lock, looked for every millisecond until it is there or patience ends.

SQLite's own waiting sleeps for up to a tenth of a second between two looks, so beside a process that writes again and
again others wait for seconds (docs/performance.md). How long anybody waits altogether is what the connection was told
(``PRAGMA busy_timeout``), and the error at the end is SQLite's. Whatever else may be busy, and every file without a
write-ahead log, is left to SQLite's own waiting. Knows the driver's connection. Must not know tables.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as SQLiteConnection
from time import sleep
from typing import Any, Final, Protocol, cast

from sqlalchemy import Connection

from orthanc_plugin.clock import elapsed
from orthanc_plugin.registry.prepared import driver

WRITE: Final = "BEGIN IMMEDIATE"
PAUSE: Final = 0.001  # seconds between two looks
PATIENCE: Final = "consentgate.patience"  # ms that a connection waits, where SQLite was told to wait for nothing
PRIMARY: Final = 0xFF  # of SQLite's extended codes
NEW_FILE_PAUSE_MS: Final = 20


class Record(Protocol):
    """What the pool keeps of a connection."""

    @property
    def info(self) -> MutableMapping[Any, Any]:
        """Return what was noted of it."""


def write_ahead(connection: SQLiteConnection, patience_ms: int) -> None:
    """Turn the write-ahead log on; SQLite doesn't wait when another process is at a new file, so we do.

    Raises:
        OperationalError: another is at it for so long, or whatever else SQLite says.
    """
    for _ in range(patience_ms // NEW_FILE_PAUSE_MS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except OperationalError as error:
            if error.sqlite_errorcode != SQLITE_BUSY:
                raise
        sleep(NEW_FILE_PAUSE_MS / 1000)
    connection.execute("PRAGMA journal_mode=WAL")


def take(connection: Connection) -> None:
    """Begin a transaction that has the write lock.

    Raises:
        OperationalError: others have had it for as long as this connection waits, or whatever else SQLite says.
    """
    until = elapsed() + _patience(connection) / 1000
    while True:
        try:
            driver(connection).execute(WRITE, ()).close()
        except OperationalError as error:
            if not _is_busy(error) or elapsed() >= until:
                raise
        else:
            return
        sleep(PAUSE)


def within(connection: Connection, work: Callable[[], bool]) -> bool:
    """Do ``work`` in a transaction that has the write lock; it is committed if that says so. What fails is left open.

    Raises:
        OperationalError: as ``take`` does, or ``work``.
    """
    take(connection)
    done = work()
    driver(connection).execute("COMMIT" if done else "ROLLBACK", ()).close()
    return done


def at_once(connection: Connection, work: Callable[[], bool]) -> bool:
    """Do ``work``, one statement that is a transaction by itself; where others write, do it again when they have.

    Raises:
        OperationalError: as ``within`` does.
    """
    _patience(connection)
    try:
        return work()
    except OperationalError as error:
        if not _is_busy(error) or _driven(connection).in_transaction:
            raise
    return within(connection, work)


def given_back(connection: SQLiteConnection | None, record: Record) -> None:
    """Have a connection that goes back to the pool wait as it did: whoever has it next may only read."""
    patience = record.info.pop(PATIENCE, 0)
    if patience and connection is not None:
        _wait(connection, patience)


def _patience(connection: Connection) -> int:
    """Return for how many ms this connection waits altogether, and have SQLite itself wait for nothing.

    Within a transaction that has the write lock of a write-ahead log nothing else is waited for; without such a log a
    commit waits for readers, and there SQLite's own waiting stays: 0.
    """
    if PATIENCE not in connection.info:
        here = _driven(connection)
        ((mode,), (patience,)) = (
            here.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "busy_timeout")
        )
        connection.info[PATIENCE] = patience if mode == "wal" else 0
        if connection.info[PATIENCE]:
            _wait(here, 0)
    return int(connection.info[PATIENCE])


def _wait(connection: SQLiteConnection, milliseconds: int) -> None:
    """Tell SQLite how long to wait; a PRAGMA whose statement is kept need not be obeyed again, and a script's is."""
    connection.executescript(f"PRAGMA busy_timeout={milliseconds}")


def _is_busy(error: OperationalError) -> bool:
    return error.sqlite_errorcode & PRIMARY == SQLITE_BUSY


def _driven(connection: Connection) -> SQLiteConnection:
    return cast("SQLiteConnection", driver(connection))
