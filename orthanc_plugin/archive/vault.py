"""Encrypted files of Orthanc's: how one looks, and the folder that they are in.

Knows bytes and the disk: a header with the format's version, the name of the data key and a nonce, then what
AES-256-GCM makes of the whole file. The header and the file's own name are authenticated with it, so no file can be put
in another's place. The folder is laid out as Orthanc's own is. Must not know where keys are. Source: NIST SP 800-38D.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dicomwrap.durable import reason_of, sync_folder
from orthanc_plugin.errors import ArchiveError

VERSION: Final = b"CGVAULT1"
KEY_ID_BYTES: Final = 16
NONCE_BYTES: Final = 12
HEADER_BYTES: Final = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES
PART: Final = ".part"
_NAME: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UnreadableFileError(ArchiveError):
    """One of Orthanc's files can't be read, and nobody is given any of it."""

    remedy = "See 'consentgate storage verify'; restore the file from a backup."


class ForgedFileError(UnreadableFileError):
    """The file isn't the one that was stored."""


class PlainFileError(UnreadableFileError):
    """The file isn't encrypted, where every one must be."""

    remedy = 'Set plain_files = "read" under [storage] in settings.toml while an archive is migrated, and only then.'


def sealed(name: str, key_id: str, cipher: AESGCM, content: bytes) -> tuple[bytes, bytes]:
    """Return the header and the rest of the file ``name`` with this ``content``."""
    nonce = os.urandom(NONCE_BYTES)
    header = VERSION + bytes.fromhex(key_id) + nonce
    return header, cipher.encrypt(nonce, content, header + name.encode())


def key_of(content: bytes) -> str | None:
    """Return the name of the data key that a file is encrypted with, None for a file that isn't encrypted."""
    if not content.startswith(VERSION):
        return None
    return content[len(VERSION) : len(VERSION) + KEY_ID_BYTES].hex()


def opened(name: str, cipher: AESGCM, content: bytes) -> bytes:
    """Return what was put into the file ``name``.

    Raises:
        ForgedFileError: it is another file, was changed, or was encrypted with another key.
    """
    header, view = content[:HEADER_BYTES], memoryview(content)
    try:
        return cipher.decrypt(header[-NONCE_BYTES:], view[HEADER_BYTES:], header + name.encode())
    except (InvalidTag, ValueError) as error:
        raise ForgedFileError("A stored file was changed, or is in another one's place.") from error


