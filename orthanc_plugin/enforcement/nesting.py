"""How deep an object's sequences lie in each other, found out without reading deeper than is allowed.

Knows the encoding of elements and items (PS3.5 section 7), and walks it with a list of its own in place of recursion:
some fifty levels sent by HTTP end Orthanc, whose HTTP threads have a stack of 100 KiB. Must not know what elements
mean. It is strict, because what it let pass by reading an object otherwise than Orthanc does would end Orthanc all the
same: what it can't follow is refused. No image object of PS3.3 needs more than a handful of levels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_VR
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from orthanc_plugin.errors import ConsentgateError

DEEPEST: Final = 16
MOST_ELEMENTS: Final = 200_000
PREAMBLE: Final = 128
UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = (0xFFFE, 0xE000)
ITEM_END: Final = (0xFFFE, 0xE00D)
SEQUENCE_END: Final = (0xFFFE, 0xE0DD)
PIXEL_DATA: Final = (0x7FE0, 0x0010)
TRANSFER_SYNTAX: Final = (0x0002, 0x0010)
META_LENGTH: Final = (0x0002, 0x0000)
# Value representations by the size of their length (PS3.5 table 7.1-1 and 7.1-2).
LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT: Final = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())

Tag = tuple[int, int]


class Place(NamedTuple):
    """An element that lies in no other: its tag, where its value begins, its VR ('' implicit) and its length."""

    tag: int
    start: int
    vr: bytes
    length: int


class Walked(NamedTuple):
    """What a walk found: the elements of the file meta information, and those of the top level."""

    meta: list[Place]
    top: list[Place]


class _Numbers(NamedTuple):
    """How numbers are read in one byte order; made once, because every element has some."""

    tag: Callable[[bytes | mmap, int], tuple[int, int]]
    short: Callable[[bytes | mmap, int], tuple[int]]
    long: Callable[[bytes | mmap, int], tuple[int]]
    item: bytes


def _numbers(order: str) -> _Numbers:
    tag, short, long = (struct.Struct(f"{order}{kind}").unpack_from for kind in ("HH", "H", "I"))
    return _Numbers(tag=tag, short=short, long=long, item=struct.pack(f"{order}HH", *ITEM))


LITTLE, BIG = _numbers("<"), _numbers(">")
PLAIN: Final = struct.Struct("<HH2sH").unpack_from  # an explicit element with a short length


class StructureError(ConsentgateError):
    """The object's structure is one that is not let near a parser that recurses."""

    remedy = "Keep the original; have its maker say why it is built so, and send it without those sequences."


@dataclass(slots=True)
class _Level:
    """An item, a sequence or encapsulated pixels that is being walked through; ``end`` is where it ends at the latest.

    ``delimited``: it ends with a delimiter, not at ``end``.
    """

    end: int
    implicit: bool
    order: _Numbers
    holds_items: bool = False
    fragments: bool = False
    delimited: bool = False


class _Header(NamedTuple):
    tag: Tag
    vr: bytes
    length: int
    start: int

    @property
    def place(self) -> Place:
        """Return where it is."""
        return Place(self.tag[0] << 16 | self.tag[1], self.start, self.vr, self.length)


def require_shallow(content: bytes | mmap, start: int = 0, end: int | None = None) -> None:
    """Walk through the DICOM file in ``content[start:end]``.

    Raises:
        StructureError: its sequences lie too deep in each other, it has too many elements, or it can't be followed.
    """
    _walked(content, start, len(content) if end is None else end)


def places(content: bytes) -> Walked:
    """Walk through the DICOM file, and say where the elements are that lie in no other.

    Raises:
        StructureError: the same, or one of them is there twice or out of order (PS3.5 section 7.1).
    """
    walk = _walked(content, 0, len(content))
    tags = [place.tag for place in walk.top]
    if tags != sorted(set(tags)):
        raise StructureError("An element is there twice or out of order.")
    return Walked(walk.meta, walk.top)


def _walked(content: bytes | mmap, start: int, end: int) -> _Walk:
    walk = _Walk(content, start, end)
    try:
        walk.whole()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise StructureError("The object's elements can't be followed to its end.") from error
    return walk


