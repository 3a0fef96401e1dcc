"""Processes at the same registry (see ``actor``), as a test drives them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[2]


class Actor:
    """One process, working in ``role`` on the registry of ``world``."""

    def __init__(self, world: World, role: str) -> None:
        self.errors = world.folder / f"{role}.stderr"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.actor", role, str(world.folder / "settings.toml")],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def line(self) -> str:
        """Return the next line that it says."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, f"the process ended: {self.errors.read_text()}"
        return said.strip()

    def begin(self, what: str) -> None:
        """Give it a piece of work."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()

    def answer(self) -> Any:  # noqa: ANN401 - JSON can be anything
        """Return what its work came to."""
        return json.loads(self.line())

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self.process.kill()
        self.process.wait(60)


@contextmanager
def actors(world: World, *roles: str) -> Iterator[list[Actor]]:
    """Give a process for each role, all of them ready."""
    made = [Actor(world, role) for role in roles]
    try:
        assert [each.line() for each in made] == ["ready"] * len(made)
        yield made
    finally:
        for each in made:
            each.kill()
            for stream in (each.process.stdin, each.process.stdout):
                assert stream is not None
                stream.close()