@dataclass(frozen=True, slots=True)
class VaultFolder:
    """The folder of Orthanc's files, written and read here instead of by Orthanc.

    Attributes:
        folder: where it is.
        sync: waits until the names in a folder are on disk.
    """

    folder: Path
    sync: Callable[[Path], None] = field(default=sync_folder, compare=False, repr=False)
    # Folders that are new in theirs, until that is on disk: of a file in one, a power cut could take all.
    _new: set[Path] = field(default_factory=set, init=False, compare=False, repr=False)

    def path(self, name: str) -> Path:
        """Return where a file is.

        Raises:
            UnreadableFileError: Orthanc names no file so.
        """
        if _NAME.fullmatch(name) is None:
            raise UnreadableFileError("Orthanc names no file of its own so.")
        return self.folder / name[:2] / name[2:4] / name

    def write(self, name: str, header: bytes, rest: bytes) -> None:
        """Write a new file; when this returns its bytes are on disk.

        Raises:
            ArchiveError: it can't be written, or is there already; nothing of it is left behind.
        """
        path = self.path(name)
        try:
            try:
                _write(path, header, rest)
            except FileNotFoundError:  # the first file of its folder
                self._make(path.parent)
                _write(path, header, rest)
            for each in (path.parent, path.parent.parent):
                if each in self._new:  # made a moment ago, maybe by somebody who hasn't come as far as here
                    self.sync(each.parent)
                    self._new.discard(each)
        except OSError as error:
            raise ArchiveError(
                f"A file can't be stored ({reason_of(error)}).",
                remedy="See to the disk, and to the rights on Orthanc's storage folder; the sender keeps its copy.",
            ) from error

    def _make(self, folder: Path) -> None:
        """Make the folder of a file; what is new counts as such before anybody can write into it."""
        self._new.add(folder)
        try:
            folder.mkdir(exist_ok=True)
        except FileNotFoundError:
            self._new.add(folder.parent)
            folder.mkdir(parents=True, exist_ok=True)

    def settle(self) -> None:
        """Have every folder's name on disk: of one that a killed process had just made nobody knows any more.

        Raises:
            ArchiveError: the disk can't be waited for.
        """
        try:
            for folder in (self.folder, *_numbered(self.folder)) if self.folder.is_dir() else ():
                self.sync(folder)
        except OSError as error:
            raise ArchiveError(
                f"Orthanc's storage folder can't be brought to the disk ({reason_of(error)}).",
                remedy="See to the disk, and to the rights on Orthanc's storage folder, then restart Orthanc.",
            ) from error

    def read(self, name: str) -> bytes:
        """Return a file's bytes, as they are on disk.

        Raises:
            UnreadableFileError: there is none, or it can't be read.
        """
        try:
            return self.path(name).read_bytes()
        except OSError as error:
            raise UnreadableFileError(f"A stored file can't be read ({reason_of(error)}).") from error

    def beginning(self, name: str) -> bytes:
        """Return a file's first bytes, which tell how it is encrypted; none when there is no such file."""
        try:
            with self.path(name).open("rb") as file:
                return file.read(HEADER_BYTES)
        except FileNotFoundError:
            return b""

    def remove(self, name: str) -> None:
        """Remove a file; what isn't there is removed.

        Raises:
            ArchiveError: it can't be.
        """
        try:
            with _alone(self.folder):
                self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise ArchiveError(f"A stored file can't be removed ({reason_of(error)}).") from error

    def replace(self, name: str, header: bytes, rest: bytes) -> bool:
        """Put an encrypted file in a plain one's place, whole or not at all; tell whether there still was one.

        Raises:
            ArchiveError: it can't be; the plain one is as it was.
        """
        path = self.path(name)
        if path.is_symlink():
            raise ArchiveError(
                f"The file {name} is a link, so its bytes would stay in clear where it leads to.",
                remedy="Put the file itself in the link's place, then run 'consentgate storage migrate' again.",
            )
        try:
            with _alone(path.parent):  # of two migrations, one writes beside it at a time
                return self._replaced(path, header, rest)
        except OSError as error:
            raise ArchiveError(f"A file can't be encrypted ({reason_of(error)}).") from error

    def _replaced(self, path: Path, header: bytes, rest: bytes) -> bool:
        beside = path.with_name(f".{path.name}{PART}")
        beside.unlink(missing_ok=True)  # of a run that was cut off
        _write(beside, header, rest)
        with _alone(self.folder):  # so that a file that Orthanc removes just now doesn't come back
            there = path.exists()
            if there:
                _own(beside, path.stat())
                beside.replace(path)
        sync_folder(path.parent)
        beside.unlink(missing_ok=True)
        return there

    def names(self) -> Iterator[str]:
        """Give the name of every file of Orthanc's that is here."""
        for first in _numbered(self.folder):
            for second in _numbered(first):
                yield from sorted(each.name for each in second.iterdir() if _NAME.fullmatch(each.name))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others who do the same in this folder apart, in whatever processes they are."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _own(path: Path, like: os.stat_result) -> None:
    """Give a file to whom another one is, so that Orthanc can read what root encrypts."""
    mine = path.stat()
    if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        os.chown(path, like.st_uid, like.st_gid)


def _numbered(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if re.fullmatch("[0-9a-f]{2}", each.name) and each.is_dir())


def _write(path: Path, header: bytes, rest: bytes) -> None:
    """Write a file that isn't there yet, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.writev(descriptor, (header, rest)) != len(header) + len(rest):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
