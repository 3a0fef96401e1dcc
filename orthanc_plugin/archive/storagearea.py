"""Orthanc's files on disk, looked at from outside: whether a file is really gone.

Knows Orthanc's layout (the first two pairs of digits of a file's name are folders). Must not know what is in a file.
Source: a plugin's or a disk's failure to remove a file doesn't make Orthanc's DELETE fail (tried on 1.10 to 1.13).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from orthanc_plugin.errors import ArchiveError


@dataclass(frozen=True, slots=True)
class StorageArea:
    """The folder of Orthanc's files."""

    folder: Path

    def require(self) -> None:
        """Refuse a folder that isn't Orthanc's or can't be read: in it, nothing would ever be found.

        Raises:
            ArchiveError: it can't be looked into.
        """
        try:
            next(self.folder.iterdir(), None)
        except OSError as error:
            raise ArchiveError(
                f"Orthanc's files can't be looked at ({error.strerror}), so nobody could say that they are gone.",
                remedy="Run this on Orthanc's machine, as the user that Orthanc runs as.",
            ) from error

    def holds(self, file: str) -> bool:
        """Tell whether anything of this name is there, be it a link to nowhere.

        Raises:
            ArchiveError: nobody can tell.
        """
        return self._mode(file) is not None

    def sighted(self, file: str) -> bool:
        """Tell whether the file itself is there: where it is a link, its bytes lie elsewhere, and would stay.

        Raises:
            ArchiveError: nobody can tell.
        """
        mode = self._mode(file)
        return mode is not None and stat.S_ISREG(mode)

    def _mode(self, file: str) -> int | None:
        try:
            return os.lstat(f"{self.folder}/{file[:2]}/{file[2:4]}/{file}").st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveError(
                f"One of Orthanc's files can't be looked at ({error.strerror}), so nobody could say that it is gone.",
                remedy="Run this as the user that Orthanc runs as, and see to the disk.",
            ) from error
