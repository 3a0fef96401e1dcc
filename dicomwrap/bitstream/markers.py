"""Take a JPEG stream apart into pieces, without decoding it.

Knows ITU-T T.81 Annex B: markers, segment lengths, frame and scan headers, byte stuffing, restart markers, fill bytes.
Must not know DICOM, files or pixels. Works on any bytes in linear time: the answer is a ``Stream`` or our own error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, NamedTuple

from dicomwrap.bitstream.tables import check_baseline_scan, check_table
from dicomwrap.errors import (
    DamagedPhotographError,
    NotAPhotographError,
    TruncatedPhotographError,
    UnsupportedPhotographError,
)

SCAN_DATA: Final = 0x00
SOF0: Final = 0xC0
SOF1: Final = 0xC1
DHT: Final = 0xC4
DAC: Final = 0xCC
SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
DQT: Final = 0xDB
DNL: Final = 0xDC
DRI: Final = 0xDD
APP0: Final = 0xE0
APP1: Final = 0xE1
APP2: Final = 0xE2
APP14: Final = 0xEE
COM: Final = 0xFE
APPLICATION_MARKERS: Final = range(0xE0, 0xF0)
MOST_PIECES: Final = 10_000  # a photograph has a few dozen
FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
_TABLE_MARKERS: Final = frozenset({DHT, DAC, DQT, DRI, COM, *APPLICATION_MARKERS})
_HIERARCHICAL: Final = frozenset({0xDE, 0xDF})

# Where entropy-coded data end: an FF that no stuffed zero, restart marker or other FF follows (T.81 B.1.1.5).
# The pattern begins with one fixed byte, so the search runs at the speed of memory.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_AFTER_SCAN_WITHOUT_RESTARTS: Final = re.compile(rb"\xff[^\x00\xff]")
_FILL: Final = re.compile(rb"\xff++")


@unique
class ColourModel(StrEnum):
    """What the components of a stream are, as decoders infer it."""

    GREY = "grey"
    YCBCR = "YCbCr"
    RGB = "RGB"
    OTHER = "other"


class Piece(NamedTuple):
    """One stretch of the stream: a marker with its segment, or a scan's data (``marker`` is ``SCAN_DATA``).

    ``start`` includes fill bytes before the marker; the segment's content is ``body`` to ``end``.
    """

    marker: int
    start: int
    body: int
    end: int

    @property
    def name(self) -> str:
        """The marker's name when it can hide things: APPn or COM."""
        return "COM" if self.marker == COM else f"APP{self.marker - APP0}"


class Component(NamedTuple):
    """One component of the frame: its identifier, sampling factors and quantisation table."""

    id: int
    horizontal: int
    vertical: int
    table: int


class Frame(NamedTuple):
    """A frame header (T.81 B.2.2). ``marker`` tells the coding process."""

    marker: int
    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream taken apart. ``pieces`` lie end to end from SOI to the first EOI; what follows is ``trailer``."""

    data: bytes
    pieces: tuple[Piece, ...]
    frame: Frame
    scanned: frozenset[int]

    @property
    def end(self) -> int:
        """Offset of the first byte after the first EOI."""
        return self.pieces[-1].end

    @property
    def trailer(self) -> bytes:
        """The bytes after the first EOI."""
        return self.data[self.end :]

    def buffers(self) -> tuple[memoryview, ...]:
        """Return the bytes of all pieces, in stretches that lie together; nothing is copied."""
        view, found = memoryview(self.data), list[memoryview]()
        start = end = self.pieces[0].start
        for piece in self.pieces:
            if piece.start != end:
                found.append(view[start:end])
                start = piece.start
            end = piece.end
        return (*found, view[start:end])

    def body(self, piece: Piece) -> bytes:
        """Return the content of a piece, without marker and length."""
        return self.data[piece.body : piece.end]

    def bodies(self, marker: int) -> tuple[bytes, ...]:
        """Return the contents of all segments with this marker."""
        return tuple(self.body(piece) for piece in self.pieces if piece.marker == marker)

    @property
    def colour(self) -> ColourModel:
        """What the components are, by the rules of libjpeg, which viewers share: JFIF, then Adobe, then identifiers."""
        if len(self.frame.components) == 1:
            return ColourModel.GREY
        if len(self.frame.components) != 3:
            return ColourModel.OTHER
        header = self._before_first_scan()
        if any(p.marker == APP0 and is_jfif(self.body(p)) for p in header):
            return ColourModel.YCBCR
        adobe = [self.body(p)[11] for p in header if p.marker == APP14 and claims_adobe(self.body(p))]
        if adobe:
            return ColourModel.RGB if adobe[-1] == 0 else ColourModel.YCBCR
        named_rgb = bytes(component.id for component in self.frame.components) == b"RGB"
        return ColourModel.RGB if named_rgb else ColourModel.YCBCR

    def _before_first_scan(self) -> tuple[Piece, ...]:
        first = next(index for index, piece in enumerate(self.pieces) if piece.marker == SOS)
        return self.pieces[:first]


def is_jfif(body: bytes) -> bool:
    """Tell whether an APP0 segment is one that decoders take for JFIF."""
    return len(body) >= 14 and body.startswith(b"JFIF\0")


def claims_adobe(body: bytes) -> bool:
    """Tell whether an APP14 segment is one that decoders take for Adobe's."""
    return len(body) >= 12 and body.startswith(b"Adobe")


