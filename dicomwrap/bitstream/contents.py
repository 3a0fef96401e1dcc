"""Say in words what the segments of a JPEG carry besides the picture.

Knows how EXIF, XMP, ICC, MPF, IPTC and content credentials announce themselves. Must not tell a value: that there is a
place, never which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomwrap.bitstream.clean import TRAILER, carriers
from dicomwrap.bitstream.markers import APP0, APP1, Stream, is_jfif
from dicomwrap.tiff_ifd import fields, opened

_EXIF: Final = b"Exif\0"
_GPS_POINTER: Final = 0x8825
_ORIENTATION: Final = 0x0112
_GPS_PLACE: Final = frozenset({2, 4})
_KINDS: Final = (
    (b"http://ns.adobe.com/x", "XMP"),
    (b"ICC_PROFILE\0", "a colour profile"),
    (b"MPF\0", "more pictures"),
    (b"Photoshop 3.0\0", "IPTC"),
    (b"JFXX\0", "a thumbnail"),
    (b"JP", "content credentials"),
)
_PLAIN_JFIF: Final = 14


def described(stream: Stream) -> dict[str, str]:
    """Return what each carrier holds, by the names of ``carriers``; "" where it can't be told."""
    found: dict[str, dict[str, None]] = {name: {} for name in carriers(stream)}
    for piece in stream.pieces:
        name = piece.name if piece.marker >= APP0 else ""
        if name in found:
            found[name].update(dict.fromkeys(_kinds(stream.body(piece))))
    if TRAILER in found:
        found[TRAILER] = _mere_padding(stream.trailer)
    return {name: ", ".join(kinds) for name, kinds in found.items()}


def _mere_padding(trailer: bytes) -> dict[str, None]:
    says = len(trailer.strip(b"\0"))
    return {"zeros only": None} if says == 0 else {"one byte only, which should be zero": None} if says == 1 else {}


def is_plain_jfif(stream: Stream) -> bool:
    """Tell whether all that APP0 segments say is the density of a JFIF header, without a thumbnail."""
    return all(is_jfif(body) and len(body) == _PLAIN_JFIF for body in stream.bodies(APP0))


def orientation(stream: Stream) -> int:
    """Return the orientation that EXIF in the stream asks for, 1 when it asks for none."""
    for body in stream.bodies(APP1):
        if body.startswith(_EXIF):
            tiff = opened(body[6:])
            main = None if tiff is None else fields(tiff, tiff.first, {_ORIENTATION})
            said = (main or {}).get(_ORIENTATION)
            if isinstance(said, tuple) and isinstance(said[0], int) and 1 <= said[0] <= 8:
                return said[0]
    return 1


def _kinds(body: bytes) -> Iterator[str]:
    if body.startswith(_EXIF):
        yield "EXIF with a place" if _has_place(body[6:]) else "EXIF"
    yield from (kind for mark, kind in _KINDS if body.startswith(mark))


def _has_place(block: bytes) -> bool:
    tiff = opened(block)
    main = None if tiff is None else fields(tiff, tiff.first, {_GPS_POINTER})
    at = (main or {}).get(_GPS_POINTER)
    if tiff is None or not isinstance(at, tuple) or not isinstance(at[0], int):
        return False
    return bool(fields(tiff, at[0], _GPS_PLACE))
