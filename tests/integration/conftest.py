"""One guarded Orthanc for the tests that only ask of it: A's and B's photographs filed, C's in quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.archive import Archive, started
from tests.integration.doorways import Doors, filled_doors


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Give the running archive; everything in it stops with the tests."""
    with started(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture
def own_archive(tmp_path: Path) -> Iterator[Archive]:
    """Give an archive of the test's own, which it may change or break."""
    with started(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Give the archive whose every door is tried; what is for nobody in it stays so."""
    with filled_doors(tmp_path_factory.mktemp("doors")) as running:
        yield running
