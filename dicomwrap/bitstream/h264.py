"""Take everything out of an H.264 stream that isn't the picture.

Knows ITU-T H.264 sections 7.3 and 7.4 (NAL units, SEI) and ISO/IEC 14496-15 section 5.3 (how units lie in an MP4: each
behind its length). Must not know containers, DICOM or files. Slices and parameter sets stay byte for byte; nothing is
decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from dicomwrap.bitstream.h264sequence import ESCAPED, SEQUENCE, TELLS_CHROMA, sequence
from dicomwrap.errors import DamagedFilmError, UnsupportedFilmError

SLICE: Final = 1
IDR_SLICE: Final = 5
SEI: Final = 6
PICTURE: Final = 8
DELIMITER: Final = 9
END_OF_SEQUENCE: Final = 10
END_OF_STREAM: Final = 11

_KEPT: Final = frozenset({SLICE, IDR_SLICE, SEQUENCE, PICTURE})
# Units that carry picture but aren't in the profiles that we keep: data partitions, alpha, further layers and views.
_LAYERS: Final = frozenset({2, 3, 4, 13, 14, 15, 19, 20, 21})
_SHORT: Final = {DELIMITER: 2, END_OF_SEQUENCE: 1, END_OF_STREAM: 1}
# Supplemental information that is numbers for the decoder: buffering period, timing, pan-scan, recovery point, marking
# repetition, display orientation, mastering display, light level, transfer. The rest is words, or may be: closed
# captions, encoder settings, makers' own notes with place and time, padding.
_TOLD: Final = frozenset({0, 1, 2, 6, 7, 47, 137, 144, 147})
_LONGEST_TOLD: Final = 64
LONGEST_PARAMETERS: Final = 1024
_END: Final = b"\x80"
_TO_ESCAPE: Final = re.compile(rb"\0\0(?=[\0-\3])")

Bytes: TypeAlias = bytes | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The decoder configuration record of an MP4 (ISO/IEC 14496-15 section 5.3.3.1).

    Attributes:
        prefix: how many bytes the length before each unit has.
        sequences: sequence parameter sets, as units.
        pictures: picture parameter sets, as units.
    """

    prefix: int
    sequences: tuple[bytes, ...]
    pictures: tuple[bytes, ...]

    def record(self) -> bytes:
        """Return the record, with nothing in it but the parameter sets."""
        first = self.sequences[0]
        shape = sequence(first)
        head = bytes((1, *first[1:4], 0xFC | self.prefix - 1, 0xE0 | len(self.sequences)))
        body = b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.sequences)
        body += bytes((len(self.pictures),)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in self.pictures)
        if shape.profile not in TELLS_CHROMA:
            return head + body
        return head + body + bytes((0xFC | shape.chroma, 0xF8 | shape.depth - 8, 0xF8 | shape.depth - 8, 0))


def configuration(record: bytes) -> Configuration:
    """Read a decoder configuration record.

    Raises:
        DamagedFilmError: it breaks its rules or lacks a parameter set.
    """
    if len(record) < 7 or record[0] != 1 or record[4] & 3 == 2:
        raise DamagedFilmError("The film's decoder configuration can't be read")
    sequences, at = _sets(record, 5, record[5] & 0x1F)
    if at >= len(record):
        raise DamagedFilmError("The film's decoder configuration ends too early")
    pictures, _ = _sets(record, at, record[at])
    if not sequences or not pictures:
        raise DamagedFilmError("The film's decoder configuration lacks a parameter set")
    return Configuration(prefix=(record[4] & 3) + 1, sequences=sequences, pictures=pictures)


def _sets(record: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    at += 1
    for _ in range(count):
        length = int.from_bytes(record[at : at + 2], "big")
        unit = record[at + 2 : at + 2 + length]
        if len(unit) != length or kept(unit) != unit or unit[0] & 0x1F not in (SEQUENCE, PICTURE):
            raise DamagedFilmError("The film's decoder configuration holds a damaged parameter set")
        found.append(unit)
        at += 2 + length
    return tuple(found), at


def units(sample: Bytes, prefix: int) -> Iterator[memoryview]:
    """Give the NAL units of samples that lie end to end, without their lengths.

    Raises:
        DamagedFilmError: the lengths don't fit the bytes.
    """
    view, at = memoryview(sample), 0
    while at < len(view):
        start = at + prefix
        at = start + int.from_bytes(view[at:start], "big")
        if start >= at or at > len(view):
            raise DamagedFilmError("The film's picture data have a unit of a wrong length")
        yield view[start:at]


def cleaned(sample: bytes, prefix: int) -> bytes:
    """Return a sample without words, padding and units that no decoder heeds; the very object when there are none.

    Raises:
        DamagedFilmError: the sample breaks its format, or nothing is left of it.
        UnsupportedFilmError: it has units of another profile.
    """
    found = list(units(sample, prefix))
    left = [(unit, kept(unit)) for unit in found]
    if not any(_is_slice(unit) for unit in found):
        raise DamagedFilmError("The film has a frame without picture data")
    if all(before is after for before, after in left):
        return sample
    return b"".join(b"".join((len(unit).to_bytes(prefix, "big"), unit)) for _, unit in left if unit is not None)


def _is_slice(unit: memoryview) -> bool:
    return unit[0] & 0x1F in (SLICE, IDR_SLICE)


def kept(unit: Bytes) -> Bytes | None:
    """Return what is kept of a NAL unit: itself, a part of it, or nothing.

    Raises:
        DamagedFilmError: it is no NAL unit.
        UnsupportedFilmError: it belongs to a profile that we don't keep.
    """
    if not unit or unit[0] & 0x80:
        raise DamagedFilmError("The film's picture data have a broken unit")
    kind = unit[0] & 0x1F
    if kind in _LAYERS:
        raise UnsupportedFilmError("The film's picture is coded in several layers, views or partitions")
    if kind in (SEQUENCE, PICTURE) and len(unit) > LONGEST_PARAMETERS:
        raise DamagedFilmError("The film has a parameter set of impossible length")
    if kind == SEI:
        return _told(unit)
    return unit if kind in _KEPT or len(unit) == _SHORT.get(kind) else None


def _told(unit: Bytes) -> Bytes | None:
    """Return an SEI unit with only the messages that are for the decoder."""
    try:
        messages = list(_messages(bytes(unit[1:]).replace(ESCAPED, ESCAPED[:2])))
    except IndexError:
        return None  # a decoder can't read it either
    left = [message for kind, message in messages if kind in _TOLD and len(message) <= _LONGEST_TOLD]
    if not left:
        return None
    again = bytes(unit[:1]) + _TO_ESCAPE.sub(ESCAPED, b"".join(left) + _END)
    return unit if again == unit else again


def _messages(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Give type and bytes, head included, of each message (7.3.2.3.1).

    Raises:
        IndexError: they don't fit.
    """
    at, end = 0, len(payload.rstrip(b"\0"))
    while payload[at:end] != _END:
        kind, body = _run_of_bytes(payload, at)
        length, body = _run_of_bytes(payload, body)
        if body + length >= end:
            raise IndexError(at)
        yield kind, payload[at : body + length]
        at = body + length


def _run_of_bytes(payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    while payload[at] == 0xFF:
        value, at = value + 0xFF, at + 1
    return value + payload[at], at + 1
