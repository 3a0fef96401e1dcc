"""The ward that the tests of the listing doors look at, and the upload guard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.world import World
from tests.unit.enforcement.guarding import Guard, guarding
from tests.unit.enforcement.listing import Ward, make_ward


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Give a ward to look at."""
    made = make_ward(tmp_path_factory.mktemp("ward"))
    yield made
    made.world.close()


@pytest.fixture
def own_ward(tmp_path: Path) -> Iterator[Ward]:
    """Give a ward of the test's own, which it may change."""
    made = make_ward(tmp_path)
    yield made
    made.world.close()


@pytest.fixture
def guard(world: World) -> Iterator[Guard]:
    """Give the upload guard, with what is behind it."""
    with guarding(world) as running:
        yield running
