"""Bytes within bytes: what a copy holds packed, in another writing or among a picture's bits, laid open to be searched.

Knows base64, hexadecimal digits, escapes, zlib, gzip, zip, bare deflate, UTF-16, DER, letters moved by thirteen, and
how text stands out in a coded picture. Must not know DICOM. Works on any bytes, with bounds on depth and size; a
strange byte is no error.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from orthanc_plugin.errors import DeidentificationError

DEEPEST: Final = 3
APART: Final = b"\0\0"
DEEPEST_DER: Final = 16
MOST_UNPACKED: Final = 4 * 1024**2
MOST_OPENED: Final = 32 * 1024**2
_TOO_MUCH: Final = "More is packed in the copy than can be looked through."
_SHORTEST_RUN: Final = 6
_SHORTEST_PACKED: Final = 8  # of any writing of so much
_BASE64: Final = re.compile(rb"[0-9A-Za-z+/_-](?:[\r\n]*[0-9A-Za-z+/_-]){7,}")
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :\r\n-]?){4,}")
# Two, since a pattern that begins with one fixed byte runs at the speed of memory.
_ZLIB: Final = (re.compile(rb"\x78[\x01\x5e\x9c\xda]"), re.compile(rb"\x1f\x8b\x08"))
_ZIP: Final = re.compile(rb"PK\x03\x04")
_ZIP_HEAD: Final = struct.Struct("<26xHH")  # of an entry (PKWARE APPNOTE 4.3.7): how long its name and its extras are
_ESCAPED: Final = re.compile(rb"(?:[%=]|\\x|\\u00|&#x)([0-9A-Fa-f]{2});?|&#([0-9]{2,3});")
_NO_DIGITS: Final = re.compile(rb"[^0-9A-Fa-f]")
_LINES: Final = b"\r\n"
_CONSTRUCTED: Final = 0x20
_DER_TEXTS: Final = {
    0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1A: "ascii", 0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}  # fmt: skip
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# What words, numbers and their writings are made of is "a", zeros are "n".
_MOVED: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", b"NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)
_TEXT: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ^.,:/_+=@'-"
_CLASSES: Final = bytes(97 if byte in _TEXT else 110 if byte == 0 else 0 for byte in range(256))
_RUN: Final = b"a" * _SHORTEST_RUN
_EACH: Final = re.compile(rb"a*")
_WIDE: Final = b"nananan"
_WINDOW: Final = 4096


def der_texts(data: bytes, depth: int = DEEPEST_DER) -> Iterator[str]:
    """Yield the texts of DER (X.690): what certificates and envelopes call people and places."""
    at = 0
    while at + 2 <= len(data):
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start])
        body = data[start : start + length]
        if tag & _CONSTRUCTED and depth:
            yield from der_texts(body, depth - 1)
        elif tag in _DER_TEXTS:
            yield body.decode(_DER_TEXTS[tag], "replace")
        at = start + length


def opened(data: bytes) -> bytes:
    """Return the bytes, and what is packed in them, and in that, with zeros between.

    Raises:
        DeidentificationError: more is packed in them than can be looked through.
    """
    found, layer, left = [data], [data], MOST_OPENED
    for _ in range(DEEPEST):
        inner = []
        for each in _within([each for each in layer if len(each) >= _SHORTEST_PACKED]):
            left -= len(each)
            if left < 0:
                raise DeidentificationError(_TOO_MUCH)
            inner.append(each)
        found += inner
        layer = inner
    return APART.join(found)


def readings(data: bytes) -> bytes:
    """Return the bytes, what is packed in them, and other readings of both, with zeros between.

    Raises:
        DeidentificationError: more is packed in them than can be looked through.
    """
    whole = opened(data)
    return APART.join((whole, whole.replace(b"\0", b""), data.translate(_MOVED)))  # UTF-16 without its zeros


def _within(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Yield what is packed in some bytes; all of them are gone through at once."""
    whole = APART.join(pieces)
    yield from packed(whole)
    yield from (found for each in pieces if len(each) > 8 and len(found := bare(each)) >= _SHORTEST_RUN)
    if _ESCAPED.search(whole):
        yield from (plain for each in pieces if (plain := _ESCAPED.sub(_unescaped, each)) != each)
    yield from _decoded(whole)


def _unpacked(data: memoryview, form: int) -> tuple[bytes, int]:
    """Return what can be inflated before something is wrong, and how many bytes were read and made."""
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
        raise DeidentificationError(_TOO_MUCH)
    made = b"".join(found)
    return made, at + len(made)


def _decoded(data: bytes) -> Iterator[bytes]:
    for run in dict.fromkeys(_BASE64.findall(data)):
        plain = run.translate(_URL_SAFE, _LINES)
        for start in range(4):
            piece = plain[start : len(plain) - ((len(plain) - start) % 4 == 1)]
            yield base64.b64decode(piece + b"=" * (-len(piece) % 4))
    for run in dict.fromkeys(_HEXADECIMAL.findall(data)):
        digits = _NO_DIGITS.sub(b"", run)
        for start in range(2):
            piece = digits[start : start + (len(digits) - start) // 2 * 2]
            yield binascii.unhexlify(piece)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16) if found[1] else int(found[2])
    return bytes((code & 0xFF,))


def bare(data: bytes) -> bytes:
    """Return what bytes say that are deflated without a head; mostly nothing."""
    return _unpacked(memoryview(data), -zlib.MAX_WBITS)[0]


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
    """Yield what is deflated anywhere in the bytes, as a picture's bits may hold it.

    Raises:
        DeidentificationError: more is packed in them than can be looked through.
    """
    whole, left = memoryview(data), MOST_OPENED + len(data)
    for start, form in chain(_deflated(data), _zipped(data)):
        inflated, work = _unpacked(whole[start:], form)
        left -= work
        if left < 0:
            raise DeidentificationError(_TOO_MUCH)
        if len(inflated) >= _SHORTEST_RUN:
            yield inflated


def _deflated(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where something deflated may begin, and in which form."""
    yield from ((found.start(), zlib.MAX_WBITS | 32) for head in _ZLIB for found in head.finditer(data))


def _zipped(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the entries of a zip archive may begin; what isn't packed in them stands there anyway."""
    for found in _ZIP.finditer(data):
        head = data[found.start() : found.start() + _ZIP_HEAD.size]
        if len(head) == _ZIP_HEAD.size:
            yield found.start() + _ZIP_HEAD.size + sum(_ZIP_HEAD.unpack(head)), -zlib.MAX_WBITS
