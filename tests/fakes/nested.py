"""DICOM files whose sequences lie in each other, written element by element."""

from __future__ import annotations

import struct

UNDEFINED = 0xFFFFFFFF
IMPLICIT, EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".2", ".1.99"))
PHOTOGRAPH = "1.2.840.10008.5.1.4.1.1.77.1.4"
SEQUENCE = (0x0040, 0xA730)
PRIVATE = (0x0099, 0x1010)
PIXELS = (0x7FE0, 0x0010)
LONG = ("OB", "OW", "SQ", "UN", "UT")


def element(tag: tuple[int, int], vr: str, value: bytes, *, length: int | None = None, order: str = "<") -> bytes:
    """Return an element; ``vr`` '' for implicit VR, ``length`` to have it say another one than it has."""
    said = len(value) if length is None else length
    head = struct.pack(f"{order}HH", *tag)
    if not vr:
        return head + struct.pack(f"{order}I", said) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}I", said) + value
    return head + vr.encode() + struct.pack(f"{order}H", said) + value


def item(value: bytes, *, delimited: bool = False, order: str = "<") -> bytes:
    """Return an item of a sequence."""
    if not delimited:
        return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(value)) + value
    end = struct.pack(f"{order}HHI", 0xFFFE, 0xE00D, 0)
    return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, UNDEFINED) + value + end


def sequence(
    value: bytes, vr: str = "SQ", *, tag: tuple[int, int] = SEQUENCE, delimited: bool = False, order: str = "<"
) -> bytes:
    """Return a sequence of what ``value`` has."""
    if not delimited:
        return element(tag, vr, value, order=order)
    end = struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0)
    return element(tag, vr, value + end, length=UNDEFINED, order=order)


def nested(
    levels: int, vr: str = "SQ", *, tag: tuple[int, int] = SEQUENCE, delimited: bool = False, order: str = "<"
) -> bytes:
    """Return ``levels`` sequences in each other."""
    inner = b""
    for _ in range(levels):
        inner = sequence(item(inner, delimited=delimited, order=order), vr, tag=tag, delimited=delimited, order=order)
    return inner


def text(tag: tuple[int, int], vr: str, value: str) -> bytes:
    """Return an element with a text of even length."""
    raw = value.encode()
    return element(tag, vr, raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2))


def file_of(dataset: bytes, syntax: str = EXPLICIT, *, length: int | None = None) -> bytes:
    """Return a DICOM file; ``length`` to have its meta information say another one than it has."""
    meta = b"".join(
        (
            element((2, 1), "OB", b"\0\1"),
            text((2, 2), "UI", PHOTOGRAPH),
            text((2, 3), "UI", "2.25.77"),
            *((text((2, 0x10), "UI", syntax),) if syntax else ()),
            text((2, 0x12), "UI", "2.25.1"),
        )
    )
    says = struct.pack("<I", len(meta) if length is None else length)
    return b"\0" * 128 + b"DICM" + element((2, 0), "UL", says) + meta + dataset


def identified(levels: int) -> bytes:
    """Return a file with all that the archive needs to take it, and so many sequences in each other."""
    dataset = b"".join(
        (
            text((0x0008, 0x0016), "UI", PHOTOGRAPH),
            text((0x0008, 0x0018), "UI", "2.25.77"),
            text((0x0010, 0x0020), "LO", "P9"),
            text((0x0020, 0x000D), "UI", "2.25.78"),
            text((0x0020, 0x000E), "UI", "2.25.79"),
            nested(levels),
        )
    )
    return file_of(dataset)
