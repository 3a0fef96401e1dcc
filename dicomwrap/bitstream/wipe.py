"""Blank rectangles of a baseline JPEG in its coefficients: every block outside them stays as the camera wrote it.

Knows that ``jpegtran -wipe`` blanks whole MCUs, one rectangle a call, and that with restart markers each row of MCUs
stands by itself (ITU-T T.81 E.1.4): the picture is written anew once, and then only the rows that a rectangle touches.
Must not know whose picture it is, nor why. Blank is mid-grey: all coefficients are zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from dicomwrap.bitstream.markers import SCAN_DATA, SOF0, SOF1, SOS, Frame, parse
from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.errors import DamagedPhotographError, UnsupportedPhotographError

BLOCK: Final = 8
BLANK: Final = 128
_BY_ROWS: Final = ("-restart", "1")
_RESTART: Final = re.compile(rb"\xff[\xd0-\xd7]")
_END: Final = b"\xff\xd9"


class Rectangle(NamedTuple):
    """A rectangle of pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height


def unit(frame: Frame) -> tuple[int, int]:
    """Return width and height of what can be blanked at once: an MCU.

    Raises:
        UnsupportedPhotographError: a picture that can't be blanked without loss elsewhere.
    """
    if frame.marker not in (SOF0, SOF1) or frame.precision != BLOCK or len(frame.components) not in (1, 3):
        raise UnsupportedPhotographError("Only a baseline JPEG of 8 bits, grey or colour, can be blanked in parts")
    if len(frame.components) == 1:
        return BLOCK, BLOCK
    across = max(component.horizontal for component in frame.components)
    down = max(component.vertical for component in frame.components)
    return BLOCK * across, BLOCK * down


def wiped(stream: bytes, rectangles: Sequence[Rectangle]) -> bytes:
    """Return the stream written anew, cleaned, and blank in rectangles of whole MCUs within the picture.

    Raises:
        DicomwrapError: it can't be read to its end without a complaint, isn't a baseline JPEG, or jpegtran is missing.
    """
    frame = parse(stream).frame
    _, height = unit(frame)
    tallest = max(rectangles, key=lambda each: each.height, default=None)  # most rows: blanked while all are written
    wipe = () if tallest is None else ("-wipe", _place(tallest, tallest.top))
    strips = _strips(rewritten(stream, *_BY_ROWS, *wipe))
    if len(strips.rows) != -(-frame.rows // height):
        raise DamagedPhotographError("The stream written anew hasn't the rows that its header tells")
    for rectangle in (each for each in rectangles if each is not tallest):
        strips = _without(strips, rectangle, height)
    return strips.stream()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strips:
    """A stream with one restart interval for each row of MCUs.

    Attributes:
        head: all up to the scan's data.
        tall: where in the head the height stands.
        rows: the data of each row of MCUs.
    """

    head: bytes
    tall: int
    rows: tuple[bytes, ...]

    def stream(self) -> bytes:
        """Return the stream."""
        marked = (bytes((0xFF, 0xD0 + number % 8)) + row for number, row in enumerate(self.rows[1:]))
        return b"".join((self.head, self.rows[0], *marked, _END))

    def part(self, first: int, after: int, height: int) -> _Strips:
        """Return some of the rows as a picture of their own."""
        head = self.head[: self.tall] + height.to_bytes(2, "big") + self.head[self.tall + 2 :]
        return replace(self, head=head, rows=self.rows[first:after])


def _strips(stream: bytes) -> _Strips:
    parsed = parse(stream)
    scans = [piece for piece in parsed.pieces if piece.marker == SCAN_DATA]
    header = next(piece for piece in parsed.pieces if piece.marker == parsed.frame.marker)
    if len(scans) != 1 or len([piece for piece in parsed.pieces if piece.marker == SOS]) != 1:
        raise UnsupportedPhotographError("The JPEG keeps its colours in scans of their own")
    rows = tuple(_RESTART.split(stream[scans[0].start : scans[0].end]))
    return _Strips(head=stream[: scans[0].start], tall=header.body + 1, rows=rows)


def _place(rectangle: Rectangle, top: int) -> str:
    return f"{rectangle.width}x{rectangle.height}+{rectangle.left}+{top}"


def _without(strips: _Strips, rectangle: Rectangle, height: int) -> _Strips:
    first, after = rectangle.top // height, -(-rectangle.bottom // height)
    whole = int.from_bytes(strips.head[strips.tall : strips.tall + 2], "big")
    part = strips.part(first, after, min(after * height, whole) - first * height)
    blank = _strips(rewritten(part.stream(), *_BY_ROWS, "-wipe", _place(rectangle, 0)))
    if blank.head != part.head or len(blank.rows) != after - first:
        raise DamagedPhotographError("A part of the stream could not be blanked")
    return replace(strips, rows=strips.rows[:first] + blank.rows + strips.rows[after:])