class _Walk:
    """One walk; ``at`` is how far it has come."""

    def __init__(self, content: bytes | mmap, start: int, end: int) -> None:
        self.content = content
        self.at = start
        self.end = end
        self.levels: list[_Level] = []
        self.meta: list[Place] = []
        self.top: list[Place] = []
        self.depth = 0
        self.elements = 0

    def whole(self) -> None:
        """Walk through the file meta information, then the data set."""
        self.at += PREAMBLE
        if self.at + 4 > self.end or self.content[self.at : self.at + 4] != b"DICM":
            raise StructureError("The object does not begin as a DICOM file does.")
        self.at += 4
        syntax = self._meta()
        implicit, order = syntax == ImplicitVRLittleEndian, BIG if syntax == ExplicitVRBigEndian else LITTLE
        if not syntax or syntax == DeflatedExplicitVRLittleEndian:
            raise StructureError("An object that is deflated, or doesn't say how it is encoded, can't be checked.")
        self.levels = [_Level(self.end, implicit, order)]
        while self.levels:
            if not self.levels[-1].implicit and order is LITTLE:
                self._plain(self.levels[-1])
            self._step(self.levels[-1])

    def _plain(self, level: _Level) -> None:
        """Go over the elements that come next and plainly hold nothing else; whatever is unusual is left to a step."""
        if level.holds_items or level.fragments:
            return
        content, at, end, top = self.content, self.at, level.end, len(self.levels) == 1
        while at + 8 <= end and self.elements < MOST_ELEMENTS:
            group, element, vr, length = PLAIN(content, at)
            if vr not in SHORT or group == ITEM[0] or at + 8 + length > end:
                break
            if top:
                self.top.append(Place(group << 16 | element, at + 8, vr, length))
            self.elements += 1
            at += 8 + length
        self.at = at

    def _meta(self) -> str:
        """Return the transfer syntax; the meta information must end where it says."""
        says, syntax, level = -1, "", _Level(self.end, implicit=False, order=LITTLE)
        while self.at + 2 <= self.end and LITTLE.short(self.content, self.at)[0] == META_LENGTH[0]:
            header = self._header(level, LITTLE.tag(self.content, self.at))
            if header.vr == b"SQ" or header.length == UNDEFINED:
                raise StructureError("The file meta information has a sequence.")
            value = self._value(header, level)
            self.meta.append(header.place)
            if header.tag == META_LENGTH:
                if header.vr != b"UL":
                    raise StructureError("The file meta information says its length in something else than a number.")
                says = struct.unpack("<I", value)[0] + self.at
            elif header.tag == TRANSFER_SYNTAX:
                syntax = value.rstrip(b"\0 ").decode("ascii")
        if says != self.at:
            raise StructureError("The file meta information does not end where it says.")
        return syntax

    def _step(self, level: _Level) -> None:
        """Go on by one element, one item or one end."""
        if self.at == level.end:
            if level.delimited:
                raise StructureError("An item or a sequence does not end inside what holds it.")
            self._leave()
            return
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise StructureError(f"The object has more than {MOST_ELEMENTS} elements.")
        tag = level.order.tag(self.content, self.at)
        if tag[0] == ITEM[0]:
            self._item(level, tag)
        elif level.holds_items or level.fragments:
            raise StructureError("A sequence holds something else than items.")
        else:
            self._element(level, tag)

    def _item(self, level: _Level, tag: Tag) -> None:
        """Go into an item, over a fragment, or out of what a delimiter ends."""
        (length,) = level.order.long(self.content, self.at + 4)
        self.at += 8
        if tag == ITEM and level.fragments:
            self._over(level, length)
        elif tag == ITEM and level.holds_items:
            self._enter(level, length, implicit=level.implicit, order=level.order)
        elif level.delimited and tag == (SEQUENCE_END if level.holds_items or level.fragments else ITEM_END):
            self._leave()
        else:
            raise StructureError("An item or a delimiter is where none can be.")

    def _element(self, level: _Level, tag: Tag) -> None:
        """Go into a sequence, or over a value."""
        header = self._header(level, tag)
        if len(self.levels) == 1:
            self.top.append(header.place)
        if header.vr in SHORT:  # most are, and none of them holds anything else
            self._over(level, header.length)
        elif header.length == UNDEFINED and header.tag == PIXEL_DATA and header.vr in (b"OB", b"OW", b""):
            self._enter(level, UNDEFINED, implicit=level.implicit, order=level.order, fragments=True)
        elif header.vr == b"SQ" or self._hides_a_sequence(header, level):
            unknown = header.vr == b"UN"  # PS3.5 section 6.2.2: what is in it is implicit VR little endian
            order = LITTLE if unknown else level.order
            self._enter(level, header.length, implicit=unknown or level.implicit, order=order, holds_items=True)
        else:
            self._over(level, header.length)

    def _hides_a_sequence(self, header: _Header, level: _Level) -> bool:
        """Tell whether a parser could take the value for a sequence though the element doesn't say so."""
        if header.vr not in (b"", b"UN") or (header.tag == PIXEL_DATA and header.vr == b""):
            return False
        if header.length == UNDEFINED:
            return True
        order = LITTLE if header.vr == b"UN" else level.order
        begins = self.content[header.start : header.start + min(4, header.length)]
        return begins == order.item

    def _header(self, level: _Level, tag: Tag) -> _Header:
        """Read an element's header, and stand at its value; an implicit one has no VR but where it is a sequence."""
        content, at, order = self.content, self.at, level.order
        if level.implicit:
            (length,), vr, size = order.long(content, at + 4), _implicit(tag), 8
        else:
            vr = content[at + 4 : at + 6]
            if vr in SHORT:
                (length,), size = order.short(content, at + 6), 8
            elif vr in LONG:
                (length,), size = order.long(content, at + 8), 12
            else:
                raise StructureError("An element has a value representation that DICOM doesn't know.")
        self.at = at + size
        return _Header(tag, vr, length, self.at)

    def _value(self, header: _Header, level: _Level) -> bytes:
        self._over(level, header.length)
        return bytes(self.content[header.start : self.at])

    def _over(self, level: _Level, length: int) -> None:
        if length > level.end - self.at:
            raise StructureError("An element is longer than what holds it.")
        self.at += length

    def _enter(
        self,
        level: _Level,
        length: int,
        *,
        implicit: bool,
        order: _Numbers,
        holds_items: bool = False,
        fragments: bool = False,
    ) -> None:
        delimited = length == UNDEFINED
        if not delimited and length > level.end - self.at:
            raise StructureError("A sequence or an item is longer than what holds it.")
        self.depth += holds_items
        if self.depth > DEEPEST:
            raise StructureError(f"Its sequences lie in each other more than {DEEPEST} deep.")
        end = level.end if delimited else self.at + length
        self.levels.append(_Level(end, implicit, order, holds_items, fragments, delimited))

    def _leave(self) -> None:
        self.depth -= self.levels.pop().holds_items


def _implicit(tag: Tag) -> bytes:
    """Return SQ for what the dictionary knows as a sequence, else nothing."""
    try:
        return b"SQ" if dictionary_VR(tag) == "SQ" else b""
    except KeyError:
        return b""
