"""Walk through the boxes of an MP4 or QuickTime file.

Knows ISO/IEC 14496-12 section 4.2: size, type, large sizes. Must not know what a box means. Works on any bytes; the
answer is boxes or our own error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from dicomwrap.errors import DamagedFilmError, TruncatedPhotographError

MOST_BOXES: Final = 100_000  # side by side; a film in fragments has two for each second or so
_HEAD: Final = 8
_LARGE_HEAD: Final = 16
Bytes: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box: it lies from ``start`` to ``end``, what it holds begins at ``body``."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(data: Bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Give the boxes that lie side by side between two offsets; fewer than 8 bytes after the last are passed over.

    Raises:
        TruncatedPhotographError: a box of the file ends beyond the file.
        DamagedFilmError: a box ends beyond the one it lies in, has no valid size, or there are too many.
    """
    limit = len(data) if end is None else end
    for _ in range(MOST_BOXES):
        if limit - start < _HEAD:
            return
        box = _box(data, start, limit)
        if box.end > limit and end is None:
            raise TruncatedPhotographError("The film ends before it is complete")
        if box.end > limit or box.end < box.body:
            raise DamagedFilmError("The film's container has a box of a wrong size")
        yield box
        start = box.end
    raise DamagedFilmError(f"The film's container has more than {MOST_BOXES} boxes side by side")


def _box(data: Bytes, start: int, limit: int) -> Box:
    size, kind = number(data, start, 4), bytes(data[start + 4 : start + _HEAD])
    if size == 1:
        return Box(kind=kind, start=start, body=start + _LARGE_HEAD, end=start + number(data, start + _HEAD, 8))
    return Box(kind=kind, start=start, body=start + _HEAD, end=start + size if size else limit)


def inside(data: Bytes, box: Box, skipped: int = 0) -> dict[bytes, Box]:
    """Return the boxes within a box by their types, behind ``skipped`` bytes; the first where one type comes twice.

    Raises:
        DamagedFilmError: they break their rules.
    """
    found: dict[bytes, Box] = {}
    for each in boxes(data, box.body + skipped, box.end):
        found.setdefault(each.kind, each)
    return found


def at_path(data: Bytes, box: Box, *path: bytes) -> Box | None:
    """Return the box that the types lead to, from within ``box``; None where one is missing.

    Raises:
        DamagedFilmError: a box on the way breaks its rules.
    """
    found: Box | None = box
    for kind in path:
        found = inside(data, found).get(kind) if found is not None else None
    return found


def number(data: Bytes, at: int, size: int) -> int:
    """Return the unsigned number of ``size`` bytes.

    Raises:
        DamagedFilmError: the bytes end before it does.
    """
    digits = data[at : at + size]
    if len(digits) != size:
        raise DamagedFilmError("The film's container ends within a number")
    return int.from_bytes(digits, "big")
