"""Turn elements into the bytes of a PS3.10 file, and look at the start of such a file again.

Knows Explicit VR Little Endian (PS3.5 section 7.1.2), the file meta information (PS3.10 section 7.1) and encapsulation
(PS3.5 section A.4). Must not know what the elements mean. Reads only what it wrote; strangers' files are for pydicom.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dicomwrap.elements import DICTIONARY, Elements, Scalar, Value

PREAMBLE: Final = bytes(128) + b"DICM"
_LONG: Final = frozenset({b"OB", b"OW", b"SQ", b"UT", b"UN"})
_VRS: Final = frozenset({*_LONG, *(vr.encode() for _, vr in DICTIONARY.values()), b"CS", b"LO", b"DT"})
_SHORT_HEAD: Final = struct.Struct("<HH2sH")
_LENGTH: Final = struct.Struct("<I")
_ITEM: Final = 0xFFFEE000
_SEQUENCE_END: Final = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_PIXEL_DATA: Final = 0x7FE00010
_UNDEFINED: Final = 0xFFFFFFFF
_DS_LENGTH: Final = 16
_DS_SIGNS: Final = frozenset("0123456789+-.eE")
Piece = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Part10:
    """One object, ready to be written.

    Attributes:
        meta: the file meta information, without its group length.
        elements: the data set without PixelData.
        frame: the value of PixelData in pieces; empty for an object without pixels.
        encapsulated: whether the frame is one compressed stream.
    """

    meta: Elements
    elements: Elements
    frame: tuple[Piece, ...] = ()
    encapsulated: bool = True

    def pieces(self) -> tuple[Piece, ...]:
        """Return the file, in pieces that follow one another.

        Raises:
            ValueError: a value that its VR can't hold, or an element after PixelData.
        """
        body = encode(self.elements)
        return (_head(self.meta) + body + self._before_frame(), *self.frame, self._after_frame())

    @property
    def _length(self) -> int:
        return sum(len(piece) for piece in self.frame)

    def _before_frame(self) -> bytes:
        if not self.frame:
            return b""
        if not self.encapsulated:
            return _element_head(_PIXEL_DATA, "OB", self._length + self._length % 2)
        # all frames have an offset or none has (PS3.5 section A.4)
        several = int(str(self.elements.get("NumberOfFrames", 1))) > 1
        offsets = _item_head(0) if several else _item_head(4) + struct.pack("<I", 0)
        return _element_head(_PIXEL_DATA, "OB", _UNDEFINED) + offsets + _item_head(self._length + self._length % 2)

    def _after_frame(self) -> bytes:
        padding = b"\0" if self._length % 2 else b""
        return padding + (_SEQUENCE_END if self.frame and self.encapsulated else b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What the first bytes of a written file say.

    Attributes:
        values: raw values by tag, top level only; sequences as their bytes.
        pixels_at: where the frame begins in the file; None when there are no pixels, or they begin later.
    """

    values: Mapping[int, bytes]
    pixels_at: int | None


def encode(elements: Elements) -> bytes:
    """Return a data set in Explicit VR Little Endian, by ascending tag.

    Raises:
        ValueError: a value that its VR can't hold.
    """
    return b"".join([body for _, body in sorted([_element(*element) for element in elements.items()])])


