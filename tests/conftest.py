"""What every test may ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import orthanc

sys.modules["orthanc"] = orthanc  # the module that Orthanc's Python plugin brings; here its double

from tests.fakes.world import World, make_world  # noqa: E402 - it imports the module above


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in a folder of its own."""
    made = make_world(tmp_path)
    yield made
    made.close()
