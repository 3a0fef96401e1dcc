"""Which files of a folder have arrived whole.

Knows file names, sizes and times. Must not know what is in the files. A camera writes a file in pieces: it has arrived
when nothing about it has changed for a while.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from dicomwrap.durable import digest

NOTE: Final = ".refused.txt"
Signature: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    signature: Signature
    since: float
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
        self.unsettled = False

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

    def unchanged_since(self, path: Path, signature: Signature | None) -> bool:
        """Tell whether a file is the one that had this signature."""
        seen = self._seen.get(path)
        return seen is not None and seen.signature == signature

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
        unchanged = _signature(path) == signature
        return replace(before, sha256=sha256) if unchanged else _Seen(signature=signature, since=now)


def _signature(path: Path) -> Signature | None:
    """Return size, time and identity of a plain file; None for anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None
