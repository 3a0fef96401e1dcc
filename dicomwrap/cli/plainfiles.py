"""Read a file that a person names, if it is one: no device, no pipe, and not without end.

Knows what the system calls a regular file. Must not know what is in it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

LARGEST_TEXT: Final = 1 << 30


class NoPlainFileError(OSError):
    """It is no file of a kind or size that is read."""


def read_plain(path: Path, largest: int = LARGEST_TEXT) -> bytes:
    """Return what a regular file holds.

    Raises:
        OSError: it can't be read, is no regular file, or is larger than ``largest`` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoPlainFileError(0, "it is no regular file")
        data = file.read(largest + 1)
    if len(data) > largest:
        raise NoPlainFileError(0, "the file is too large")
    return data
