"""The file of the trail's signed heads, outside the database: one line a head, appended and synced.

Knows the file. How a head is signed is in ``audit.checkpoint``. Keep a copy of it elsewhere: whoever can rewrite the
database, this file and the key can rewrite history.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orthanc_plugin.audit.checkpoint import heads, last_signature, sign, to_line
from orthanc_plugin.errors import RegistryError


class Heads:
    """Signed heads.

    Args:
        path: the file.
        seed: 32 bytes, the Ed25519 private key.
    """

    def __init__(self, path: Path, seed: bytes) -> None:
        self.path = path
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self._held: tuple[list[str], dict[int, str]] = ([], {})
        self.verified: float | None = None  # when, in ticks, the trail was last found to be the signed one

    def _lines(self, copy: Path | None = None) -> list[str]:
        path = copy or self.path
        try:
            return whole_lines(path.read_text()) if copy or path.exists() else []
        except OSError as error:
            raise RegistryError(f"The signed heads can't be read ({error.strerror}).") from error

    def signed(self, copy: Path | None = None) -> dict[int, str]:
        """Return the digests by entry number, of this file or of a ``copy`` kept elsewhere.

        Raises:
            CheckpointError: a signature doesn't hold.
        """
        lines = self._lines(copy)
        return self._holding(lines) if copy is None else heads(lines, self.key.public_key())

    def _holding(self, lines: list[str]) -> dict[int, str]:
        """Return what the lines say; those that were found to hold before, and still stand there, aren't tried again.

        Raises:
            CheckpointError: a signature doesn't hold.
        """
        held, known = self._held
        if lines[: len(held)] != held:
            held, known = [], {}
        found = known | heads(lines[len(held) :], self.key.public_key(), held)
        self._held = lines, found
        return dict(found)

    def sign(self, seq: int, digest: str, at: str) -> None:
        """Append a head, unless this entry is signed already.

        Raises:
            CheckpointError: an earlier signature doesn't hold.
            RegistryError: the file can't be written.
        """
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # the plugin and the command line sign the same file
                lines = whole_lines(file.read())
                if seq in self._holding(lines):
                    return
                line = to_line(sign(seq, digest, at, self.key, last_signature(lines)))
                file.seek(0)
                file.truncate(sum(len(each) + 1 for each in lines))  # what a crash left of a line
                file.seek(0, os.SEEK_END)
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RegistryError(f"The signed heads can't be written ({error.strerror}).") from error


def whole_lines(text: str) -> list[str]:
    """Return the lines that were written to their end; a crash can leave half of one."""
    return text.split("\n")[:-1]
