"""Read what the headers of JPEG-LS and JPEG 2000 streams say, without decoding them.

Knows ISO/IEC 14495-1 annex C (JPEG-LS markers) and ISO/IEC 15444-1 annex A (JPEG 2000 markers; those of HTJ2K, in
15444-15, have the same form). Must not know DICOM. Works on any bytes in linear time: the answer is a ``Codestream`` or
our own error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomwrap.errors import DamagedPhotographError, NotAPhotographError, TruncatedPhotographError

MOST_SEGMENTS: Final = 100_000
_SOI: Final = b"\xff\xd8"
_SOC: Final = b"\xff\x4f\xff\x51"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_SOF55: Final = 0xF7
_COM: Final = 0xFE
_APP8: Final = 0xE8
_SOT: Final = 0x90
_SOD: Final = 0x93
_EOC: Final = b"\xff\xd9"
_COD: Final = 0x52
_J2K_COM: Final = 0x64
# In JPEG-LS a byte below 80 follows every FF of the data (C.1); restart markers belong to the scan.
_LS_DATA_END: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
# What encoders sign with: a library's name and version, nobody's own words.
_SIGNATURES: Final = re.compile(
    rb"(?:Created by (?:GDCM/)?OpenJPEG version |Kakadu-|Creator: JasPer Version |OpenJPH Ver |LEAD Technologies )"
    rb"v?[0-9][0-9.a-z-]{0,15}\s*"
)
# APP8 segments that tell nothing but the picture's shape: HP's colour transform, a SPIFF header, its empty directory.
_PLAIN_APP8: Final = ((b"mrfx", 5), (b"SPIFF\0", 30), (b"\0\0\0\1", 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Codestream:
    """What a stream's headers say.

    Attributes:
        rows: height in pixels.
        columns: width in pixels.
        samples: components.
        precision: bits of a sample.
        lossless: whether the coding can be without loss, as far as headers tell.
        transformed: whether the components went through JPEG 2000's colour transform; False for JPEG-LS.
        carriers: names of the segments that are no picture.
        signed: whether the encoder's signature is among them; that alone is no carrier.
        end: where the stream ends; None when its headers don't tell.
    """

    rows: int
    columns: int
    samples: int
    precision: int
    lossless: bool
    transformed: bool
    carriers: tuple[str, ...]
    signed: bool
    end: int | None


def jpeg_ls(data: bytes) -> Codestream:
    """Read a JPEG-LS stream.

    Raises:
        DicomwrapError: it is none, or broken.
    """
    if not data.startswith(_SOI):
        raise NotAPhotographError("The stream doesn't begin as JPEG-LS does")
    segments = tuple(ls_segments(data))
    header = next((data[body:after] for marker, body, after in segments if marker == _SOF55), b"")
    if len(header) < 6:
        raise DamagedPhotographError("The JPEG-LS stream has no frame header")
    return Codestream(
        rows=int.from_bytes(header[1:3], "big"),
        columns=int.from_bytes(header[3:5], "big"),
        samples=header[5],
        precision=header[0],
        lossless=not any(data[after - 3] for marker, _, after in segments if marker == _SOS),
        transformed=False,
        carriers=tuple(dict.fromkeys(_ls_carriers(data, segments))),
        signed=False,
        end=segments[-1][2],
    )


def _ls_carriers(data: bytes, segments: tuple[tuple[int, int, int], ...]) -> Iterator[str]:
    for marker, body, after in segments:
        if marker == _COM:
            yield "COM"
        elif 0xE0 <= marker <= 0xEF and not _is_plain(marker, data[body:after]):
            yield f"APP{marker - 0xE0}"


def _is_plain(marker: int, body: bytes) -> bool:
    return marker == _APP8 and any(body.startswith(mark) and len(body) == length for mark, length in _PLAIN_APP8)


def ls_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start of the body and end of each segment, the end-of-image marker last.

    Raises:
        DicomwrapError: the stream is broken.
    """
    at = 2
    for _ in range(MOST_SEGMENTS):
        if data[at : at + 1] != b"\xff" or at + 2 > len(data):
            raise DamagedPhotographError(f"The JPEG-LS stream has no marker at byte {at}")
        marker, body = data[at + 1], at + 4
        if marker == _EOI:
            yield marker, at + 2, at + 2
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        after = at + 2 + length
        if length < (2 if marker != _SOS else 8) or after > len(data):
            raise TruncatedPhotographError("The JPEG-LS stream ends within a segment")
        yield marker, body, after
        at = after
        if marker == _SOS:
            found = _LS_DATA_END.search(data, after)
            at = len(data) if found is None else found.start()
    raise DamagedPhotographError("The JPEG-LS stream has too many segments")


def jpeg_2000(data: bytes) -> Codestream:
    """Read a JPEG 2000 or HTJ2K codestream.

    Raises:
        DicomwrapError: it is none, or broken.
    """
    if not data.startswith(_SOC):
        raise NotAPhotographError("The stream doesn't begin as a JPEG 2000 codestream does")
    size = data[4:42]
    if len(size) < 38:
        raise TruncatedPhotographError("The JPEG 2000 stream ends within its header")
    x1, y1, x0, y0 = (int.from_bytes(size[at : at + 4], "big") for at in (4, 8, 12, 16))
    tail = _Tail()
    tail.read(data)
    return Codestream(
        rows=y1 - y0,
        columns=x1 - x0,
        samples=int.from_bytes(size[36:38], "big"),
        precision=(data[42] & 0x7F) + 1 if len(data) > 42 else 0,
        lossless=tail.reversible,
        transformed=tail.transformed,
        carriers=tuple(tail.names),
        signed=tail.signed,
        end=tail.end,
    )


class _Tail:
    """What comes after the size marker: main header and tile-part headers."""

    def __init__(self) -> None:
        self.reversible = False
        self.transformed = False
        self.signed = False
        self.names: dict[str, None] = {}
        self.end: int | None = None

    def read(self, data: bytes) -> None:
        """Read all headers up to the end of the codestream."""
        at, tile_end = 2, None
        for _ in range(MOST_SEGMENTS):
            if data[at : at + 2] == _EOC:
                self.end = at + 2
                return
            if at + 4 > len(data) or data[at] != 0xFF:
                raise TruncatedPhotographError(f"The JPEG 2000 stream has no marker at byte {at}")
            marker = data[at + 1]
            if marker == _SOD:
                if tile_end is None:
                    return  # the last tile-part runs to an end that its header doesn't tell
                if tile_end < at + 2:
                    raise DamagedPhotographError("A tile of the JPEG 2000 stream ends before it begins")
                at, tile_end = tile_end, None
                continue
            body, after = at + 4, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if after < body or after > len(data):
                raise TruncatedPhotographError("The JPEG 2000 stream ends within a segment")
            self._segment(marker, data[body:after])
            if marker == _SOT:
                length = int.from_bytes(data[body + 2 : body + 6], "big")
                tile_end = at + length if length >= 14 else None
            at = after
        raise DamagedPhotographError("The JPEG 2000 stream has too many segments")

    def _segment(self, marker: int, body: bytes) -> None:
        if marker == _COD and len(body) >= 10:
            self.transformed, self.reversible = body[4] == 1, body[9] == 1
        elif marker == _J2K_COM:
            if _SIGNATURES.fullmatch(body[2:].rstrip(b"\0")):
                self.signed = True
            else:
                self.names["COM"] = None