def parse(data: bytes) -> Stream:
    """Take a JPEG stream apart.

    Raises:
        NotAPhotographError: the first bytes are no start-of-image marker.
        TruncatedPhotographError: it ends before the end-of-image marker.
        DamagedPhotographError: bytes that belong to no segment, or a segment that breaks T.81.
        UnsupportedPhotographError: a hierarchical stream, or one that tells its height after the scan.
    """
    if not data.startswith(b"\xff\xd8"):
        raise NotAPhotographError("The file doesn't begin as a JPEG does")
    return _Parser(data).stream()


class _Parser:
    """A cursor over one stream and what it has met so far."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pieces = [Piece(marker=SOI, start=0, body=2, end=2)]
        self.frame: Frame | None = None
        self.scanned: set[int] = set()
        self.restarts = False

    def stream(self) -> Stream:
        """Return the whole stream taken apart."""
        while self.pieces[-1].marker != EOI:
            self._next()
            if len(self.pieces) > MOST_PIECES:
                raise DamagedPhotographError(f"The JPEG has more than {MOST_PIECES} segments")
        if self.frame is None or not self.scanned:
            raise TruncatedPhotographError("The JPEG ends before its picture begins")
        return Stream(data=self.data, pieces=tuple(self.pieces), frame=self.frame, scanned=frozenset(self.scanned))

    def head(self) -> Stream:
        """Return the stream up to its first scan's header."""
        while not self.scanned:
            self._next()
            if self.pieces[-1].marker == EOI:
                raise TruncatedPhotographError("The JPEG ends before its picture begins")
        if self.frame is None:  # pragma: no cover - a scan without a frame was refused
            raise DamagedPhotographError("The JPEG has a scan before its frame header")
        head = tuple(piece for piece in self.pieces if piece.marker != SCAN_DATA)
        return Stream(data=self.data, pieces=head, frame=self.frame, scanned=frozenset(self.scanned))

    def _next(self) -> None:
        piece = self._piece_at(self.pieces[-1].end)
        if piece.marker in FRAME_MARKERS:
            self._enter_frame(piece)
        elif piece.marker not in APPLICATION_MARKERS:
            body = self.data[piece.body : piece.end]
            check_table(piece.marker, body)
            if piece.marker == DRI:
                self.restarts = body != b"\0\0"
        self.pieces.append(piece)
        if piece.marker == SOS:
            self._enter_scan(piece)

    def _piece_at(self, start: int) -> Piece:
        if start >= len(self.data):
            raise TruncatedPhotographError("The JPEG ends before its end-of-image marker")
        fill = _FILL.match(self.data, start)
        if fill is None:
            raise DamagedPhotographError(f"The JPEG has stray bytes at offset {start}, where a marker should be")
        if fill.end() == len(self.data):
            raise TruncatedPhotographError("The JPEG ends within a marker")
        marker, body = self.data[fill.end()], fill.end() + 1
        if marker == EOI:
            return Piece(marker=EOI, start=start, body=body, end=body)
        _refuse_unknown(marker, start)
        return Piece(marker=marker, start=start, body=body + 2, end=self._segment_end(marker, body))

    def _segment_end(self, marker: int, at: int) -> int:
        length = int.from_bytes(self.data[at : at + 2], "big")
        if at + 2 > len(self.data) or at + length > len(self.data):
            raise TruncatedPhotographError(f"The JPEG ends within its segment FF{marker:02X}")
        if length < 2:
            raise DamagedPhotographError(f"The JPEG's segment FF{marker:02X} at offset {at} has no valid length")
        return at + length

    def _enter_frame(self, piece: Piece) -> None:
        if self.frame is not None:
            raise DamagedPhotographError("The JPEG has two frame headers")
        self.frame = _frame(piece.marker, self.data[piece.body : piece.end])

    def _enter_scan(self, piece: Piece) -> None:
        if self.frame is None:
            raise DamagedPhotographError("The JPEG has a scan before its frame header")
        body = self.data[piece.body : piece.end]
        components = _scan_components(body, self.frame)
        if self.frame.marker in (SOF0, SOF1):
            check_baseline_scan(body)
            if components & self.scanned:
                raise DamagedPhotographError("The JPEG has two scans of one colour component")
        self.scanned |= components
        end = self._scan_end(piece.end)
        self.pieces.append(Piece(marker=SCAN_DATA, start=piece.end, body=piece.end, end=end))

    def _scan_end(self, start: int) -> int:
        pattern = _AFTER_SCAN if self.restarts else _AFTER_SCAN_WITHOUT_RESTARTS
        match = pattern.search(self.data, start)
        end = len(self.data) if match is None else match.start()
        while end > start and self.data[end - 1] == 0xFF:
            end -= 1  # fill bytes belong to the marker that follows
        return end


