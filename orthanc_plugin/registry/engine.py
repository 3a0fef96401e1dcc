"""Open the registry's database: SQLite by default, PostgreSQL where several nodes share it.

Knows connections and transactions. Must not know tables. A write takes the write lock at its start (``BEGIN IMMEDIATE``
on SQLite, an advisory lock on PostgreSQL), so the trail's head can't move between reading and appending; the commit of
a record is durable before the release that it precedes. A database that doesn't answer in ``PATIENCE_MS`` is an error,
and an error is a closed door.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.blockers import Blocker, blockers, in_the_way
from orthanc_plugin.registry.fence import STOPPED, Fence, FileFence, Passing, PostgreSQLFence
from orthanc_plugin.registry.prepared import driver
from orthanc_plugin.registry.turns import Lead, Together, Turns
from orthanc_plugin.registry.writelock import given_back, take, write_ahead

if TYPE_CHECKING:
    from psycopg import Connection as PostgreSQLConnection

T = TypeVar("T")

PATIENCE_MS: Final = 10_000
CACHE_KIB: Final = 16 * 1024  # of each connection: the upper pages of a registry of ten million pictures
MOST_IDLE: Final = 2  # that read and are kept; who waits for one is told only of those that are given back
ABANDONED_MS: Final = 60_000  # then PostgreSQL takes the write lock away from a node that hangs
TRAIL_LOCK: Final = 0x636F6E73  # PostgreSQL advisory lock of the trail's writers ("cons")
# SQLAlchemy would leave it to sqlite3 to begin, which begins too late; PostgreSQL's driver begins by itself.
READ: Final = "BEGIN"
IN_PARTS: Final = {"yield_per": 1000}  # for statements that give a whole table, which needn't fit into memory

# How long a PostgreSQL that is away may keep us waiting; what the database's URL says counts more.
REACH: Final = {
    "connect_timeout": "10",
    "tcp_user_timeout": str(PATIENCE_MS),
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "application_name": "consentgate",
}
# An asynchronous commit could be forgotten by a crash after the release had gone out.
SESSION: Final = (
    f"SET lock_timeout = {PATIENCE_MS}",
    f"SET statement_timeout = {PATIENCE_MS}",
    f"SET idle_in_transaction_session_timeout = {ABANDONED_MS}",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
IN_VAIN: Final = ("LockNotAvailable", "QueryCanceled")  # PATIENCE_MS were over
MISFIT: Final = ("StringDataRightTruncation", "DataError")
MISFITS: Final = "A value is too long, or has characters that can't be kept. Correct it; nothing was recorded."


def _on_connect(connection: SQLiteConnection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    write_ahead(connection, PATIENCE_MS)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"cache_size={-CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _on_connect_postgresql(connection: PostgreSQLConnection, _record: object) -> None:
    for statement in SESSION:
        connection.execute(statement)
    connection.commit()


def _cause(error: Exception) -> object:
    """Return the driver's own error."""
    return error.orig if isinstance(error, DBAPIError) else error


def _failure(what: str, error: Exception, blocker: Blocker | None = None) -> RegistryError:
    """Name what went wrong; the driver's own words may hold values of a row, and errors end up in logs."""
    cause = _cause(error)
    name = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    if blocker is not None:
        return RegistryError(f"The registry can't be {what} ({name}). {blocker}", remedy=blocker.remedy)
    return RegistryError(f"The registry can't be {what} ({name}).", remedy=MISFITS if name in MISFIT else None)


