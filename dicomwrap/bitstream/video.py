"""Tell which container or elementary stream a film is in.

Knows how MP4, MPEG transport and program streams, H.264, HEVC and MPEG-2 begin. Must not know DICOM. Decodes nothing.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final

_PACKETS: Final = ((188, 0), (192, 4))  # packet length and where the sync byte is, without and with time codes
_START: Final = (b"\0\0\1", b"\0\0\0\1")
_H264: Final = frozenset({1, 5, 6, 7, 9})
_HEVC: Final = frozenset(bytes((kind << 1, 1)) for kind in (32, 33, 34, 35, 39))  # in the lowest layer


@unique
class Film(StrEnum):
    """What a film's bytes are; the value is the file's suffix."""

    MP4 = ".mp4"
    TRANSPORT = ".ts"
    PROGRAM = ".mpg"
    H264 = ".h264"
    HEVC = ".h265"


def film(data: bytes) -> Film | None:
    """Return what the bytes are, None when they are no film known here."""
    if data[4:8] == b"ftyp":
        return Film.MP4
    if any(_is_transport(data, length, sync) for length, sync in _PACKETS):
        return Film.TRANSPORT
    start = next((len(code) for code in reversed(_START) if data.startswith(code)), 0)
    return _elementary(data[start : start + 2]) if start else None


def _is_transport(data: bytes, length: int, sync: int) -> bool:
    packets = min(len(data) // length, 4)
    return packets > 0 and all(data[sync + number * length] == 0x47 for number in range(packets))


def _elementary(head: bytes) -> Film | None:
    if not head:
        return None
    if head[0] in (0xBA, 0xB3):
        return Film.PROGRAM
    if head in _HEVC:
        return Film.HEVC
    return Film.H264 if head[0] & 0x80 == 0 and head[0] & 0x1F in _H264 else None
