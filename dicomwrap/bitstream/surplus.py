"""Tell whether a JPEG stream has room for words in what a decoder reads and the picture doesn't need.

Knows tables that no scan uses, tables that are defined twice, and the free bytes of Adobe's segment (ITU-T T.81 B.2,
Adobe Technical Note 5116). Must not know what becomes of such a stream: written anew, it has none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomwrap.bitstream.markers import APP14, DHT, DQT, SOS, Stream

_ADOBE_VERSIONS: Final = (b"\0\x64", b"\0\x65")
_ADOBE_FLAGS: Final = (b"\0\0", b"\x40\0", b"\x80\0", b"\xc0\0")


def has_surplus(stream: Stream) -> bool:
    """Tell whether a baseline stream without metadata still has something that its picture doesn't need."""
    quantisers = list(_quantisers(stream))
    codes = list(_codes(stream))
    used = _used_codes(stream)
    needed = {component.table for component in stream.frame.components}
    return (
        len(set(quantisers)) != len(quantisers)
        or len(set(codes)) != len(codes)
        or not set(quantisers) <= needed
        or not set(codes) <= used
        or not all(_is_plain_adobe(body) for body in stream.bodies(APP14))
    )


def _quantisers(stream: Stream) -> Iterator[int]:
    for body in stream.bodies(DQT):
        at = 0
        while at < len(body):
            precision, number = divmod(body[at], 16)
            yield number
            at += 1 + 64 * (1 + precision)


def _codes(stream: Stream) -> Iterator[tuple[int, int]]:
    for body in stream.bodies(DHT):
        at = 0
        while at < len(body):
            kind, number = divmod(body[at], 16)
            yield kind, number
            at += 17 + sum(body[at + 1 : at + 17])


def _used_codes(stream: Stream) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for body in stream.bodies(SOS):
        for selectors in body[2 : 1 + 2 * body[0] : 2]:
            found |= {(0, selectors >> 4), (1, selectors & 0xF)}
    return found


def _is_plain_adobe(body: bytes) -> bool:
    """Tell whether an Adobe segment has nothing in its bytes for version and flags but versions and flags."""
    return body[5:7] in _ADOBE_VERSIONS and body[7:9] in _ADOBE_FLAGS and body[9:11] == b"\0\0"
