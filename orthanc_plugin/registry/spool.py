"""The quarantine spool: pictures that are kept but that no door can show, because Orthanc doesn't have them.

Knows files: own folder (0700), files 0600, written under a temporary name, synced and renamed, encrypted with
AES-256-GCM when a key is set. Must not know why something is held.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orthanc_plugin.errors import SpoolError

CLEAR: Final = b"CGSPOOL0"
SEALED: Final = b"CGSPOOL1"
NONCE_BYTES: Final = 12


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Spool:
    """A folder of held objects.

    Args:
        folder: where they are; made on first use.
        key: 32 bytes, or None to keep them in clear.
    """

    def __init__(self, folder: Path, key: bytes | None = None) -> None:
        self.folder = folder
        self.cipher = AESGCM(key) if key else None

    def _sealed(self, name: str, content: bytes) -> bytes:
        if self.cipher is None:
            return CLEAR + content
        nonce = os.urandom(NONCE_BYTES)
        return SEALED + nonce + self.cipher.encrypt(nonce, content, name.encode())

    def put(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``; when this returns it is on disk.

        Raises:
            SpoolError: it could not be kept; nothing is left behind.
        """
        temporary = self.folder / f".{name}.part"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._sealed(name, content))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.folder / name)
            _sync_folder(self.folder)
        except OSError as error:
            with suppress(OSError):  # what stopped the writing may stop this too, and is what must be told
                temporary.unlink()
            raise SpoolError(f"The quarantine spool can't take an object ({error.strerror}).") from error

    def get(self, name: str) -> bytes:
        """Return what is kept under ``name``.

        Raises:
            SpoolError: it isn't there, or the key doesn't fit.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise SpoolError(f"The quarantine spool can't give back an object ({error.strerror}).") from error
        if content.startswith(CLEAR):
            return content[len(CLEAR) :]
        if not content.startswith(SEALED):
            raise SpoolError("The object is not one of the spool's: changed on disk.")
        if self.cipher is None:
            raise SpoolError(
                "The object is encrypted and no key is set.", remedy="Set spool.key_file in settings.toml."
            )
        start = len(SEALED) + NONCE_BYTES
        try:
            return self.cipher.decrypt(content[len(SEALED) : start], content[start:], name.encode())
        except (InvalidTag, ValueError) as error:  # the latter for what is too short to be one of ours
            raise SpoolError("The object can't be opened: wrong key, or changed on disk.") from error

    def names(self) -> tuple[str, ...]:
        """Return what is kept; folders, such as a file system's lost+found, and pipes are nobody's."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(each.name for each in self.folder.iterdir() if each.is_file() and each.name[0] != "."))

    def drop(self, name: str) -> None:
        """Remove what is kept under ``name``; call it only once the archive has the same bytes."""
        (self.folder / name).unlink(missing_ok=True)
