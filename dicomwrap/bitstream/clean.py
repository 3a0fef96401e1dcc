"""Take everything out of a JPEG stream that isn't the picture.

Knows which segments a decoder needs, and that of the rest only Adobe's APP14 tells it something (the colour transform).
Must not know DICOM or files. Every byte that stays is the camera's; nothing is decoded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dicomwrap.bitstream.markers import APP14, APPLICATION_MARKERS, COM, SCAN_DATA, SOS, Piece, Stream, parse

ADOBE_LENGTH: Final = 12
TRAILER: Final = "trailer after EOI"


def cleaned(stream: bytes) -> bytes:
    """Return the stream without APPn and COM segments (but Adobe's APP14), cut after the first end-of-image marker.

    Idempotent; the entropy-coded bytes stay as they are.

    Raises:
        DicomwrapError: the bytes are no complete JPEG stream.
    """
    return without_carriers(parse(stream))


def without_carriers(stream: Stream) -> bytes:
    """Return the bytes of a parsed stream without what ``hidden`` names."""
    return b"".join(kept(stream).buffers())


def kept(stream: Stream) -> Stream:
    """Return a parsed stream without what ``hidden`` names; no byte is copied."""
    drop = set(_carriers(stream))
    return replace(stream, pieces=tuple(piece for piece in stream.pieces if piece not in drop))


def entropy_coded(stream: bytes) -> bytes:
    """Return the entropy-coded data of all scans, one after the other: the picture's own bits.

    Raises:
        DicomwrapError: the bytes are no complete JPEG stream.
    """
    return b"".join(parse(stream).bodies(SCAN_DATA))


def hidden(stream: bytes) -> tuple[str, ...]:
    """Name what a stream carries besides the picture, such as ``("APP1", "COM", "trailer after EOI")``, in order.

    One zero byte after an odd stream is DICOM's padding (PS3.5 section A.4), not a trailer.

    Raises:
        DicomwrapError: the bytes are no complete JPEG stream.
    """
    return carriers(parse(stream))


def carriers(stream: Stream) -> tuple[str, ...]:
    """Name what a parsed stream carries besides the picture; see ``hidden``."""
    names = dict.fromkeys(piece.name for piece in _carriers(stream))
    padding = b"\0" if stream.end % 2 else b""
    return (*names, *((TRAILER,) if stream.trailer not in (b"", padding) else ()))


def head_carriers(stream: Stream) -> tuple[str, ...]:
    """Name what a stream of which only the head was parsed carries besides the picture."""
    return tuple(dict.fromkeys(piece.name for piece in _carriers(stream)))


def _carriers(stream: Stream) -> tuple[Piece, ...]:
    adobe = _adobe(stream)
    suspects = (piece for piece in stream.pieces if piece.marker == COM or piece.marker in APPLICATION_MARKERS)
    return tuple(piece for piece in suspects if piece is not adobe)


def _adobe(stream: Stream) -> Piece | None:
    """Return the one APP14 segment that decoders heed: the last genuine one before the first scan."""
    found = None
    for piece in stream.pieces:
        if piece.marker == SOS:
            break
        if piece.marker == APP14 and _is_genuine(stream.body(piece)):
            found = piece
    return found


def _is_genuine(body: bytes) -> bool:
    return len(body) == ADOBE_LENGTH and body.startswith(b"Adobe")
