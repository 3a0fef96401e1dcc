"""Find what an MP4 carries besides the film.

Knows the boxes that one track of H.264 needs to be played, and what may stand in them (ISO/IEC 14496-12 and -15). Must
not know DICOM or files. Strict: what isn't needed is hidden metadata, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dicomwrap.bitstream.boxes import Box, boxes, inside, number
from dicomwrap.bitstream.h264 import configuration, kept, units
from dicomwrap.errors import DamagedFilmError

# Boxes that hold boxes, and how many bytes come before those.
_HOLDERS: Final = {
    b"moov": 0, b"trak": 0, b"edts": 0, b"mdia": 0, b"minf": 0, b"dinf": 0, b"stbl": 0, b"stsd": 8, b"dref": 8,
    b"avc1": 78,
}  # fmt: skip
# Tables: bytes before the entries, of an entry, and where the number of entries stands.
_TABLES: Final = {
    b"elst": (8, 12, 4), b"stts": (8, 8, 4), b"ctts": (8, 8, 4), b"stss": (8, 4, 4), b"stsc": (8, 12, 4),
    b"stsz": (12, 4, 8), b"stco": (8, 4, 4), b"co64": (8, 8, 4),
}  # fmt: skip
# Boxes of a fixed length.
_FIXED: Final = {
    b"mvhd": (100, 112), b"tkhd": (84, 96), b"mdhd": (24, 36), b"vmhd": (12,), b"btrt": (12,), b"pasp": (8,),
    b"fiel": (2,), b"url ": (4,), b"free": (0, 1), b"wide": (0,),
}  # fmt: skip
_BRANDS: Final = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"mp41", b"mp42", b"\0\0\2\0"})
_COLOURS: Final = frozenset({(b"nclx", 11), (b"nclc", 10)})
_DEEPEST: Final = 7  # moov, trak, mdia, minf, stbl, stsd, avc1, and what that holds
_HANDLER: Final = b"vide" + bytes(12)
_NAMES: Final = frozenset({b"\0", b"VideoHandler\0"})


def hidden(stream: bytes) -> tuple[str, ...]:
    """Name what an MP4 carries besides one track of H.264, such as ``("udta", "mdat")``, in order.

    Raises:
        DicomwrapError: the bytes are no MP4, or its picture data break their rules.
    """
    return tuple(dict.fromkeys(_strangers(stream, list(boxes(stream)), _prefix(stream), 0)))


def _prefix(stream: bytes) -> int:
    """Return how many bytes tell the length of each unit."""
    record = _record(stream)
    if record is None:
        raise DamagedFilmError("The film has no decoder configuration")
    return configuration(stream[record.body : record.end]).prefix


def _record(stream: bytes) -> Box | None:
    level = {box.kind: box for box in boxes(stream)}
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        if kind not in level:
            return None
        level = inside(stream, level[kind], _HOLDERS[kind])
    return level.get(b"avcC")


def _strangers(stream: bytes, level: list[Box], prefix: int, depth: int) -> Iterator[str]:
    for box in level:
        if depth > _DEEPEST or not _is_plain(stream, box, prefix):
            yield box.kind.decode("ascii", "replace")
        elif box.kind in _HOLDERS:
            within = list(boxes(stream, box.body + _HOLDERS[box.kind], box.end))
            yield from _strangers(stream, within, prefix, depth + 1)
            if box.end != (within[-1].end if within else box.body + _HOLDERS[box.kind]):
                yield f"end of {box.kind.decode('ascii')}"


def _is_plain(stream: bytes, box: Box, prefix: int) -> bool:
    """Tell whether a box is one that a player needs and, but for the boxes within, holds nothing else."""
    body = memoryview(stream)[box.body : box.end]
    if box.kind == b"mdat":
        return all(kept(unit) is unit for unit in units(body, prefix))
    if box.kind in _TABLES:
        return _is_full(box.kind, body)
    if box.kind in _FIXED and len(body) not in _FIXED[box.kind]:
        return False
    known = box.kind in _HOLDERS or box.kind in _FIXED
    return _CHECKS[box.kind](body) if box.kind in _CHECKS else known


def _is_full(kind: bytes, body: memoryview) -> bool:
    """Tell whether a table is as long as it says."""
    head, entry, count = _TABLES[kind]
    one_size = kind == b"stsz" and any(body[4:8])  # of all samples, in place of a table
    return len(body) == head + (0 if one_size else entry * number(body, count, 4))


def _is_without_times(body: memoryview) -> bool:
    return not any(body[4 : 20 if body[0] == 1 else 12])


def _is_without_compressor(body: memoryview) -> bool:
    """Tell whether a visual sample entry names no vendor and no compressor."""
    return not any(body[8:24]) and not any(body[42:74])


_CHECKS: Final[dict[bytes, Callable[[memoryview], bool]]] = {
    b"ftyp": lambda body: {bytes(body[at : at + 4]) for at in range(0, len(body), 4)} <= _BRANDS,
    b"hdlr": lambda body: body[:8] == bytes(8) and body[8:24] == _HANDLER and bytes(body[24:]) in _NAMES,
    b"avcC": lambda body: body == configuration(bytes(body)).record(),
    b"avc1": _is_without_compressor,
    b"colr": lambda body: (bytes(body[:4]), len(body)) in _COLOURS,
    b"sdtp": lambda body: all(octet < 0x40 for octet in body[4:]),
    b"free": lambda body: not any(body),
    b"mvhd": _is_without_times,
    b"tkhd": _is_without_times,
    b"mdhd": _is_without_times,
}
