"""Read what an MP4 or QuickTime file says of its tracks.

Knows ISO/IEC 14496-12 and Apple's QuickTime File Format: movie, tracks, edit lists, sample descriptions. Must not know
codecs or what is fit for an object. Reads no names, places, owners or comments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomwrap.bitstream.boxes import Box, Bytes, at_path, boxes, inside, number
from dicomwrap.errors import DamagedFilmError, TruncatedPhotographError, UnsupportedFilmError

UPRIGHT: Final = (0x10000, 0, 0, 0, 0x10000, 0)
MOST_TRACKS: Final = 64
MOST_EDITS: Final = 1000
_VISUAL_ENTRY: Final = 78  # bytes of a visual sample entry before the boxes in it
_NORMAL_RATE: Final = 0x10000
# Still pictures and their like also begin with ftyp; their brands begin so (HEIF, AVIF, Canon raw).
_STILL: Final = (b"he", b"mi", b"ms", b"avif", b"avis", b"crx", b"jxl", b"jp2", b"jpx", b"jpm")
_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"pnot"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One entry of an edit list. ``empty`` shows nothing; ``plain`` is at normal speed."""

    empty: bool
    plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track.

    Attributes:
        id: its number within the file.
        handler: what it is: ``vide`` pictures, ``soun`` sound; others.
        codings: types of its sample descriptions.
        configuration: the decoder configuration record of H.264; empty for others.
        matrix: a, b, u, c, d, v of the transformation (section 6.2.2).
        edits: its edit list.
        samples: how many samples its index has; 0 for a film in fragments.
        square: its pixels are square, or it doesn't say.
        cropped: the container cuts something off the picture.
        elsewhere: its data lie in another file.
    """

    id: int
    handler: bytes
    codings: tuple[bytes, ...]
    configuration: bytes
    matrix: tuple[int, ...]
    edits: tuple[Edit, ...]
    samples: int
    square: bool
    cropped: bool
    elsewhere: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """A film's index. ``fragmented``: a part of it lies in movie fragments."""

    tracks: tuple[Track, ...]
    matrix: tuple[int, ...]
    fragmented: bool


def is_film(data: bytes) -> bool:
    """Tell whether the bytes begin as an MP4 or QuickTime film does, by brand or first box."""
    kind, brand = data[4:8], data[8:12]
    if kind == b"ftyp":
        return len(brand) == 4 and not brand.startswith(_STILL)
    return kind in _QUICKTIME


def read_movie(data: Bytes) -> Movie:
    """Read a film's index.

    Raises:
        TruncatedPhotographError: there is none, or the file ends within a box.
        DamagedFilmError: it breaks its format.
        UnsupportedFilmError: it is compressed.
    """
    index, fragmented = None, False
    for box in boxes(data):
        fragmented = fragmented or box.kind == b"moof"
        if box.kind == b"moov" and index is None:
            index = box
    if index is None:
        raise TruncatedPhotographError("The film has no index, because its recording or a copy was broken off")
    found = inside(data, index)
    if b"cmov" in found:
        raise UnsupportedFilmError("The film's index is compressed")
    if b"mvhd" not in found:
        raise DamagedFilmError("The film's index has no header")
    tracks = [box for box in boxes(data, index.body, index.end) if box.kind == b"trak"]
    if len(tracks) > MOST_TRACKS:
        raise DamagedFilmError(f"The film has more than {MOST_TRACKS} tracks")
    return Movie(
        tracks=tuple(_track(data, track) for track in tracks),
        matrix=_matrix(data, found[b"mvhd"], 36),
        fragmented=fragmented or b"mvex" in found,
    )


def _track(data: Bytes, box: Box) -> Track:
    head, media = at_path(data, box, b"tkhd"), at_path(data, box, b"mdia")
    handler = at_path(data, box, b"mdia", b"hdlr")
    if head is None or media is None or handler is None:
        raise DamagedFilmError("A track of the film has no header")
    tables = at_path(data, media, b"minf", b"stbl")
    entries = tuple(_entries(data, tables))
    visual = _inner(data, entries[0]) if entries else {}
    record = visual.get(b"avcC")
    return Track(
        id=number(data, head.body + (20 if data[head.body] == 1 else 12), 4),
        handler=bytes(data[handler.body + 8 : handler.body + 12]),
        codings=tuple(entry.kind for entry in entries),
        configuration=b"" if record is None else bytes(data[record.body : record.end]),
        matrix=_matrix(data, head, 40),
        edits=tuple(_edits(data, at_path(data, box, b"edts", b"elst"))),
        samples=_samples(data, tables),
        square=_is_square(data, visual.get(b"pasp")),
        cropped=_is_cropped(data, entries, visual.get(b"clap")),
        elsewhere=_is_elsewhere(data, at_path(data, media, b"minf", b"dinf", b"dref")),
    )


def _matrix(data: Bytes, head: Box, at: int) -> tuple[int, ...]:
    """Read the transformation, without its translation; a header of version 1 is 12 bytes longer before it."""
    at += head.body + (12 if number(data, head.body, 1) == 1 else 0)
    return tuple(number(data, at + 4 * place, 4) for place in range(6))


def _entries(data: Bytes, tables: Box | None) -> Iterator[Box]:
    """Give the sample descriptions (section 8.5.2)."""
    found = None if tables is None else inside(data, tables).get(b"stsd")
    return iter(()) if found is None else boxes(data, found.body + 8, found.end)


def _inner(data: Bytes, entry: Box) -> dict[bytes, Box]:
    if entry.kind != b"avc1" or entry.end - entry.body < _VISUAL_ENTRY:
        return {}
    return inside(data, entry, _VISUAL_ENTRY)


def _samples(data: Bytes, tables: Box | None) -> int:
    found = {} if tables is None else inside(data, tables)
    sizes = found.get(b"stsz", found.get(b"stz2"))
    return 0 if sizes is None else number(data, sizes.body + 8, 4)


def _edits(data: Bytes, box: Box | None) -> Iterator[Edit]:
    """Give the entries of an edit list (section 8.6.6)."""
    if box is None:
        return
    width = 8 if number(data, box.body, 1) == 1 else 4
    count, at = number(data, box.body + 4, 4), box.body + 8
    if count > MOST_EDITS or at + count * (2 * width + 4) > box.end:
        raise DamagedFilmError("The film's edit list has a wrong length")
    for entry in range(at, at + count * (2 * width + 4), 2 * width + 4):
        begins = number(data, entry + width, width)
        rate = number(data, entry + 2 * width, 4)
        yield Edit(empty=begins == (1 << 8 * width) - 1, plain=rate == _NORMAL_RATE)


def _is_square(data: Bytes, box: Box | None) -> bool:
    return box is None or number(data, box.body, 4) == number(data, box.body + 4, 4)


def _is_cropped(data: Bytes, entries: tuple[Box, ...], box: Box | None) -> bool:
    """Tell whether a clean aperture is smaller than the picture (section 12.1.4)."""
    if box is None:
        return False
    wide, high = (number(data, entries[0].body + at, 2) for at in (24, 26))
    width, one, height, another = (number(data, box.body + at, 4) for at in (0, 4, 8, 12))
    return width != wide * one or height != high * another


def _is_elsewhere(data: Bytes, box: Box | None) -> bool:
    """Tell whether a data reference points out of the file: its lowest flag says that it doesn't (section 8.7.2)."""
    if box is None:
        return False
    return any(not number(data, each.body, 4) & 1 for each in boxes(data, box.body + 8, box.end))
