"""Take everything out of JPEG-LS, JPEG 2000, JPEG XL and RLE streams that isn't the picture, without decoding them.

Knows ISO/IEC 14495-1 annex C, 15444-1 annex A (and 15444-15), 18181-2 and PS3.5 annex G. Must not know DICOM objects.
Every byte of the picture stays; what can't be followed to its end is refused. Linear in the bytes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from dicomwrap.bitstream.boxes import boxes
from dicomwrap.bitstream.codestreams import jpeg_2000, jpeg_ls, ls_segments
from dicomwrap.errors import DamagedPhotographError, NotAPhotographError, UnsupportedPhotographError

_LS_COMMENT: Final = 0xFE
_LS_COLOURS: Final = b"mrfx"  # HP's colour transform, without which the picture has other colours
_LS_END: Final = 0xD9

_COM: Final = 0x64
_TILE: Final = 0x90
_DATA: Final = 0x93
_LENGTHS: Final = 0x55
_END: Final = b"\xff\xd9"
# Comments, and the lengths of packets, which decoders needn't have and which nobody checks.
_DROPPED: Final = frozenset({_COM, 0x57, 0x58})
# Capabilities, coding, quantisation, regions of interest, progression, packed headers, registration, profile.
_NEEDED: Final = frozenset({0x50, 0x51, 0x52, 0x53, 0x56, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63, _LENGTHS})
_SHORTEST_TILE: Final = 14

_JXL: Final = b"\xff\x0a"
_WHOLE: Final = b"jxlc"
_PART: Final = b"jxlp"
_REBUILT: Final = b"jbrd"  # what a JPEG had besides its picture, its metadata included

_RLE_HEADER: Final = 64
_MOST_SEGMENTS: Final = 15
_NOTHING: Final = 128


def jpeg_ls_cleaned(data: bytes) -> bytes:
    """Return a JPEG-LS stream without application segments but that of a colour transform, comments and a trailer.

    Raises:
        DicomwrapError: it is none, or broken.
    """
    jpeg_ls(data)
    kept, begun = [data[:2]], 2
    for marker, body, after in ls_segments(data):
        start = after - 2 if marker == _LS_END else body - 4
        kept.append(data[begun:start])  # a scan's data
        if not _is_carrier(marker, data[body:after]):
            kept.append(data[start:after])
        begun = after
    return b"".join(kept)


def _is_carrier(marker: int, body: bytes) -> bool:
    application = 0xE0 <= marker <= 0xEF and not (body.startswith(_LS_COLOURS) and len(body) == 5)
    return application or marker == _LS_COMMENT


def jpeg_2000_cleaned(data: bytes) -> bytes:
    """Return a JPEG 2000 or HTJ2K codestream without comments, lengths of packets and a trailer.

    Raises:
        DicomwrapError: it is none, broken, or has segments that the standard doesn't name.
    """
    jpeg_2000(data)
    kept, at = [data[:2]], 2
    tabled = changed = False
    while data[at : at + 2] != _END:
        end = _segment_end(data, at)
        if data[at + 1] == _TILE:
            part, at, less = _tile(data, at)
            kept.append(part)
            changed = changed or less
        else:
            tabled = tabled or data[at + 1] == _LENGTHS
            kept.append(_wanted(data, at, end))
            at = end
    if tabled and changed:
        raise UnsupportedPhotographError(
            "The JPEG 2000 stream has comments within its tiles and a table of their lengths"
        )
    return b"".join((*kept, _END))


def _segment_end(data: bytes, at: int) -> int:
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if data[at : at + 1] != b"\xff" or not at + 4 <= end <= len(data):
        raise DamagedPhotographError(f"The JPEG 2000 stream has no segment at byte {at}")
    return end


def _wanted(data: bytes, at: int, end: int) -> bytes:
    """Return a segment, or nothing when it isn't needed."""
    if data[at + 1] not in _NEEDED | _DROPPED:
        raise DamagedPhotographError(f"The JPEG 2000 stream has a segment FF{data[at + 1]:02X}, which is unknown")
    return b"" if data[at + 1] in _DROPPED else data[at:end]


def _tile(data: bytes, start: int) -> tuple[bytes, int, bool]:
    """Return a tile-part without what isn't needed, where the next one begins, and whether it is shorter."""
    at = _segment_end(data, start)
    length = int.from_bytes(data[start + 6 : start + 10], "big")
    heads = [data[start:at]]
    while data[at : at + 2] != bytes((0xFF, _DATA)):
        end = _segment_end(data, at)
        heads.append(_wanted(data, at, end))
        at = end
    # In a tile's data no FF is followed by more than 8F, so the first end is the end.
    after = start + length if length else data.find(_END, at)
    if not at + 2 <= after <= len(data) - 2 or 0 < length < _SHORTEST_TILE:
        raise DamagedPhotographError("A tile of the JPEG 2000 stream ends where no tile can")
    head = b"".join(heads)
    less = at - start - len(head)
    told = (length - less).to_bytes(4, "big") if length else bytes(4)
    return head[:6] + told + head[10:] + data[at:after], after, less > 0


def jpeg_xl_cleaned(data: bytes) -> bytes:
    """Return the bare codestream of a JPEG XL file, without its boxes.

    Raises:
        DicomwrapError: it is none, broken, or the container of a JPEG that can be rebuilt.
    """
    if data.startswith(_JXL):
        return data
    found = list(boxes(data)) if data.startswith(b"\0\0\0\x0cJXL ") else []
    if any(box.kind == _REBUILT for box in found):
        raise UnsupportedPhotographError("The JPEG XL holds what a JPEG had besides its picture")
    whole = [data[box.body : box.end] for box in found if box.kind == _WHOLE]
    parts = [data[box.body + 4 : box.end] for box in found if box.kind == _PART]
    stream = b"".join(whole or parts)
    if not stream.startswith(_JXL) or len(whole) > 1 or (whole and parts):
        raise NotAPhotographError("The stream isn't one picture in JPEG XL")
    return stream


def rle_cleaned(data: bytes, samples: int) -> bytes:
    """Return an RLE stream whose segments end with their last sample.

    Args:
        data: the stream.
        samples: how many bytes each segment holds when unpacked.

    Raises:
        DicomwrapError: it is none, or a segment doesn't hold so many.
    """
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, _RLE_HEADER, 4)]
    count, starts = words[0], [*words[1 : words[0] + 1], len(data)]
    if (
        len(data) < _RLE_HEADER
        or not 0 < count <= _MOST_SEGMENTS
        or starts != sorted(starts)
        or starts[0] < _RLE_HEADER
    ):
        raise DamagedPhotographError("The RLE stream's segments aren't where its header says")
    segments = [_rle_segment(data, start, end, samples) for start, end in pairwise(starts)]
    offsets, at = [], _RLE_HEADER
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    header = b"".join(word.to_bytes(4, "little") for word in (count, *offsets))
    return b"".join((header.ljust(_RLE_HEADER, b"\0"), *segments))


def _rle_segment(data: bytes, start: int, end: int, samples: int) -> bytes:
    at, made = start, 0
    while made < samples and at < end:
        control = data[at]
        if control < _NOTHING:
            made, at = made + control + 1, at + control + 2
        else:
            made, at = made + (257 - control if control > _NOTHING else 0), at + 1 + (control > _NOTHING)
    if made != samples or at > end:
        raise DamagedPhotographError("A segment of the RLE stream doesn't hold exactly its samples")
    return data[start:at] + b"\0" * ((at - start) % 2)
