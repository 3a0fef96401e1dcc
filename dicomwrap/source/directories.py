"""Take a TIFF apart into its directories, without decoding anything.

Knows TIFF 6.0 section 2, BigTIFF, and by what a camera's raw file gives itself away (DNG 1.7, TIFF/EP). Must not know
Pillow. Reads only the fields that it is asked for, and only numbers; works on any bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dicomwrap.errors import DamagedPhotographError, TruncatedPhotographError, UnsupportedPhotographError

NEW_SUBFILE_TYPE: Final = 254
SUBFILE_TYPE: Final = 255
WIDTH: Final = 256
LENGTH: Final = 257
BITS_PER_SAMPLE: Final = 258
COMPRESSION: Final = 259
PHOTOMETRIC: Final = 262
ORIENTATION: Final = 274
SAMPLES_PER_PIXEL: Final = 277
STRIP_OFFSETS: Final = 273
STRIP_BYTE_COUNTS: Final = 279
TILE_OFFSETS: Final = 324
TILE_BYTE_COUNTS: Final = 325
SUB_DIRECTORIES: Final = 330
SAMPLE_FORMAT: Final = 339
YCBCR_SUBSAMPLING: Final = 530
DNG_VERSION: Final = 50706
_ASKED: Final = frozenset({
    NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, LENGTH, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, ORIENTATION,
    SAMPLES_PER_PIXEL, STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS, SUB_DIRECTORIES,
    SAMPLE_FORMAT, YCBCR_SUBSAMPLING, DNG_VERSION,
})  # fmt: skip
# Field type: struct code. BYTE, SHORT, LONG, UNDEFINED, IFD, LONG8, IFD8.
_NUMBERS: Final = {1: "B", 3: "H", 4: "L", 7: "B", 13: "L", 16: "Q", 18: "Q"}
_RAW_PHOTOMETRICS: Final = frozenset({32803, 34892})  # a colour filter array; what DNG calls LinearRaw
_MOST_DIRECTORIES: Final = 1_000
_MOST_NUMBERS: Final = 1_000_000
_MOST_SUB_DIRECTORIES: Final = 16
_REDUCED: Final = 1
_MASK: Final = 4
_OLD_REDUCED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One directory: the numbers of its fields, by tag. ``index`` counts from 0 along the chain."""

    index: int
    fields: Mapping[int, tuple[int, ...]]

    def first(self, tag: int, default: int) -> int:
        """Return the first number of a field."""
        return (self.fields.get(tag) or (default,))[0]

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture of its own: neither a reduced copy of another nor a mask."""
        kind = self.first(NEW_SUBFILE_TYPE, 0)
        return not kind & (_REDUCED | _MASK) and self.first(SUBFILE_TYPE, 1) != _OLD_REDUCED

    @property
    def is_raw(self) -> bool:
        """Whether it says that it belongs to a camera's raw file."""
        return DNG_VERSION in self.fields or self.first(PHOTOMETRIC, 0) in _RAW_PHOTOMETRICS

    @property
    def coded_bytes(self) -> int:
        """Bytes of its coded picture data."""
        return sum(length for _, length in self._spans())

    @property
    def end(self) -> int:
        """Offset of the first byte after all of its coded picture data."""
        return max((start + length for start, length in self._spans()), default=0)

    def _spans(self) -> Iterator[tuple[int, int]]:
        tags = (STRIP_OFFSETS, STRIP_BYTE_COUNTS) if STRIP_OFFSETS in self.fields else (TILE_OFFSETS, TILE_BYTE_COUNTS)
        return zip(*(self.fields.get(tag, ()) for tag in tags), strict=False)


def directories(data: bytes) -> tuple[Directory, ...]:
    """Return the chain of directories.

    Raises:
        UnsupportedPhotographError: a camera's raw file.
        DicomwrapError: the chain leaves the file, runs in a circle or is endless.
    """
    reader = _Reader(data)
    chain = tuple(reader.chain())
    subordinate = (
        reader.directory(0, offset)[0]
        for directory in chain
        for offset in directory.fields.get(SUB_DIRECTORIES, ())[:_MOST_SUB_DIRECTORIES]
    )
    if any(directory.is_raw for directory in chain) or any(directory.is_raw for directory in subordinate):
        raise raw_file()
    return chain


def raw_file() -> UnsupportedPhotographError:
    """Return the refusal of a camera's raw file."""
    return UnsupportedPhotographError(
        "The file is a camera's raw file, which has to be developed first; how decides what colours a clinician sees",
        "Export it as TIFF or JPEG in the camera's software, or let the camera write a JPEG beside it.",
    )


class _Reader:
    """A TIFF's bytes, read in its byte order and width of offsets."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data.startswith(b"II") else ">"
        self.big = 43 in data[2:4]

    def chain(self) -> Iterator[Directory]:
        """Give the directories from the first to the last."""
        offset = self.number("Q", 8) if self.big else self.number("L", 4)
        seen: set[int] = set()
        while offset:
            if offset in seen or len(seen) == _MOST_DIRECTORIES:
                raise DamagedPhotographError("The TIFF's pages run in a circle or are too many")
            directory, following = self.directory(len(seen), offset)
            seen.add(offset)
            yield directory
            offset = following

    def directory(self, index: int, offset: int) -> tuple[Directory, int]:
        """Return the directory at an offset, and the offset of the next."""
        count, start = (self.number("Q", offset), offset + 8) if self.big else (self.number("H", offset), offset + 2)
        size = 20 if self.big else 12
        end = start + count * size
        if end > len(self.data):
            raise TruncatedPhotographError("The TIFF ends before its picture is whole")
        fields = {tag: self._numbers(at) for at in range(start, end, size) if (tag := self.number("H", at)) in _ASKED}
        return Directory(index=index, fields=fields), self.number("Q" if self.big else "L", end)

    def _numbers(self, at: int) -> tuple[int, ...]:
        """Return the numbers of the field whose entry begins at an offset; none when they aren't whole numbers."""
        code = _NUMBERS.get(self.number("H", at + 2))
        count = self.number("Q" if self.big else "L", at + 4)
        if code is None:
            return ()
        if count > _MOST_NUMBERS:
            raise DamagedPhotographError("The TIFF has a field of more numbers than a picture needs")
        place, inline = (at + 12, 8) if self.big else (at + 8, 4)
        if count * struct.calcsize(f"<{code}") > inline:
            place = self.number("Q" if self.big else "L", place)
        return self._unpacked(f"{count}{code}", place)

    def number(self, code: str, at: int) -> int:
        """Return one number."""
        return self._unpacked(code, at)[0]

    def _unpacked(self, code: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + code, self.data, at)
        except (struct.error, OverflowError) as error:
            raise TruncatedPhotographError("The TIFF ends before its picture is whole") from error
