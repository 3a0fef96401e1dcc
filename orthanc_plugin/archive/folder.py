"""Objects written to a folder or a medium that can be carried away.

Knows files. Must not know what is written, nor whether it may be. A file's name is the digest of its content, so that
it tells nobody anything, and writing the same once more changes nothing. A file is there whole or not at all; the
manifest can be checked by ``sha256sum --check MANIFEST``. No link that somebody left there is followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from orthanc_plugin.archive.port import Left, NothingSentError, nobody
from orthanc_plugin.errors import ArchiveError

MANIFEST: Final = "MANIFEST"
OURS_ALONE: Final = 0o600  # who else is to read it, its owner says


class FolderNotWritableError(ArchiveError):
    """The folder can't take the object as it should; the object, or some of it, is there all the same."""

    remedy = "See that the folder of policy.toml is there (the medium is mounted), has room, and may be written to."


class NothingWrittenError(FolderNotWritableError, NothingSentError):
    """The folder can't take the object; what was written of it has been taken away."""

    remedy = FolderNotWritableError.remedy


class FolderExport:
    """Writes to one folder, which must be there: a medium that is not mounted must not fill this machine's disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reach(self, content: bytes) -> bool:
        """Do nothing: a folder is there, or writing fails."""
        return False

    def store(self, content: bytes, left: Left = nobody) -> str:
        """Write an object; ``left`` is told when it begins to be there.

        Raises:
            NothingWrittenError: it is not there.
            FolderNotWritableError: it is, wholly or in part, but the manifest or the disk doesn't have it as it should.
        """
        name = f"{hashlib.sha256(content).hexdigest()}.dcm"
        there = False
        try:
            there = self._has(name, content)
            if not there:
                self._write(name, content, left)
                there = True
                self._sync()
            self._list(name)
        except OSError as error:
            failed = FolderNotWritableError if there or self._anything_of(name) else NothingWrittenError
            raise failed(f"The folder can't be written to ({type(error).__name__}).") from error
        return ""

    def _anything_of(self, name: str) -> bool:
        """Tell whether a part of the object was left there; where nobody can look there may be one."""
        try:
            (self.folder / part_of(name)).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    @property
    def secured(self) -> bool:
        """Say no: a medium that is carried away has no channel."""
        return False

    def close(self) -> None:
        """Do nothing: every object is on the disk already."""

    def _has(self, name: str, content: bytes) -> bool:
        """Tell whether the very object is there: a medium may have lost what it was given, or have been tampered with.

        What is a link, or has another length, is not read.
        """
        place = self.folder / name
        try:
            known = place.lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(known.st_mode) and known.st_size == len(content) and place.read_bytes() == content

    def _write(self, name: str, content: bytes, left: Left) -> None:
        part = self.folder / part_of(name)  # one name: what a killed courier left is taken away by the next
        try:
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS_ALONE), "wb") as file:
                file.write(content)
                left()
                file.flush()
                os.fsync(file.fileno())
            part.rename(self.folder / name)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _list(self, name: str) -> None:
        """Have the manifest name the file, once."""
        line = f"{name.removesuffix('.dcm')}  {name}\n".encode()
        place = os.open(self.folder / MANIFEST, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, OURS_ALONE)
        with os.fdopen(place, "a+b") as manifest:
            manifest.seek(0)
            if line in manifest:
                return
            manifest.write(line)
            manifest.flush()
            os.fsync(manifest.fileno())
        self._sync()

    def _sync(self) -> None:
        """Have the folder itself on the disk."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def part_of(name: str) -> str:
    """Return what a file is called until it is whole."""
    return f".{name}.part"
