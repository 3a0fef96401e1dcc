"""What every test may ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fakes import orthanc

# Code under test starts programs, so time says nothing; 'minutes' is for a long look: --hypothesis-profile=minutes.
settings.register_profile("default", deadline=None)
settings.register_profile("minutes", deadline=None, max_examples=20_000)
settings.load_profile("default")

sys.modules["orthanc"] = orthanc  # the module that Orthanc's Python plugin brings; here its double

from tests.fakes.world import World, make_world  # noqa: E402 - it imports the module above


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in a folder of its own."""
    made = make_world(tmp_path)
    yield made
    made.close()
