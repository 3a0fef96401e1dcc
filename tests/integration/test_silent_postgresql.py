"""A real Orthanc whose registry is a PostgreSQL that is locked, then stands still: every door says no, and later yes.

Stood still are the server and all its backends (SIGSTOP), as on a machine that is paged out: connections stay open, and
no timeout of the server's own can run out.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from demo.peers import wait_until
from orthanc_plugin.registry.engine import TRAIL_LOCK
from tests.fakes import postgres
from tests.integration.archive import Archive, started
from tests.integration.test_threads import OK, PATIENCE, SUCCESS, at_once, doors

UNAVAILABLE = 503
VARIABLE = "CONSENTGATE_REGISTRY_DATABASE"


@pytest.fixture
def shared(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """Give a node with the journey's photographs, its registry in PostgreSQL."""
    url = server.database("template1")
    monkeypatch.setenv(VARIABLE, url)
    with started(tmp_path / "node") as running:
        policy = running.server.folder / "policy.toml"
        running.server.stop()
        policy.write_text(policy.read_text().replace('roles = ["view", "list"]', 'roles = ["view", "list", "send"]'))
        running.server.start()
        yield running
    postgres.drop(url)


def processes(server: postgres.Server) -> list[int]:
    """Return the server's process and those of its backends."""
    first = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _parent(each) == first]
    return [first, *found]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@contextmanager
def standing_still(server: postgres.Server) -> Iterator[None]:
    stopped = processes(server)
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in stopped:
            os.kill(each, signal.SIGCONT)


@contextmanager
def locked(server: postgres.Server) -> Iterator[None]:
    """Hold the write lock, and the tables that every decision reads, as a node that hangs would."""
    with psycopg.connect(os.environ[VARIABLE]) as holder:
        holder.execute(f"SELECT pg_advisory_xact_lock({TRAIL_LOCK})".encode())
        holder.execute(b"LOCK TABLE images, trail IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def test_while_postgresql_hangs_every_door_says_no_and_afterwards_yes(shared: Archive, server: postgres.Server) -> None:
    clients = doors(shared) | {"C-FIND": lambda: shared.journey.workstation.find(StudyInstanceUID="1.2.3")}
    silences: tuple[Callable[[postgres.Server], AbstractContextManager[None]], ...] = (locked, standing_still)
    for silent in silences:
        shared.journey.at_workstation.take()
        with silent(server):
            answers = at_once(clients, 1)
            health = shared.server.ask("GET", "/consentgate/health", "admin")
        assert {name for name, told in answers.items() if {SUCCESS, OK} & set(told)} == set(), silent
        assert shared.journey.at_workstation.take() == []
        assert health.status_code == UNAVAILABLE, health.text
        for name, door in doors(shared).items():
            assert wait_until(lambda door=door: door() in (SUCCESS, OK), PATIENCE), (silent, name)  # type: ignore[misc]
