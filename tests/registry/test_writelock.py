"""Whoever waits for another process's write lock on SQLite looks often, as long as before, and fails as before."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from orthanc_plugin.clock import elapsed
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.engine import PATIENCE_MS, Database, open_database
from orthanc_plugin.registry.prepared import driver
from orthanc_plugin.registry.writelock import WRITE, at_once

SECONDS = 60
LOOKS = 100
SHORT_MS = 200
HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
held.execute("INSERT INTO notes VALUES ('theirs')")
print("held", flush=True)
sys.stdin.readline()
held.execute("COMMIT")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a registry's file with one table."""
    made = tmp_path / "registry.db"
    connection = sqlite3.connect(made, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    return made


@contextmanager
def opened(file: Path, *said: str) -> Iterator[tuple[Database, threading.Semaphore]]:
    """Give it opened, each connection told something more, and what counts every look for the write lock."""
    database, looks = open_database(f"sqlite:///{file}"), threading.Semaphore(0)

    def seen(text: str) -> None:
        if text == WRITE:
            looks.release()

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        for each in said:
            connection.execute(each).fetchall()
        connection.set_trace_callback(seen)

    event.listen(database.engine, "connect", connected)
    yield database, looks
    database.close()


@contextmanager
def another_process(file: Path) -> Iterator[Callable[[], None]]:
    """Have another process hold the write lock; give what makes it let go."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"

        def let_go() -> None:
            process.communicate("\n", timeout=SECONDS)

        try:
            yield let_go
        finally:
            process.kill()


def noted(connection: Connection) -> bool:
    driver(connection).execute("INSERT INTO notes VALUES ('ours')", ()).close()
    return True


def write(database: Database, work: Callable[[Connection], bool] = noted) -> bool:
    return database.write(work)


def write_at_once(database: Database, work: Callable[[Connection], bool] = noted) -> bool:
    return database.at_once(lambda connection: at_once(connection, lambda: work(connection)), database.undone(), 1.0)


WAYS = pytest.mark.parametrize("way", [write, write_at_once])


def notes(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    found = [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]
    connection.close()
    return found


def begun(database: Database) -> None:
    """Have a connection that writes, as there is one after the first transaction."""
    with database.writing():
        pass


def waits(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())


@WAYS
def test_who_waits_for_another_process_looks_again_and_again_until_it_has_let_go(
    way: Callable[[Database], bool], file: Path
) -> None:
    """SQLite's own waiting asks once, and looks by itself, at last every tenth of a second."""
    outcome: list[bool] = []
    with opened(file) as (database, looks):
        begun(database)
        with another_process(file) as let_go:
            thread = threading.Thread(target=lambda: outcome.append(way(database)))
            thread.start()
            for _ in range(LOOKS):
                assert looks.acquire(timeout=SECONDS)
            let_go()
            thread.join(SECONDS)
    assert (outcome, notes(file)) == ([True], ["theirs", "ours"])


@WAYS
def test_it_waits_as_long_as_its_connection_was_told_to_and_the_error_is_sqlite_s(
    way: Callable[[Database], bool], file: Path
) -> None:
    with opened(file, f"PRAGMA busy_timeout={SHORT_MS}") as (database, _):
        begun(database)
        with another_process(file):
            began = elapsed()
            with pytest.raises(RegistryError, match=r"^The registry can't be written \(SQLITE_BUSY\)\."):
                way(database)
            assert elapsed() - began >= SHORT_MS / 1000
        assert write(database)
    assert notes(file) == ["ours"]


def test_as_told_is_ten_seconds_for_whoever_reads_and_writes_and_only_the_lock_is_looked_for_by_us(file: Path) -> None:
    with opened(file) as (database, _):
        with database.writing() as connection:
            assert (waits(connection), connection.info["consentgate.patience"]) == (0, PATIENCE_MS)
        with database.reading() as connection:
            assert waits(connection) == PATIENCE_MS


def test_a_connection_that_is_given_back_waits_as_any_other_does(file: Path) -> None:
    with opened(file) as (database, _):
        for _ in range(3):
            with pytest.raises(ZeroDivisionError), database.writing():
                raise ZeroDivisionError
            with database.engine.connect() as connection:
                assert waits(connection) == PATIENCE_MS


@WAYS
def test_what_is_busy_within_a_transaction_ends_it_and_nothing_is_done_again(
    way: Callable[[Database, Callable[[Connection], bool]], bool], file: Path
) -> None:
    """As where a statement needs what another process has: it is SQLite's error, at once."""
    tries: list[bool] = []
    other = sqlite3.connect(file, isolation_level=None, timeout=0)

    def busy(connection: Connection) -> bool:
        driver(connection).execute("SAVEPOINT one", ()).close()
        tries.append(noted(connection))
        other.execute(WRITE)
        return True

    with opened(file) as (database, looks):
        begun(database)
        with pytest.raises(RegistryError, match="SQLITE_BUSY"):
            way(database, busy)
        assert (tries, notes(file)) == ([True], [])
        assert write(database)
    other.close()
    assert sum(looks.acquire(blocking=False) for _ in range(LOOKS)) == (3 if way is write else 2)
    assert notes(file) == ["ours"]


def test_a_file_without_a_write_ahead_log_is_waited_for_as_sqlite_does(file: Path) -> None:
    """There a commit waits for readers, which nobody but SQLite can do within a transaction."""
    with opened(file, "PRAGMA journal_mode=DELETE", f"PRAGMA busy_timeout={SHORT_MS}") as (database, looks):
        with database.writing() as connection:
            assert waits(connection) == SHORT_MS
        with another_process(file), pytest.raises(RegistryError, match="SQLITE_BUSY"):
            write(database)
    assert sum(looks.acquire(blocking=False) for _ in range(LOOKS)) == 2
