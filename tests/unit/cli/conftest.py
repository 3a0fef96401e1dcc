"""The command line in a world of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orthanc_plugin.cli.main import main
from orthanc_plugin.clock import elapsed
from tests.fakes.world import World


@dataclass(kw_only=True)
class Shell:
    """``consentgate --settings ...`` in a world."""

    world: World
    begun: float = field(default_factory=elapsed)

    def clock(self) -> datetime:
        """Return the world's time, which goes on while commands run."""
        return self.world.clock() + timedelta(seconds=elapsed() - self.begun)

    def __call__(self, *arguments: str | Path, typed: str | None = None, settings: Path | None = None) -> Result:
        """Run a command; anything but an orderly end is a failure of the test."""
        path = settings or self.world.folder / "settings.toml"
        given = ["--settings", str(path), *map(str, arguments)]
        result = CliRunner().invoke(main, given, input=typed, catch_exceptions=False, obj=self.clock)
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: str | Path, code: int = 0) -> Any:  # noqa: ANN401 - JSON can be anything
        """Run a command with --json and return what it printed."""
        result = self(*arguments, "--json")
        assert (result.exit_code, result.stderr) == (code, "")
        return json.loads(result.stdout)

    def fails(self, *arguments: str | Path, code: int = 1) -> str:
        """Run a command that must fail, printing nothing but its error; return that."""
        result = self(*arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        return result.stderr

    def put(self, name: str, text: str) -> Path:
        """Write a file and return its path."""
        path = self.world.folder / name
        path.write_text(text)
        return path


@pytest.fixture
def shell(world: World) -> Shell:
    """Give the command line."""
    return Shell(world=world)
