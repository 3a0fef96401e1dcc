"""Transactions on both databases: one state to read, one writer at a time, errors that tell nothing they shouldn't."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from traceback import format_exception

import psycopg
import pytest
from sqlalchemy import event

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.tables import patients
from tests.fakes.pictures import CARE
from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[2]
UPGRADE = """
import sys
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.schema import upgrade
print(upgrade(open_database(sys.argv[1])))
"""
PATIENT = {
    "patient_id": "NHS-9434765919",
    "issuer": "HOSP",
    "capacity": "HAS",
    "gillick": "NA",
    "national_data_opt_out": 0,
}


def test_what_was_read_first_is_read_to_the_end_whoever_writes_meanwhile(world: World) -> None:
    with world.services.database.reading() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM trail").scalar()
        world.services.gate.refuse(world.requester(), "door", "reason", rule="RULE")
        assert connection.exec_driver_sql("SELECT count(*) FROM trail").scalar() == before
    assert world.sql("SELECT count(*) FROM trail") == [(1,)]


def test_whoever_can_t_get_the_write_lock_gives_up_and_the_door_stays_shut(world: World) -> None:
    world.file(CARE)
    hasty = "SET lock_timeout = 100" if world.on_postgresql else "PRAGMA busy_timeout = 100"

    def shorten(connection: sqlite3.Connection | psycopg.Connection, *_: object) -> None:
        connection.execute(hasty)
        connection.commit()

    event.listen(world.services.database.engine, "checkout", shorten)
    other = open_database(world.url)
    with other.writing():
        denied = world.services.gate.authorize(world.request()).decision
    other.close()
    assert (denied.permits, denied.rules) == (False, ("FAIL_CLOSED",))
    assert world.services.gate.authorize(world.request()).decision.permits


def write_twice(world: World) -> None:
    with world.services.database.writing() as connection:
        for _ in range(2):
            connection.execute(patients.insert().values(PATIENT))


def test_an_error_of_the_database_names_its_kind_and_no_patient(world: World) -> None:
    with pytest.raises(
        RegistryError, match="UniqueViolation" if world.on_postgresql else "SQLITE_CONSTRAINT"
    ) as caught:
        write_twice(world)
    assert PATIENT["patient_id"] not in "".join(format_exception(caught.value))
    assert world.sql("SELECT count(*) FROM patients") == [(0,)]


def test_a_new_file_that_another_process_is_writing_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE notes (text)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO notes VALUES ('first')")
    threading.Timer(0.3, other.execute, ["COMMIT"]).start()
    database = open_database(f"sqlite:///{tmp_path}/registry.db")
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT text FROM notes").scalar() == "first"
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()
    other.close()


def test_two_upgrades_at_once_make_the_tables_once(bare: str) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, bare], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [(each.communicate(timeout=120)[1], each.returncode) for each in both] == [("", 0), ("", 0)]
    database = open_database(bare)
    schema.require_current(database)
    database.close()
