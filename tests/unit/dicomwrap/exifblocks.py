"""EXIF blocks written field by field, in either byte order, right or rotten."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

Order: TypeAlias = Literal["<", ">"]
# type, count, and the value in a byte order
Field: TypeAlias = tuple[int, int, Callable[[Order], bytes]]
Fields: TypeAlias = Mapping[int, Field]

HEADER = b"Exif\0\0"
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
DIRECTORY = 8


def ascii_(text: str | bytes) -> Field:
    """Return a text field, ended by NUL."""
    raw = (text.encode() if isinstance(text, str) else text) + b"\0"
    return 2, len(raw), lambda _: raw


def undefined(raw: bytes) -> Field:
    return 7, len(raw), lambda _: raw


def numbers(kind: int, code: str, *values: float) -> Field:
    return kind, len(values), lambda order: struct.pack(f"{order}{len(values)}{code}", *values)


def byte(*values: int) -> Field:
    return numbers(1, "B", *values)


def short(*values: int) -> Field:
    return numbers(3, "H", *values)


def long(*values: int) -> Field:
    return numbers(4, "I", *values)


def sshort(*values: int) -> Field:
    return numbers(8, "h", *values)


def slong(*values: int) -> Field:
    return numbers(9, "i", *values)


def single(*values: float) -> Field:
    return numbers(11, "f", *values)


def double(*values: float) -> Field:
    return numbers(12, "d", *values)


def rational(*pairs: tuple[int, int]) -> Field:
    return 5, len(pairs), lambda order: b"".join(struct.pack(f"{order}II", *pair) for pair in pairs)


def srational(*pairs: tuple[int, int]) -> Field:
    return 10, len(pairs), lambda order: b"".join(struct.pack(f"{order}ii", *pair) for pair in pairs)


def directory(fields: Fields, at: int, order: Order, *, following: int = 0) -> bytes:
    """Return a directory that stands at an offset, with its values behind it."""
    entries, values = b"", b""
    behind = at + 2 + 12 * len(fields) + 4
    for tag, (kind, count, encode) in sorted(fields.items()):
        raw = encode(order)
        inline = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", behind + len(values))
        entries += struct.pack(f"{order}HHI", tag, kind, count) + inline
        values += raw if len(raw) > 4 else b""
    return struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", following) + values


def tiff(main: Fields, detail: Fields | None = None, *, gps: Fields | None = None, order: Order = "<") -> bytes:
    """Return a TIFF block: IFD0, then the Exif and the GPS directory, then a thumbnail's."""
    pointers = {EXIF_IFD: detail, GPS_IFD: gps}
    there = {tag: fields for tag, fields in pointers.items() if fields is not None}
    at = DIRECTORY + len(directory({**main, **dict.fromkeys(there, long(0))}, DIRECTORY, order))
    places, behind = {}, b""
    for tag, fields in there.items():
        places[tag] = long(at + len(behind))
        behind += directory(fields, at + len(behind), order)
    following = at + len(behind) if gps is not None else 0
    thumbnail = directory({0x010F: ascii_("THUMBNAIL-SECRET")}, following, order) if following else b""
    first = directory({**main, **places}, DIRECTORY, order, following=following)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", DIRECTORY) + first + behind + thumbnail


def block(main: Fields, detail: Fields | None = None, *, gps: Fields | None = None, order: Order = "<") -> bytes:
    """Return the body of an APP1 segment."""
    return HEADER + tiff(main, detail, gps=gps, order=order)
