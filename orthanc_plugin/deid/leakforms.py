"""Bytes within bytes: what a copy holds packed, in another writing or among a picture's bits, laid open to be searched.

Knows base64, hexadecimal digits, zlib, gzip, bare deflate, UTF-16 and how text stands out in a coded picture. Must not
know DICOM. Works on any bytes, with bounds on depth and size; a strange byte is no error.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import Final

DEEPEST: Final = 3
APART: Final = b"\0\0"
MOST_UNPACKED: Final = 4 * 1024**2
MOST_OPENED: Final = 32 * 1024**2
_TOO_MUCH: Final = "more is packed in it than can be looked through"
_SHORTEST_RUN: Final = 6
_BASE64: Final = re.compile(rb"[0-9A-Za-z+/_-](?:[\r\n]*[0-9A-Za-z+/_-]){7,}")
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :\r\n-]?){4,}")
# Two, since a pattern that begins with one fixed byte runs at the speed of memory.
_ZLIB: Final = (re.compile(rb"\x78[\x01\x5e\x9c\xda]"), re.compile(rb"\x1f\x8b\x08"))
_NO_DIGITS: Final = re.compile(rb"[^0-9A-Fa-f]")
_LINES: Final = b"\r\n"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# What words, numbers and their writings are made of is "a", zeros are "n".
_TEXT: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ^.,:/_+=@'-"
_CLASSES: Final = bytes(97 if byte in _TEXT else 110 if byte == 0 else 0 for byte in range(256))
_RUN: Final = b"a" * _SHORTEST_RUN
_EACH: Final = re.compile(rb"a*")
_WIDE: Final = b"nananan"
_WINDOW: Final = 4096


def opened(data: bytes) -> bytes:
    """Return the bytes, and what is packed in them, and in that, with zeros between.

    Raises:
        ValueError: more is packed in them than can be looked through.
    """
    found, length = [], 0
    for each in _opened(data, DEEPEST):
        length += len(each)
        if length > MOST_OPENED + len(data):
            raise ValueError(_TOO_MUCH)
        found.append(each)
    return APART.join(found)


def _opened(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth:
        for packings in (_inflated, _decoded):
            for inner in packings(data):
                yield from _opened(inner, depth - 1)


def _inflated(data: bytes) -> Iterator[bytes]:
    whole = memoryview(data)
    starts = [(found.start(), zlib.MAX_WBITS | 32) for head in _ZLIB for found in head.finditer(data)]
    if len(data) > 8:
        starts.append((0, -zlib.MAX_WBITS))
    for start, form in starts:
        found = _unpacked(whole[start:], form)
        if len(found) >= _SHORTEST_RUN:
            yield found


def _unpacked(data: memoryview, form: int) -> bytes:
    """Return what can be inflated before something is wrong."""
    work, found, at = zlib.decompressobj(form), [], 0
    step, most = 64, MOST_UNPACKED
    try:
        while at < len(data) and most > 0 and not work.eof:
            piece = work.decompress(data[at : at + step], most)
            at, step, most = at + step, min(2 * step, 1 << 20), most - len(piece)
            found.append(piece)
    except zlib.error:
        pass
    if most <= 0:
        raise ValueError(_TOO_MUCH)
    return b"".join(found)


def _decoded(data: bytes) -> Iterator[bytes]:
    for run in _BASE64.findall(data):
        plain = run.translate(_URL_SAFE, _LINES)
        for start in range(4):
            piece = plain[start : len(plain) - ((len(plain) - start) % 4 == 1)]
            yield base64.b64decode(piece + b"=" * (-len(piece) % 4))
    for run in _HEXADECIMAL.findall(data):
        digits = _NO_DIGITS.sub(b"", run)
        for start in range(2):
            piece = digits[start : start + (len(digits) - start) // 2 * 2]
            yield binascii.unhexlify(piece)


def bare(data: bytes) -> bytes:
    """Return what bytes say that are deflated without a head; mostly nothing."""
    return _unpacked(memoryview(data), -zlib.MAX_WBITS)


def written(data: bytes) -> bytes:
    """Return what reads as text among a picture's bits, in stretches with zeros between them."""
    kinds = data.translate(_CLASSES)
    return b"\0".join((*_runs(data, kinds), *_wide(data, kinds)))


def _runs(data: bytes, kinds: bytes) -> Iterator[bytes]:
    find, at = kinds.find, 0
    while (at := find(_RUN, at)) >= 0:
        end = _EACH.match(kinds, at).end()  # type: ignore[union-attr]  # a run begins here
        yield data[at:end]
        at = end


def _wide(data: bytes, kinds: bytes) -> Iterator[bytes]:
    """Yield what could be UTF-16, without its zeros."""
    at = 0
    while (at := kinds.find(_WIDE, at)) >= 0:
        yield data[max(at - 1, 0) : at + _WINDOW].replace(b"\0", b"")
        at += _WINDOW - len(_WIDE)


def packed(data: bytes) -> Iterator[bytes]:
    """Yield what is deflated among a picture's bits."""
    whole = memoryview(data)
    for head in _ZLIB:
        for found in head.finditer(data):
            inflated = _unpacked(whole[found.start() :], zlib.MAX_WBITS | 32)
            if len(inflated) >= _SHORTEST_RUN:
                yield inflated
