"""Bytes within bytes: what a copy holds packed, in another writing or among a picture's bits, laid open to be searched.

Knows base64, hexadecimal digits, escapes, zlib, gzip, zip, bare deflate, UTF-16, DER, letters moved by thirteen, and
how text stands out in a coded picture. Must not know DICOM. Works on any bytes, with bounds on depth and size; a
strange byte is no error.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, MatchKind

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
_ZIP: Final = b"PK\x03\x04"
# What deflated bytes begin with: zlib (four levels), gzip, an entry of a zip. None begins where another goes on.
_HEADS: Final = BytesAhoCorasick(
    [b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b\x08", _ZIP],
    matchkind=MatchKind.LeftmostFirst,  # the kind that looks for all of them at the speed of memory
)
_ZIP_NUMBER: Final = 5
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
_RUNS: Final = BytesAhoCorasick([b"a" * _SHORTEST_RUN], matchkind=MatchKind.LeftmostFirst)
_EACH: Final = re.compile(rb"a*")
_WIDE: Final = b"nananan"
_WIDES: Final = BytesAhoCorasick([_WIDE], matchkind=MatchKind.LeftmostFirst)
_WINDOW: Final = 4096
_TWICE: Final = 512  # bytes that stand in two windows: nothing that is looked for is longer
_PIECE: Final = 1 << 16
_LONGEST_HEAD: Final = len(_WIDE)


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
            yield binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))
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
    return _unpacked(memoryview(data), -zlib.MAX_WBITS)[0] if _is_a_block(data) else b""


def _is_a_block(data: bytes) -> bool:
    """Tell whether the first bits can be those of a deflated block (RFC 1951 3.2.3): others say nothing at all."""
    match data[:1] and data[0] >> 1 & 3:
        case 0:  # stored: its length stands there twice, once inverted
            return len(data) >= 5 and data[1] ^ data[3] == data[2] ^ data[4] == 0xFF
        case 1:  # with codes that are always the same
            return True
        case 2:  # with codes of its own: no more than 286 and 30 are possible
            return len(data) >= 2 and data[0] >> 3 <= 29 and data[1] & 31 <= 29
    return False


def written(data: bytes) -> bytes:
    """Return what reads as text among a picture's bits, in stretches with zeros between them."""
    kinds = data.translate(_CLASSES)
    return b"\0".join((*_runs(data, kinds), *_wide(data, kinds)))


def _runs(data: bytes, kinds: bytes) -> Iterator[bytes]:
    end = 0
    for _, start in places_in(_RUNS, kinds):
        if start >= end:  # else the run before goes on
            end = _EACH.match(kinds, start).end()  # type: ignore[union-attr]  # a run begins here
            yield data[start:end]


def _wide(data: bytes, kinds: bytes) -> Iterator[bytes]:
    """Yield what could be UTF-16, without its zeros."""
    _, at = next(places_in(_WIDES, kinds), (0, -1))
    while at >= 0:
        yield data[max(at - 1, 0) : at + _WINDOW].replace(b"\0", b"")
        at = kinds.find(_WIDE, at + _WINDOW - _TWICE)


def places_in(heads: BytesAhoCorasick, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield which of the heads begin where; a piece at a time, so that many take no more memory than few."""
    view = memoryview(data)
    for at in range(0, len(data), _PIECE):
        for number, start, _ in heads.find_matches_as_indexes(view[at : at + _PIECE + _LONGEST_HEAD - 1]):
            if start < _PIECE:
                yield number, at + start


def packed(data: bytes) -> Iterator[bytes]:
    """Yield what is deflated anywhere in the bytes, as a picture's bits may hold it.

    Raises:
        DeidentificationError: more is packed in them than can be looked through.
    """
    whole, left = memoryview(data), MOST_OPENED + len(data)
    for start, form in _deflated(data):
        inflated, work = _unpacked(whole[start:], form)
        left -= work
        if left < 0:
            raise DeidentificationError(_TOO_MUCH)
        if len(inflated) >= _SHORTEST_RUN:
            yield inflated


def _deflated(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where something deflated may begin, and in which form; what isn't packed in a zip stands there anyway."""
    for number, start in places_in(_HEADS, data):
        if number != _ZIP_NUMBER:
            yield start, zlib.MAX_WBITS | 32
        elif len(head := data[start : start + _ZIP_HEAD.size]) == _ZIP_HEAD.size:
            yield start + _ZIP_HEAD.size + sum(_ZIP_HEAD.unpack(head)), -zlib.MAX_WBITS
