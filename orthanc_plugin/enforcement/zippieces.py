"""A ZIP that is made piece by piece, so that it can leave while it grows.

Knows the format by way of ``zipfile``. Pictures are stored, not compressed: they are compressed already. Each entry's
header is complete before its content (no data descriptors), because not every reader takes stored entries otherwise;
times are those that ZIP begins with, so that the same content gives the same bytes. Source: PKWARE APPNOTE 6.3.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo


class _Window:
    """The end of a file whose beginning has left already; ``zipfile`` goes back no further than its last entry."""

    def __init__(self) -> None:
        self.start = 0
        self.kept = BytesIO()

    def write(self, data: bytes) -> int:
        return self.kept.write(data)

    def tell(self) -> int:
        return self.start + self.kept.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        within = offset - self.start if whence == os.SEEK_SET else offset
        return self.start + self.kept.seek(within, whence)

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def take(self) -> bytes:
        """Return what is kept, and keep nothing."""
        taken = self.kept.getvalue()
        self.start += len(taken)
        self.kept = BytesIO()
        return taken


class ZipPieces:
    """Gives the pieces of a ZIP."""

    def __init__(self) -> None:
        self.window = _Window()
        self.zip = ZipFile(cast("BytesIO", self.window), "w", ZIP_STORED)

    def add(self, name: str, content: bytes) -> bytes:
        """Return the piece that holds one more entry."""
        self.zip.writestr(ZipInfo(name), content)
        return self.window.take()

    def end(self) -> bytes:
        """Return the last piece, the directory: without it no reader takes the ZIP for whole."""
        self.close()
        return self.window.take()

    def close(self) -> None:
        """Take no more entries."""
        self.zip.close()
