"""Take a file of boxes apart (ISO/IEC 14496-12), as far as a still picture in it needs that.

Knows boxes, where items lie, and which properties the primary item has (ISO/IEC 23008-12). Must not know what the
decoders do. Needed because they fill missing tiles with nothing and never say so, and hide what the colours mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError

_MOST_ITEMS: Final = 10_000
_HIGH_BITDEPTH: Final = 0x40  # of av1C's third byte
_TWELVE_BIT: Final = 0x20
_IN_FILE: Final = 0  # construction_method: offsets count from the file's first byte
Span: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class _Cursor:
    """Big-endian numbers, one after the other, up to an end."""

    data: bytes
    at: int
    end: int

    def number(self, size: int) -> int:
        if self.at + size > self.end:
            raise DamagedPhotographError("The file has a box that is shorter than its content")
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """What the container says of its primary item; a property is its box without the header."""

    properties: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def bits(self) -> int:
        """Most bits a sample, as pixi (ISO/IEC 23008-12 section 6.5.6) or av1C tells; 8 when they tell nothing."""
        told, config = self.properties.get(b"pixi", b""), self.properties.get(b"av1C", b"")
        if len(told) > 5:
            return max(told[5 : 5 + told[4]], default=8)
        if len(config) < 3 or not config[2] & _HIGH_BITDEPTH:
            return 8
        return 12 if config[2] & _TWELVE_BIT else 10

    @property
    def cicp(self) -> tuple[int, int] | None:
        """Colour primaries and transfer characteristics (ITU-T H.273), when nothing but numbers describes them."""
        colours = self.properties.get(b"colr", b"")
        if not colours.startswith(b"nclx") or len(colours) < 8:
            return None
        return int.from_bytes(colours[4:6], "big"), int.from_bytes(colours[6:8], "big")


def primary(data: bytes) -> Primary:
    """Return what a file of boxes says of its primary item, having seen that all its items lie within it.

    Raises:
        TruncatedPhotographError: a box or an item runs beyond the end.
        DamagedPhotographError: a box breaks its format.
    """
    outer = dict(_boxes(data, 0, len(data)))
    if b"meta" not in outer:
        return Primary()
    start, end = outer[b"meta"]
    meta = dict(_boxes(data, start + 4, end))
    if b"iloc" in meta:
        _refuse_items_beyond_the_end(data, meta[b"iloc"])
    if b"pitm" not in meta or b"iprp" not in meta:
        return Primary()
    return Primary(properties=_properties(data, _primary_id(data, meta[b"pitm"]), meta[b"iprp"]))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """Give type, start and end of the content of each box; of several of one type, a dictionary keeps the last."""
    at = start
    while at + 8 <= end:
        length, body = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = at + length if length else end
        if stop > end:
            raise TruncatedPhotographError("The file ends before its picture is whole")
        if stop < body:
            raise DamagedPhotographError("The file has a box that is shorter than its header")
        yield data[at + 4 : at + 8], (body, stop)
        at = stop


def _primary_id(data: bytes, span: Span) -> int:
    cursor = _Cursor(data, *span)
    version = cursor.number(4) >> 24
    return cursor.number(4 if version else 2)


def _refuse_items_beyond_the_end(data: bytes, span: Span) -> None:
    if any(stop > len(data) for stop in _ends(data, span)):
        raise TruncatedPhotographError("The file ends before its picture is whole")


def _ends(data: bytes, span: Span) -> Iterator[int]:
    """Give the end of every extent of every item that lies in the file (ISO/IEC 14496-12 section 8.11.3)."""
    cursor = _Cursor(data, *span)
    version, sizes = cursor.number(4) >> 24, cursor.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(min(cursor.number(4 if version > 1 else 2), _MOST_ITEMS)):
        cursor.number(4 if version > 1 else 2)
        method = cursor.number(2) & 15 if version else _IN_FILE
        cursor.number(2)
        base = cursor.number(base_size)
        for _ in range(cursor.number(2)):
            cursor.number(index_size)
            offset, length = cursor.number(offset_size), cursor.number(length_size)
            if method == _IN_FILE:
                yield base + offset + length


def _properties(data: bytes, item: int, span: Span) -> dict[bytes, bytes]:
    """Return the properties of one item by type; the first of a type counts."""
    inner = list(_boxes(data, *span))
    known = [(name, where) for box, found in inner if box == b"ipco" for name, where in _boxes(data, *found)]
    found: dict[bytes, bytes] = {}
    for box, where in inner:
        if box != b"ipma":
            continue
        for index in _associated(_Cursor(data, *where), item):
            if 0 < index <= len(known):
                name, (start, end) = known[index - 1]
                found.setdefault(name, data[start:end])
    return found


def _associated(cursor: _Cursor, item: int) -> Iterator[int]:
    """Give the indices of an item's properties (ISO/IEC 23008-12 section 9.3)."""
    head = cursor.number(4)
    version, wide = head >> 24, head & 1
    for _ in range(min(cursor.number(4), _MOST_ITEMS)):
        owner = cursor.number(4 if version else 2)
        for _ in range(cursor.number(1)):
            index = cursor.number(2) & 0x7FFF if wide else cursor.number(1) & 0x7F
            if owner == item:
                yield index
