"""An open session on PostgreSQL that wrote facts: who waits for it is told which one it is, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url

from demo.peers import wait_until
from orthanc_plugin.enforcement.health import registry
from orthanc_plugin.enforcement.opensessions import OpenSessions, blocker
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.engine import TRAIL_LOCK
from tests.fakes import postgres
from tests.fakes.pictures import CARE
from tests.fakes.world import World, make_world

BY_HAND = "UPDATE patients SET capacity = 'LACKS' WHERE patient_id = 'NHS-9434765919'"
SECONDS = 60


@pytest.fixture
def world(server: postgres.Server, tmp_path: Path) -> Iterator[World]:
    """Give a hospital on PostgreSQL with a photograph, whose writers don't wait for long."""
    made = make_world(tmp_path, database=server.database())
    made.file(CARE)
    event.listen(made.services.database.engine, "checkout", hasty)
    yield made
    made.close()
    postgres.drop(made.url)


def hasty(connection: psycopg.Connection, *_: object) -> None:
    connection.execute("SET lock_timeout = 200")
    connection.commit()


@contextmanager
def open_session(url: str, *statements: str) -> Iterator[psycopg.Connection]:
    """Give a session that has done something and hasn't committed it, as somebody does who is called away."""
    connection = psycopg.connect(url, application_name="psql")
    try:
        for each in statements:
            connection.execute(each.encode())
        yield connection
    finally:
        connection.close()


def test_a_withdrawal_that_waits_in_vain_names_the_session_and_the_remedy(world: World) -> None:
    with open_session(world.url, BY_HAND) as other:
        pid = other.info.backend_pid
        with pytest.raises(RegistryError) as caught:
            world.withdraw()
        assert world.services.gate.authorize(world.request()).decision.effect is Effect.PERMIT_IDENTIFIABLE
        told = str(caught.value)
        assert f"PostgreSQL's process {pid} (psql as {postgres.OWNER}) has had a transaction open for" in told
        assert "in which nothing is being done: until it ends" in told
        assert told.endswith(f"SELECT pg_terminate_backend({pid}) as its own role; then again.")
        assert "NHS-9434765919" not in told
        postgres.execute(world.url, f"SELECT pg_terminate_backend({pid}, 10000)")
        world.withdraw()
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


@pytest.mark.parametrize(
    "statement",
    [
        "LOCK TABLE consents IN EXCLUSIVE MODE",
        "SELECT * FROM fact_versions FOR UPDATE",
        f"SELECT pg_advisory_xact_lock({TRAIL_LOCK})",
    ],
)
def test_whatever_it_holds_it_is_named(statement: str, world: World) -> None:
    with (
        open_session(world.url, statement) as other,
        pytest.raises(RegistryError, match=f"process {other.info.backend_pid} "),
    ):
        world.withdraw()


def test_a_session_of_another_role_is_named_as_far_as_it_may_be_seen(world: World, server: postgres.Server) -> None:
    stranger = make_url(world.url).set(username="dba", password=server.password)
    for statement in (
        "DROP ROLE IF EXISTS dba",
        "DROP ROLE IF EXISTS lowly",
        f"CREATE ROLE dba SUPERUSER LOGIN PASSWORD '{server.password}'",
        f"CREATE ROLE lowly LOGIN PASSWORD '{server.password}'",
    ):
        postgres.execute(world.url, statement)
    try:
        with open_session(world.url, "GRANT USAGE ON SCHEMA public TO lowly") as granting:
            granting.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO lowly")
            granting.commit()
        with open_session(stranger.render_as_string(hide_password=False), BY_HAND) as other:
            pid = other.info.backend_pid
            by_lowly = make_url(world.url).set(username="lowly").render_as_string(hide_password=False)
            lowly = make_world_at(world, by_lowly)
            with pytest.raises(
                RegistryError, match=rf"process {pid} \(psql as dba\) has had a transaction open: until"
            ):
                lowly.withdraw()
            lowly.services.database.close()
    finally:
        world.sql("DROP OWNED BY lowly")
        for statement in ("DROP ROLE dba", "DROP ROLE lowly"):
            postgres.execute(world.url, statement)


def make_world_at(world: World, url: str) -> World:
    """Give the same hospital, signed in at the database otherwise."""
    folder = world.folder / "lowly"
    folder.mkdir()
    made = make_world(folder, database=url)
    event.listen(made.services.database.engine, "checkout", hasty)
    return made


@pytest.mark.parametrize("statement", ["SELECT * FROM consents", "SELECT 1", "SELECT pg_advisory_xact_lock(7)"])
def test_whoever_only_reads_is_in_nobody_s_way(statement: str, world: World) -> None:
    with open_session(world.url, statement):
        world.withdraw()
        assert blocker(world.services, 0) is None


def test_health_says_so_before_anybody_withdraws_and_once_it_is_over_is_well_again(world: World) -> None:
    with open_session(world.url, BY_HAND) as other:
        assert blocker(world.services) is None  # it isn't open for long
        assert wait_until(lambda: blocker(world.services, 0.5) is not None, SECONDS)
        other.execute(b"SELECT set_config('application_name', E'Anna\\n\\x1b[2J', false)")
        found = blocker(world.services, 0.5)
        assert found is not None
        assert (found.pid, found.role, found.idle) == (other.info.backend_pid, postgres.OWNER, True)
        assert str(found).isprintable()
    assert registry(world.services).ok


def test_health_is_not_well_while_it_lasts(world: World) -> None:
    with open_session(world.url, BY_HAND) as other:
        assert wait_until(lambda: not registry(world.services).ok, SECONDS, pause=0.5)
        part = registry(world.services)
        assert f"PostgreSQL's process {other.info.backend_pid} " in part.detail
        assert f"pg_terminate_backend({other.info.backend_pid})" in part.detail


def test_the_log_is_told_once_of_each(world: World, caplog: pytest.LogCaptureFixture) -> None:
    watch = OpenSessions(world.services, seconds=0)
    watch.look()
    assert caplog.records == []
    for _ in range(2):
        with caplog.at_level(logging.WARNING), open_session(world.url, BY_HAND) as other:
            watch.look()
            watch.look()
            assert [str(other.info.backend_pid) in each.getMessage() for each in caplog.records] == [True]
            caplog.clear()
        watch.look()
    assert caplog.records == []


def test_a_database_that_ends_idle_sessions_lets_the_withdrawal_through(world: World) -> None:
    name = make_url(world.url).database
    postgres.execute(world.url, f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '500ms'")

    def withdrawn() -> bool:
        try:
            world.withdraw()
        except RegistryError:
            return False
        return True

    with open_session(world.url, BY_HAND):
        assert wait_until(withdrawn, SECONDS)
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


def test_sqlite_has_no_sessions(tmp_path: Path) -> None:
    made = make_world(tmp_path)
    assert blocker(made.services, 0) is None
    assert registry(made.services).ok
    made.close()
