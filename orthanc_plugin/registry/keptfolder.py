"""The folder of kept copies, in the spool's: sealed files, and the folder's own name.

Knows files. Must not know rows nor keys. Nothing is synced but the name: what is lost is made anew. Source: ADR 59.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = ".copies"  # in the spool's folder, whose own files' names don't begin with a dot
PLACE: Final = ".place"  # in it: its own name, so that several nodes can have one registry
PART: Final = ".part"
NAME: Final = re.compile(r"[0-9a-f]{32}")
SPARE: Final = 512 << 20  # bytes of the disk that copies leave to photographs; health complains at half of it


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """The folder of kept copies in this folder of the spool; made on first use.

    Attributes:
        spool: the spool's folder.
        spare: bytes of the disk that are left to photographs.
    """

    spool: Path
    spare: int = SPARE

    @property
    def path(self) -> Path:
        """Return where it is."""
        return self.spool / FOLDER

    def name(self) -> str:
        """Return its own name, '' when it has none, as where a power cut left an empty file of it."""
        with suppress(OSError, ValueError):
            said = (self.path / PLACE).read_text().strip()
            return said if NAME.fullmatch(said) else ""
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
        _create(beside, os.urandom(16).hex().encode(), lasting=True)
        try:
            (self.path / PLACE).hardlink_to(beside)
        except FileExistsError:
            if not self.name():  # else another process was quicker
                beside.replace(self.path / PLACE)
        finally:
            beside.unlink(missing_ok=True)
        return self.name()

    def is_crowded(self, more: int = 0) -> bool:
        """Tell whether photographs would have too little room on the disk with so many bytes more in it."""
        with suppress(OSError):
            return shutil.disk_usage(self.spool).free < self.spare + more
        return False  # it isn't there yet, or what is to be written will tell

    def files(self) -> set[str]:
        """Return the names of the files that are there, whole or in part.

        Raises:
            OSError: nobody can tell.
        """
        return {each.name for each in self.path.iterdir()} - {PLACE} if self.path.is_dir() else set()

    def read(self, file: str, most: int) -> bytes:
        """Return a file's bytes, so many at most: what lies in its place may be of any length.

        Raises:
            OSError: it can't be read.
        """
        with (self.path / file).open("rb", buffering=0) as opened:
            return opened.read(min(most, os.fstat(opened.fileno()).st_size))  # as much memory as it takes

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
            OSError: one is still there; every other one is gone.
        """
        failed: list[OSError] = []
        for file in files:
            try:
                (self.path / file).unlink(missing_ok=True)
            except OSError as error:
                failed.append(error)
        if failed:
            raise failed[0]


def _create(path: Path, content: bytes, *, lasting: bool = False) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        if lasting:
            file.flush()
            os.fsync(file.fileno())
