"""Name the boxes of an MP4, JP2 or JPEG XL file that carry what is no picture.

Knows which types of boxes are an author's, an editor's or a camera's to fill. Must not know DICOM. Lenient, for
strangers' files: what can't be followed is named, never raised. Linear in the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomwrap.bitstream.boxes import Box, boxes
from dicomwrap.errors import DicomwrapError

DEEPEST: Final = 12
_HOLDERS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf", b"mvex"})
_CARRIERS: Final = frozenset({b"udta", b"meta", b"uuid", b"uinf", b"xml ", b"Exif", b"jumb", b"brob", b"asoc", b"id32"})
_FILLERS: Final = frozenset({b"free", b"skip", b"wide"})
_PICTURES: Final = b"vide"
_DATA_HANDLER: Final = b"dhlr"  # QuickTime's, which tells where a track's bytes are
SOUND: Final = "sound track"
_TAIL: Final = "bytes after the last box"


def box_carriers(data: bytes) -> tuple[str, ...]:
    """Name what a file of boxes carries besides the picture, such as ``("udta", "sound track")``, in order."""
    return tuple(dict.fromkeys(_within(data, 0, len(data), 0)))


def _within(data: bytes, start: int, end: int, depth: int) -> Iterator[str]:
    last = start
    try:
        for box in boxes(data, start, end):
            last = box.end
            yield from _named(data, box)
            if box.kind in _HOLDERS and depth < DEEPEST:
                yield from _within(data, box.body, box.end, depth + 1)
    except DicomwrapError:
        yield "boxes that can't be followed"
        return
    if data[last:end].strip(b"\0"):
        yield _TAIL


def _named(data: bytes, box: Box) -> Iterator[str]:
    filler = box.kind in _FILLERS and bool(data[box.body : box.end].strip(b"\0"))
    if box.kind in _CARRIERS or filler:
        yield box.kind.decode("ascii").strip()
    if box.kind == b"hdlr":
        component, handler = data[box.body + 4 : box.body + 8], data[box.body + 8 : box.body + 12]
        if component != _DATA_HANDLER and handler != _PICTURES:
            yield SOUND if handler == b"soun" else f"{_printable(handler)} track"


def _printable(handler: bytes) -> str:
    return handler.decode("ascii").strip() if handler.isalnum() else "unknown"
