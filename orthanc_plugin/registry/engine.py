"""Open the registry's database: SQLite by default, PostgreSQL where several nodes share it.

Knows connections and transactions. Must not know tables. A write takes the write lock at its start (``BEGIN IMMEDIATE``
on SQLite), so the trail's head can't move between reading and appending; ``synchronous=FULL`` makes a record durable
before the release that it precedes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from orthanc_plugin.errors import RegistryError

BUSY_TIMEOUT_MS: Final = 10_000
TRAIL_LOCK: Final = 0x636F6E73  # PostgreSQL advisory lock of the trail's writers ("cons")
WRITE: Final = "consentgate_write"


def _on_connect(connection: SQLiteConnection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITE) else "BEGIN")


class Database:
    """The registry's database; ``reading`` and ``writing`` give transactions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that reads one consistent state.

        Raises:
            RegistryError: the database failed.
        """
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            raise RegistryError(f"The registry can't be read ({type(error).__name__}).") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that holds the write lock; it is committed at the end, or not at all.

        Raises:
            RegistryError: the database failed.
        """
        try:
            with self.engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
                if self.engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TRAIL_LOCK})
                yield connection
        except SQLAlchemyError as error:
            raise RegistryError(f"The registry can't be written ({type(error).__name__}).") from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Return the database at ``url``; it is first touched when used.

    Raises:
        RegistryError: the address is no database address, or its folder is missing.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).parent.is_dir():
            raise RegistryError("The folder of the registry's database is missing.")
        engine = create_engine(parsed, future=True)
    except (ArgumentError, ImportError) as error:
        raise RegistryError(f"The registry's address can't be used ({type(error).__name__}).") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return Database(engine)
