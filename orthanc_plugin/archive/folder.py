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

MANIFEST: Final = "MANIFEST"


class FolderNotWritableError(NothingSentError):
    """The folder can't take the object; what was written of it has been taken away."""

    remedy = "See that the folder of policy.toml is there (the medium is mounted), has room, and may be written to."


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
            FolderNotWritableError: it is not there.
        """
        name = f"{hashlib.sha256(content).hexdigest()}.dcm"
        try:
            if not self._has(name, content):
                self._write(name, content, left)
            self._list(name)
        except OSError as error:
            raise FolderNotWritableError(f"The folder can't be written to ({type(error).__name__}).") from error
        return ""

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
        part = self.folder / f".{name}.{os.getpid()}.part"
        try:
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
                file.write(content)
                left()
                file.flush()
                os.fsync(file.fileno())
            part.rename(self.folder / name)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._sync()

    def _list(self, name: str) -> None:
        """Have the manifest name the file, once."""
        line = f"{name.removesuffix('.dcm')}  {name}\n".encode()
        place = os.open(self.folder / MANIFEST, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
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