def parse_head(data: bytes) -> Stream:
    """Take a stream apart up to its first scan's header; what follows may be cut off.

    Raises:
        DicomwrapError: the bytes end before that header, or are no JPEG stream.
    """
    if not data.startswith(b"\xff\xd8"):
        raise NotAPhotographError("The file doesn't begin as a JPEG does")
    return _Parser(data).head()


def _refuse_unknown(marker: int, at: int) -> None:
    if marker == DNL:
        raise UnsupportedPhotographError("The JPEG tells its height only after the scan (DNL marker)")
    if marker in _HIERARCHICAL:
        raise UnsupportedPhotographError("The JPEG is hierarchical")
    if marker != SOS and marker not in _TABLE_MARKERS and marker not in FRAME_MARKERS:
        raise DamagedPhotographError(f"The JPEG has a marker FF{marker:02X} at offset {at} that doesn't belong there")


def _frame(marker: int, body: bytes) -> Frame:
    """Read a frame header (T.81 B.2.2)."""
    if len(body) < 6 or len(body) != 6 + 3 * body[5] or not body[5]:
        raise DamagedPhotographError("The JPEG's frame header has the wrong length")
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if rows == 0:
        raise UnsupportedPhotographError("The JPEG doesn't tell its height in the frame header")
    if columns == 0:
        raise DamagedPhotographError("The JPEG says that it is no pixel wide")
    components = tuple(_component(body[at : at + 3]) for at in range(6, len(body), 3))
    if len({component.id for component in components}) != len(components):
        raise DamagedPhotographError("Two components of the JPEG share an identifier")
    return Frame(marker=marker, precision=body[0], rows=rows, columns=columns, components=components)


def _component(entry: bytes) -> Component:
    horizontal, vertical = divmod(entry[1], 16)
    if not (1 <= horizontal <= 4 and 1 <= vertical <= 4):
        raise DamagedPhotographError("The JPEG has a sampling factor outside 1 to 4")
    return Component(id=entry[0], horizontal=horizontal, vertical=vertical, table=entry[2])


def _scan_components(body: bytes, frame: Frame) -> frozenset[int]:
    """Read which components a scan carries (T.81 B.2.3)."""
    if not body or not 1 <= body[0] <= 4 or len(body) != 4 + 2 * body[0]:
        raise DamagedPhotographError("A scan header of the JPEG has the wrong length")
    named = frozenset(body[1 : 1 + 2 * body[0] : 2])
    if not named <= {component.id for component in frame.components}:
        raise DamagedPhotographError("A scan of the JPEG names a component that the frame doesn't have")
    return named