def decimal(number: float) -> str:
    """Return a number as DS has it, in at most 16 bytes (PS3.5 section 6.2)."""
    if not math.isfinite(number):
        raise ValueError("a number without a value")
    for digits in range(17, 0, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= _DS_LENGTH:
            return text
    raise ValueError(f"{number} has no decimal string")  # pragma: no cover - one digit always fits


def read_beginning(data: bytes) -> Beginning:
    """Read back the start of a file that this module wrote, up to PixelData or the end of ``data``.

    Raises:
        ValueError: it isn't such a file.
    """
    if data[:132] != PREAMBLE:
        raise ValueError("no PS3.10 file")
    values: dict[int, bytes] = {}
    at = len(PREAMBLE)
    try:
        while at < len(data):
            group, element, vr, length = _SHORT_HEAD.unpack_from(data, at)
            tag, at = group << 16 | element, at + 8
            if vr not in _VRS:
                raise ValueError("an element without a value representation")
            if vr in _LONG:
                (length,) = _LENGTH.unpack_from(data, at)
                at += 4
            if tag == _PIXEL_DATA:
                table = int.from_bytes(data[at + 4 : at + 8], "little")
                return Beginning(values=values, pixels_at=at + (16 + table if length == _UNDEFINED else 0))
            values[tag] = data[at : at + length]
            at += length
    except struct.error as error:
        raise ValueError("the file's header ends too early") from error
    return Beginning(values=values, pixels_at=None)


def first_uid(data: bytes) -> str:
    """Return MediaStorageSOPInstanceUID out of the first bytes of a file that this module wrote; "" if it is none."""
    at = data.find(struct.pack("<HH2s", 2, 3, b"UI"), len(PREAMBLE)) if data[: len(PREAMBLE)] == PREAMBLE else -1
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    return data[at + 8 : at + 8 + length].rstrip(b"\0").decode("ascii", "replace") if at >= 0 else ""


def _head(meta: Elements) -> bytes:
    version = _element_head(0x00020001, "OB", 2) + b"\0\1"
    body = version + encode(meta)
    return PREAMBLE + _element_head(0x00020000, "UL", 4) + _LENGTH.pack(len(body)) + body


_META: Final[dict[str, tuple[int, str]]] = {
    "MediaStorageSOPClassUID": (0x00020002, "UI"),
    "MediaStorageSOPInstanceUID": (0x00020003, "UI"),
    "TransferSyntaxUID": (0x00020010, "UI"),
    "ImplementationClassUID": (0x00020012, "UI"),
    "ImplementationVersionName": (0x00020013, "SH"),
}


def _element(keyword: str, value: Value) -> tuple[int, bytes]:
    """Return an element's tag and its bytes."""
    if isinstance(value, list):
        return _whole(keyword, b"".join([_item(item) for item in value]))
    if isinstance(value, bytes):
        return _whole(keyword, _padded(value, b"\0"))
    return _text_element(keyword, value)


# The photographs of a batch share most of their values; an encoded element is small.
@lru_cache(maxsize=4096)
def _text_element(keyword: str, value: str | float | tuple[Scalar, ...]) -> tuple[int, bytes]:
    return _whole(keyword, _body(_tag(keyword)[1], value))


def _whole(keyword: str, body: bytes) -> tuple[int, bytes]:
    tag, vr = _tag(keyword)
    return tag, _element_head(tag, vr, len(body)) + body


def _tag(keyword: str) -> tuple[int, str]:
    known = DICTIONARY.get(keyword) or _META.get(keyword)
    return known if known is not None else (int(keyword[:8], 16), keyword[8:])


def _element_head(tag: int, vr: str, length: int) -> bytes:
    coded = vr.encode()
    if coded in _LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, coded, 0, length)
    if length > 0xFFFF:
        raise ValueError(f"the value of ({tag >> 16:04X},{tag & 0xFFFF:04X}) is too long")
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, coded, length)


def _item(item: Scalar | Elements) -> bytes:
    if not isinstance(item, Elements):
        raise ValueError("an item of a sequence is no data set")
    body = encode(item)
    return _item_head(len(body)) + body


def _item_head(length: int) -> bytes:
    return struct.pack("<HHI", _ITEM >> 16, _ITEM & 0xFFFF, length)


def _body(vr: str, value: Value) -> bytes:
    values = value if isinstance(value, tuple) else (value,)
    match vr:
        case "US":
            return b"".join(struct.pack("<H", each) for each in values)
        case "UL":
            return b"".join(struct.pack("<I", each) for each in values)
        case "AT":
            return b"".join(struct.pack("<HH", int(each) >> 16, int(each) & 0xFFFF) for each in values)  # type: ignore[arg-type]
        case "UI":
            return _padded("\\".join(str(each) for each in values).encode(), b"\0")
        case "DS":
            return _padded("\\".join(_decimal(each) for each in values).encode(), b" ")
        case _:
            return _padded("\\".join(str(each) for each in values).encode(), b" ")


def _decimal(value: object) -> str:
    if not isinstance(value, str):
        return decimal(float(value))  # type: ignore[arg-type]
    if len(value) > _DS_LENGTH or not set(value) <= _DS_SIGNS:
        raise ValueError("a value of DS is no number")
    return value if not value or math.isfinite(float(value)) else decimal(math.nan)


def _padded(body: bytes, padding: bytes) -> bytes:
    return body + padding if len(body) % 2 else body
