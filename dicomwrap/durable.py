"""Files that survive a crash: whole or not there at all, on the disk before we go on.

Knows fsync, links and renames. Must not know what the files hold.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

PART: Final = ".part"
_CHUNK: Final = 1 << 20


class Disk:
    """Every change that is made to the disk, one method each; tests let it fail at any of them."""

    def put(self, path: Path, data: bytes) -> None:
        """Make ``path`` hold ``data``, in place of what it held. Readable by its owner only.

        Raises:
            OSError: it can't be written; what was there is as it was.
        """
        temporary = _written(path, data)
        try:
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def put_new(self, path: Path, data: bytes) -> None:
        """Make ``path`` hold ``data``; what is there is never replaced.

        Raises:
            FileExistsError: the name is taken.
            OSError: it can't be written; nothing is left behind.
        """
        temporary = _written(path, data)
        try:
            _take_name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    def promote(self, part: Path, path: Path) -> None:
        """Give a file that somebody else wrote its name, once its bytes are on the disk.

        Raises:
            OSError: it can't be done.
        """
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o600)
        part.replace(path)
        sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file of our own; it may be gone already.

        Raises:
            OSError: it can't be removed.
        """
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def remove_if(self, path: Path, sha256: str) -> bool:
        """Remove a file if its bytes, read again now, have this digest and nobody wrote to it meanwhile.

        Raises:
            OSError: it can't be read or removed.
        """
        with path.open("rb") as file:
            before = _identity(os.fstat(file.fileno()))
            same = hashlib.file_digest(file, hashlib.sha256).hexdigest() == sha256
        if not same or _identity(path.lstat()) != before:
            return False
        path.unlink()
        sync_folder(path.parent)
        return True


def digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 (hexadecimal) and size of a file's bytes.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, hashlib.sha256).hexdigest()
        return sha256, file.tell()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises:
        OSError: it can't be done.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that knows no such thing for folders
            raise
    finally:
        os.close(descriptor)


def reason_of(error: OSError | ValueError) -> str:
    """Return an operating system's reason in words, without the path."""
    return getattr(error, "strerror", None) or type(error).__name__


def _written(path: Path, data: bytes) -> Path:
    with NamedTemporaryFile(dir=path.parent, prefix=".dicomwrap-", suffix=PART, delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _take_name(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as a camera's card
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        temporary.rename(path)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    if not stat.S_ISREG(status.st_mode):
        return (id(status),)  # equal to nothing: only a plain file is ever removed
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
