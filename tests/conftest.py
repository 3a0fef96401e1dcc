"""What every test may ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fakes import orthanc

# Code under test starts programs, so time says nothing; 'minutes' is for a long look: --hypothesis-profile=minutes.
# In CI the examples are the same each time, so that a commit is told by what it changed; everywhere else they aren't.
settings.register_profile("default", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.register_profile("minutes", deadline=None, max_examples=20_000)
settings.load_profile("default")

sys.modules["orthanc"] = orthanc  # the module that Orthanc's Python plugin brings; here its double

from tests.fakes import postgres  # noqa: E402 - it imports the module above
from tests.fakes.world import SQLITE, World, make_world  # noqa: E402 - it imports the module above


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Give the run's own PostgreSQL server."""
    with postgres.running() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> postgres.Server | None:
    """Have the test run on SQLite (None), then on PostgreSQL."""
    server: postgres.Server | None = request.getfixturevalue("server") if request.param == "postgresql" else None
    return server


@pytest.fixture
def either_world(backend: postgres.Server | None, tmp_path: Path) -> Iterator[World]:
    """Give a world with its registry in SQLite, then one with it in PostgreSQL."""
    made = make_world(tmp_path, database=backend.database() if backend else SQLITE)
    yield made
    made.close()
    if backend:
        postgres.drop(made.url)


@pytest.fixture
def bare(backend: postgres.Server | None, tmp_path: Path) -> Iterator[str]:
    """Give the address of a database with nothing in it."""
    url = backend.database("template1") if backend else f"sqlite:///{tmp_path}/bare.db"
    yield url
    if backend:
        postgres.drop(url)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in a folder of its own."""
    made = make_world(tmp_path)
    yield made
    made.close()
