"""Which files of a folder have arrived whole.

Knows file names, sizes and times. Must not know what is in the files. A camera writes a file in pieces: it has arrived
when nothing about it has changed for a while.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from dicomwrap.durable import digest

NOTE: Final = ".refused.txt"
_CHUNK: Final = 1 << 20
Signature: TypeAlias = tuple[int, int, int]  # size, time, identity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    signature: Signature
    since: float
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A file that was there before; no digest as long as it hasn't arrived whole."""

    signature: Signature
    sha256: str = ""


class Arrivals:
    """The files of a folder, watched from one look to the next.

    Attributes:
        unsettled: whether the last look found a file that hasn't arrived yet.
    """

    def __init__(
        self, folder: Path, *, wanted: Callable[[str], bool], clock: Callable[[], float], settle: float
    ) -> None:
        self._folder = folder
        self._wanted = wanted
        self._clock = clock
        self._settle = settle
        self._seen: dict[Path, _Seen] = {}
        self._left: dict[Path, _Left] = {}
        self.unsettled = False

    def leave_what_is_there(self) -> None:
        """Note the files that are there now, whole or not: whose they are isn't known.

        Raises:
            OSError: the folder can't be read.
        """
        self._left = {path: _Left(signature=signature) for path, signature in self.signatures().items()}

    def look(self) -> Mapping[str, tuple[Path, ...]]:
        """Return what has arrived: the files of each digest.

        Raises:
            OSError: the folder can't be read.
        """
        now = self._clock()
        signatures = self.signatures()
        self._seen = {path: self._update(path, signature, now) for path, signature in signatures.items()}
        found: dict[str, tuple[Path, ...]] = {}
        for path, seen in self._seen.items():
            if seen.sha256:
                found[seen.sha256] = (*found.get(seen.sha256, ()), path)
        self.unsettled = any(not seen.sha256 for seen in self._seen.values())
        return found

    def was_there(self, path: Path) -> bool:
        """Tell whether a file is one that was there before, be it that only its beginning was."""
        seen, left = self._seen.get(path), self._left.get(path)
        return seen is not None and left is not None and seen.signature == left.signature

    def signatures(self) -> dict[Path, Signature]:
        """Return what tells each file from itself before it was written to.

        Raises:
            OSError: the folder can't be read.
        """
        found = {}
        for path in sorted(self._folder.iterdir()):
            signature = _signature(path)
            if signature is not None and not path.name.startswith(".") and self._wanted(path.name):
                found[path] = signature
        return {path: signature for path, signature in found.items() if not path.name.endswith(NOTE)}

    def _update(self, path: Path, signature: Signature, now: float) -> _Seen:
        before = self._seen.get(path)
        if before is None or before.signature != signature:
            return _Seen(signature=signature, since=now)
        if before.sha256 or now - before.since < self._settle:
            return before
        try:
            sha256, _ = digest(path)
        except OSError:  # not readable yet, or gone
            return _Seen(signature=signature, since=now)
        if _signature(path) != signature:
            return _Seen(signature=signature, since=now)
        self._follow(path, _Left(signature=signature, sha256=sha256))
        return replace(before, sha256=sha256)

    def _follow(self, path: Path, now: _Left) -> None:
        """Know a file again that was there before and has been written to its end since, however slowly.

        It is another one once it has another identity, or no longer begins with what was there.
        """
        left = self._left.get(path)
        if left is None:
            return
        size, _, identity = left.signature
        same = identity == now.signature[2] and (not left.sha256 or _digest_of_start(path, size) == left.sha256)
        if same:
            self._left[path] = now
        else:
            del self._left[path]


def _digest_of_start(path: Path, size: int) -> str:
    """Return the digest of a file's first bytes; "" when it can't be read any more."""
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while size > 0 and (read := file.read(min(size, _CHUNK))):
                made.update(read)
                size -= len(read)
    except OSError:
        return ""
    return made.hexdigest()


def _signature(path: Path) -> Signature | None:
    """Return size, time and identity of a plain file; None for anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None