class Database:
    """The registry's database; ``reading`` and ``writing`` give transactions, ``write`` shares one with others."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._postgresql = engine.dialect.name == "postgresql"
        # Two statements of a PostgreSQL transaction see two states unless it is asked for one.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if self._postgresql else {}
        self._reader = engine.execution_options(**snapshot)
        self._failures = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self.fence: Fence = (
            PostgreSQLFence(self._reader, engine) if self._postgresql else FileFence(Path(engine.url.database or ""))
        )
        self._turns = Turns(PATIENCE_MS / 1000)
        self._together = Together(self.writing)
        self._kept: Connection | None = None
        self._readers: deque[Connection] = deque()
        self._askers: deque[Connection] = deque()  # for senders within the fence
        self._undone = 0

    @contextmanager
    def reading(self, passing: Passing | None = None) -> Iterator[Connection]:
        """Give a transaction that reads one consistent state; a sender within the fence asks as what ``passing`` is.

        Raises:
            RegistryError: the database failed.
        """
        try:
            theirs = passing and passing.connection
            with nullcontext(theirs) if theirs else self._idle_reader(self._readers) as connection, connection.begin():
                if not self._postgresql:
                    driver(connection).execute(READ, ()).close()
                yield connection
        except self._failures as error:
            raise _failure("read", error) from None

    def glance(self, ask: Callable[[Connection], T]) -> T | None:
        """Ask by single statements, on a thread with little stack; None where that fails, or no connection is idle.

        None on PostgreSQL, too, where connections aren't kept. Each such statement is a transaction by itself.
        """
        try:
            connection = self._readers.pop()
            found = ask(connection)
        except (IndexError, *self._failures):
            return None
        self._readers.append(connection)
        return found

    @contextmanager
    def leaving(self) -> Iterator[Passing]:
        """Stand within the fence as a sender, until the first bytes have gone (``Passing.left``) or nothing goes.

        Raises:
            RegistryError: it can't be entered, so nothing may leave.
        """
        with ExitStack() as stack:
            try:
                passing = self.fence.enter()
                stack.callback(passing.left)
                if passing.connection is None:  # the same one each time, where nobody else sends (``standstill``)
                    passing.connection = stack.enter_context(self._idle_reader(self._askers))
            except (*self._failures, OSError) as error:
                raise _failure("asked before a picture leaves", error) from None
            yield passing

    @contextmanager
    def _idle_reader(self, idle: deque[Connection]) -> Iterator[Connection]:
        """Give a connection that reads; on SQLite a few are kept, for the same reason as the one that writes."""
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._reader.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self._postgresql or len(idle) >= MOST_IDLE:
            connection.close()
        else:
            idle.append(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that holds the write lock; it is committed at the end, or not at all.

        What stops releases passes the fence after that, when nobody waits for its turn any more.

        Raises:
            RegistryError: the database failed.
        """
        stopped: Callable[[Database], None] | None = None
        try:
            with self._turns, self._writer() as connection:
                connection.info.pop(STOPPED, None)
                try:
                    with connection.begin():
                        self._lock(connection)
                        yield connection
                    stopped = connection.info.pop(STOPPED, None)
                except self._failures as error:
                    raise _failure("written", error, self._in_the_way(connection, error)) from None
        except self._failures as error:
            raise _failure("written", error) from None
        if stopped is not None:
            stopped(self)

    def _in_the_way(self, connection: Connection, error: Exception) -> Blocker | None:
        """Return whose open transaction was waited for in vain; None when it was something else."""
        waited = self._postgresql and type(_cause(error)).__name__ in IN_VAIN
        return in_the_way(connection, TRAIL_LOCK) if waited else None

    def blocked(self, seconds: float) -> Blocker | None:
        """Return whose transaction has kept others from writing for so long; None mostly.

        Raises:
            RegistryError: the database failed.
        """
        if not self._postgresql:
            return None
        with self.reading() as connection:
            return next(iter(blockers(connection, TRAIL_LOCK, seconds)), None)

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        """Give the connection that writes, to whoever has the turn; after a failure the next has a new one.

        On SQLite it is kept, since giving it back and having it again costs as much as an entry of the trail does;
        PostgreSQL's may die with their server, and the pool finds that out first.
        """
        connection, self._kept = self._kept or self.engine.connect(), None
        try:
            yield connection
        except BaseException:
            self._undone += 1
            connection.close()
            raise
        if self._postgresql:
            connection.close()
        else:
            self._kept = connection

    def at_once(self, work: Callable[[Connection], bool], undone: int, seconds: float) -> bool:
        """Do ``work``, one statement that is a transaction by itself; tell whether it was done.

        Not on PostgreSQL, nor when others write for so many ``seconds``, nor when more than ``undone`` transactions
        were undone.

        Raises:
            RegistryError: the database failed.
        """
        if self._kept is None or not self._turns.take(seconds):
            return False
        try:
            connection = self._kept
            return connection is not None and undone == self._undone and self._done(connection, work)
        finally:
            self._turns.__exit__()

    def _done(self, connection: Connection, work: Callable[[Connection], bool]) -> bool:
        """Do it; after a failure the next who writes has a new connection, as in ``_writer``."""
        try:
            return work(connection)
        except BaseException as error:
            self._kept, self._undone = None, self._undone + 1
            connection.close()
            if isinstance(error, self._failures):
                raise _failure("written", error) from None
            raise

    def undone(self) -> int:
        """Return how many transactions that write were undone so far."""
        return self._undone

    def _lock(self, connection: Connection) -> None:
        """Have the write lock from the transaction's start on."""
        if self._postgresql:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TRAIL_LOCK})
        else:
            take(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction that holds the write lock, with what other threads want written at that time.

        It does nothing but read and write the registry, for it may be done again; see ``Together``.

        Raises:
            RegistryError: nothing of it was written.
        """
        return self._together.write(work)

    def hand(self, work: Callable[[Connection], T], then: Callable[[T], None], lead: Lead, seconds: float | None) -> T:
        """Have another thread do the same, and wait for it so long; see ``Together``.

        Raises:
            TimeoutError: it took too long.
            RegistryError: nothing of it was written.
        """
        return self._together.hand(work, then, lead, seconds)

    def close(self) -> None:
        """Close every connection."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
        with suppress(IndexError):
            while True:
                (self._readers or self._askers).pop().close()
        self.engine.dispose()


def _sqlite(url: URL) -> Engine:
    if url.database and not Path(url.database).parent.is_dir():
        raise RegistryError("The folder of the registry's database is missing.")
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "checkin", given_back)
    return engine


def _postgresql(url: URL) -> Engine:
    from orthanc_plugin.registry.silence import MortalConnection  # here, because its driver is optional

    reach = {name: value for name, value in REACH.items() if name not in url.query}
    # The ping finds connections that a restart of the server has killed, before a decision is taken on one.
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=PATIENCE_MS / 1000,
        connect_args=reach,
    )
    event.listen(engine, "do_connect", lambda _dialect, _record, _given, told: MortalConnection.connect(**told))
    event.listen(engine, "connect", _on_connect_postgresql)
    return engine


ADDRESS: Final = "Write registry.database in settings.toml as sqlite:///FILE or postgresql://USER@HOST/NAME."
ENGINES: Final = {"sqlite": _sqlite, "postgresql": _postgresql}


def open_database(url: str) -> Database:
    """Return the database at ``url``; it is first touched when used.

    Raises:
        RegistryError: the address is neither SQLite's nor PostgreSQL's, or its folder or driver is missing.
    """
    try:
        parsed = make_url(url)
        return Database(ENGINES[parsed.get_backend_name()](parsed))
    except ImportError:
        raise RegistryError(
            "The driver for the registry's database is missing.",
            remedy="Install it: pip install 'consentgate[postgres]'.",
        ) from None
    except (ArgumentError, KeyError, ValueError, TypeError) as error:  # whose words may hold the password
        raise RegistryError(f"The registry's address can't be used ({type(error).__name__}).", remedy=ADDRESS) from None
