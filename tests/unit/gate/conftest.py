"""Every test of the gate runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.fakes.world import World


@pytest.fixture
def world(either_world: World) -> World:
    """Give a world on each database in turn."""
    return either_world
