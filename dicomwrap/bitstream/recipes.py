"""How a JPEG stream that was written anew comes out of the one it was made of, so that it is made only once.

Knows ITU-T T.81 Annex B. Where the scan that ``jpegtran`` wrote is, bit for bit, the scan that it had read, nothing can
be hidden in it: every bit follows from the coefficients. Then the new stream is its own head, that scan and the marker
that ends it, and whoever has the same stream again need not have it written anew. Must not know who remembers that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from dicomwrap.bitstream.markers import DHT, DRI, SCAN_DATA, Stream, parse, parse_head
from dicomwrap.errors import DicomwrapError

# Raised whenever the same stream would come out otherwise: other arguments for jpegtran, stricter cleaning of markers.
EDITION: Final = 1
LONGEST_HEAD: Final = 4096  # four tables of each kind, a frame header and a scan's, Adobe's segment
OPTIMISED: Final = ("-optimize",)
SEQUENTIAL: Final = frozenset({0xC0, 0xC1})  # with Huffman codes, by their frame headers
_END: Final = b"\xff\xd9"
_STANDARD: Final = {0: 12, 1: 162}  # symbols in the tables of T.81 K.3, of differences and of the others


class Recipe(NamedTuple):
    """How to make a stream: the bytes before its scan, and where in the one it is made of that scan lies."""

    head: bytes
    start: int
    end: int

    def followed(self, stream: bytes) -> bytes:
        """Return the stream that is made of this one."""
        return b"".join((self.head, memoryview(stream)[self.start : self.end], _END))


class Recipes(Protocol):
    """Where recipes are kept, each under the SHA-256 of the stream that it is for."""

    def of(self, sha256: str) -> Recipe | None:
        """Return the recipe for a stream, exactly as it was kept; None when there is none."""

    def keep(self, sha256: str, recipe: Recipe) -> None:
        """Keep a recipe, if it can be kept."""


def recipe(stream: bytes, written: bytes) -> Recipe | None:
    """Return how ``written`` is made of ``stream``; None where their scans differ, or there are several.

    Raises:
        DicomwrapError: one of the two is no complete JPEG stream.
    """
    before, after = ([each for each in parse(data).pieces if each.marker == SCAN_DATA] for data in (stream, written))
    if len(before) != 1 or len(after) != 1:
        return None
    found = Recipe(head=written[: after[0].body], start=before[0].body, end=before[0].end)
    return found if len(found.head) <= LONGEST_HEAD and found.followed(stream) == written else None


def way(stream: bytes) -> tuple[str, ...]:
    """Return jpegtran's options with which the scan most likely stays as it is, whatever else the stream has.

    It writes the codes of T.81 K.3, or those that fit the picture best. A camera does the one or the other. It makes
    one scan without restarts, so where there are others the codes that take longer would be for nothing.
    """
    try:
        head = parse_head(stream)
        tables = dict(_tables(head))
    except (DicomwrapError, IndexError):
        return ()  # jpegtran says what is wrong with it
    if head.frame.marker not in SEQUENTIAL or any(map(any, head.bodies(DRI))):
        return ()
    return () if all(symbols == _STANDARD.get(kind) for (kind, _), symbols in tables.items()) else OPTIMISED


def _tables(stream: Stream) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield kind and number of each Huffman table, and how many symbols it has."""
    for body in stream.bodies(DHT):
        at = 0
        while at < len(body):
            symbols = sum(body[at + 1 : at + 17])
            yield divmod(body[at], 16), symbols
            at += 17 + symbols
