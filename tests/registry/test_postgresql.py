"""What only a registry on a server can suffer: it restarts, hangs, doesn't know us, or isn't there."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception

import psycopg
import pytest
from sqlalchemy.engine import make_url

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.silence import MortalConnection
from orthanc_plugin.registry.tables import snapshots
from tests.fakes import postgres
from tests.fakes.pictures import CARE
from tests.fakes.world import World, make_world

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def world(server: postgres.Server, tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, database=server.database())
    yield made
    made.close()
    postgres.drop(made.url)


def cut_connections(world: World) -> None:
    world.sql(CUT)


def test_a_decision_after_a_restart_of_the_server_is_taken_on_a_new_connection(world: World) -> None:
    world.file(CARE)
    cut_connections(world)
    assert world.services.gate.authorize(world.request()).decision.permits


def write_and_be_cut(world: World) -> None:
    with world.services.database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO snapshots VALUES ('x', 'y')")
        us = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        postgres.execute(world.url, f"SELECT pg_terminate_backend({us}, 10000)")
        connection.exec_driver_sql("INSERT INTO snapshots VALUES ('z', 'y')")


def test_a_connection_cut_in_the_middle_of_a_transaction_writes_nothing(world: World) -> None:
    with pytest.raises(RegistryError, match="can't be written"):
        write_and_be_cut(world)
    assert world.sql("SELECT count(*) FROM snapshots") == [(0,)]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("lock_timeout", "10s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("synchronous_commit", "on"),
        ("application_name", "consentgate"),
    ],
)
def test_a_session_has_the_patience_and_the_care_that_the_doors_need(setting: str, value: str, world: World) -> None:
    name = make_url(world.url).database
    postgres.execute(world.url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    cut_connections(world)
    with world.services.database.writing() as connection:
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == value


def test_nothing_is_written_where_only_reading_was_meant(world: World) -> None:
    with pytest.raises(RegistryError, match="ReadOnlySqlTransaction"), world.services.database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM trail")


def keep(world: World, digest: str) -> None:
    with world.services.database.writing() as connection:
        connection.execute(snapshots.insert().values(digest=digest, body="kept"))


@pytest.mark.parametrize("value", ["x" * 65, "x\0"], ids=["too long", "NUL"])
def test_a_value_that_doesn_t_fit_is_told_as_one_and_nothing_is_recorded(value: str, world: World) -> None:
    with pytest.raises(RegistryError, match="nothing was recorded") as caught:
        keep(world, value)
    assert value not in "".join(format_exception(caught.value))
    assert world.sql("SELECT count(*) FROM snapshots") == [(0,)]


def test_a_wrong_password_denies_and_is_told_to_nobody(
    world: World, server: postgres.Server, caplog: pytest.LogCaptureFixture
) -> None:
    world.file(CARE)
    wrong = world.url.replace(server.password, "s3cret-but-wrong")
    settings = world.folder / "settings.toml"
    settings.write_text(settings.read_text().replace(server.password, "s3cret-but-wrong"))
    world.services.gate.database = open_database(wrong)
    with caplog.at_level(logging.DEBUG):
        assert not world.services.gate.authorize(world.request()).decision.permits
    with pytest.raises(RegistryError) as caught:
        schema.require_current(open_database(wrong))
    told = caplog.text + "".join(format_exception(caught.value))
    assert "OperationalError" in told
    assert "s3cret" not in told


def test_a_server_that_takes_the_call_and_never_answers_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = open_database(f"postgresql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2")
        with pytest.raises(RegistryError, match="can't be read") as caught:
            schema.version(database)
    assert "s3cret" not in str(caught.value)


class HastyConnection(MortalConnection):
    """One that is dropped sooner, so that the test needn't wait as long as a door does."""

    silence_seconds = 0.5


def test_a_connection_on_which_no_answer_comes_is_dropped(world: World) -> None:
    with HastyConnection.connect(world.url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/0")
        assert connection.execute("SELECT 7").fetchone() == (7,)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(600)")
        assert connection.closed


def test_every_connection_of_a_door_is_such_a_one(world: World) -> None:
    with world.services.database.engine.connect() as connection:
        assert isinstance(connection.connection.driver_connection, MortalConnection)


def test_the_password_may_be_in_a_file_of_passwords(
    server: postgres.Server, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{server.password}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    without = world.url.replace(f":{server.password}@", "@")
    assert without != world.url
    database = open_database(without)
    schema.require_current(database)
    database.close()


def test_a_server_that_can_t_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no_such_setting"), postgres.running(options=("no_such_setting=1",)):
        pass
