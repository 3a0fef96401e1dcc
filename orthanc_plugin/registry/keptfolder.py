"""The folder of kept copies, in the spool's: sealed files, and the folder's own name.

Knows files. Must not know rows nor keys. Nothing is synced: what is lost is made anew. Source: ADR 59.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = ".copies"  # in the spool's folder, whose own files' names don't begin with a dot
PLACE: Final = ".place"  # in it: its own name, so that several nodes can have one registry
PART: Final = ".part"


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """The folder of kept copies in this folder of the spool; made on first use."""

    spool: Path

    @property
    def path(self) -> Path:
        """Return where it is."""
        return self.spool / FOLDER

    def name(self) -> str:
        """Return its own name, '' when it has none."""
        with suppress(OSError):
            return (self.path / PLACE).read_text().strip()
        return ""

    def named(self) -> str:
        """Return its own name; it is made, and named, unless it is there.

        Raises:
            OSError: it can't be made.
        """
        if name := self.name():
            return name
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.path / f"{PLACE}.{os.urandom(8).hex()}"
        _create(beside, os.urandom(16).hex().encode())
        try:
            with suppress(FileExistsError):  # another process was quicker
                (self.path / PLACE).hardlink_to(beside)
        finally:
            beside.unlink(missing_ok=True)
        return self.name()

    def files(self) -> set[str]:
        """Return the names of the files that are there, whole or in part.

        Raises:
            OSError: nobody can tell.
        """
        return {each.name for each in self.path.iterdir()} - {PLACE} if self.path.is_dir() else set()

    def read(self, file: str) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError: it can't be read.
        """
        return (self.path / file).read_bytes()

    def write(self, file: str, content: bytes) -> None:
        """Write a file whole, or not at all.

        Raises:
            OSError: it can't be written.
        """
        part = self.path / f"{file}{PART}"
        try:
            _create(part, content)
            part.rename(self.path / file)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def drop(self, files: Iterable[str]) -> None:
        """Delete files; those that aren't there are another node's, or gone.

        Raises:
            OSError: one is still there.
        """
        for file in files:
            (self.path / file).unlink(missing_ok=True)


def _create(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
