"""A patient's own copy as one encrypted file: a ZIP with AES-256 (WinZip AE-2), which common programs open.

Knows pyzipper. Must not know who decides, nor where a passphrase comes from. Nothing of the copy is on the disk in
plain; names of the files in it (days) are. The file is whole or not there, and what is there already is never touched.

Sources: UK GDPR 32 (encryption); WinZip AES specification (AE-2; the key is made by PBKDF2 with 1,000 rounds, so the
passphrase must be long).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyzipper

from dicomwrap.durable import reason_of, sync_folder
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle.ownfolder import FolderError, OwnCopyMade, workplace

SHORTEST: Final = 16  # characters
KEY_BITS: Final = 256


class PassphraseError(ConsentgateError):
    """A passphrase can't be used."""

    remedy = f"Give one of at least {SHORTEST} characters, such as five random words."


class OwnZip(OwnCopyMade):
    """The file while it is written."""

    def __init__(self, file: pyzipper.AESZipFile) -> None:
        super().__init__()
        self.file = file

    def put(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet."""
        if name in self.file.namelist():
            raise FolderError("A file of this name is in the copy already.")
        try:
            self.file.writestr(name, data)
        except OSError as error:
            raise FolderError(f"The file can't be written ({reason_of(error)}).") from error


def require_long(passphrase: str) -> str:
    """Return a passphrase that may be used.

    Raises:
        PassphraseError: it is too short.
    """
    if len(passphrase) < SHORTEST:
        raise PassphraseError("The passphrase is too short.")
    return passphrase


@contextmanager
def own_zip(out: Path, passphrase: str) -> Iterator[OwnZip]:
    """Give the encrypted file to be filled; it is there afterwards, or nothing is.

    Raises:
        PassphraseError: the passphrase is too short.
        FolderError: the file can't be made, or something is there already.
    """
    require_long(passphrase)
    place = out.absolute()
    if place.exists() or place.is_symlink():
        raise FolderError("There is something at the place of the file, and nothing is overwritten.")
    try:
        with workplace(place) as work:
            part = work / "own.zip"
            with pyzipper.AESZipFile(part, "x", compression=pyzipper.ZIP_STORED) as file:
                file.setpassword(passphrase.encode())
                file.setencryption(pyzipper.WZ_AES, nbits=KEY_BITS)
                yield OwnZip(file)
            _finish(part, place)
    except OSError as error:
        raise FolderError(f"The file can't be made ({reason_of(error)}).") from error


def _finish(part: Path, place: Path) -> None:
    """Give the file its name, once all of it is on the disk; only its owner can read it."""
    part.chmod(0o600)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    if place.exists():
        raise FolderError("Something was put at the place of the file meanwhile.")
    part.rename(place)
    sync_folder(place.parent)
