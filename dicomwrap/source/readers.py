"""Choose a reader by what the bytes are, never by a file's name.

Knows which formats there are, how they begin, and what to say of those that aren't read. Must not know how any of them
is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from dicomwrap.errors import NotAPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import Photograph, Reading
from dicomwrap.sharing import mark, packets, warning
from dicomwrap.source import jpeg

JPEG_START: Final = b"\xff\xd8\xff"
_SEARCHED: Final = 64 * 1024
_SVG_SEARCHED: Final = 4 * 1024
_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIF: Final = frozenset({
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf",
})  # fmt: skip
_BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_ORDINARY: Final = "Export the picture as JPEG, PNG or TIFF and wrap that file."
_DEVELOP: Final = "Export it as TIFF or JPEG in the camera's software, or let the camera write a JPEG beside it."
_STILL: Final = "Save the one picture that is wanted as JPEG, PNG or TIFF and wrap that file."
_INSIDE: Final = "Take the photograph out of it, if there is one, and wrap that file."
_RAW: Final = "a camera's raw file, which has to be developed first; how decides what colours a clinician sees"

_Refusals: TypeAlias = tuple[tuple[int, bytes, str, str], ...]

# What begins as a format that is read and is another: offset, signature, name, remedy.
_DISGUISED: Final[_Refusals] = (
    (8, b"CR\2", _RAW, _DEVELOP),
    (128, b"DICM", "already a DICOM file", "Send it to the archive as it is, with dicomwrap send or any DICOM tool."),
)
# Formats that are pictures or often mistaken for one, or hold one that nobody means. The first that fits counts.
_REFUSED: Final[_Refusals] = (
    (4, b"ftypcrx", _RAW, _DEVELOP),
    (0, b"FUJIFILMCCD-RAW", _RAW, _DEVELOP),
    (0, b"IIRO", _RAW, _DEVELOP),
    (0, b"IIRS", _RAW, _DEVELOP),
    (0, b"MMOR", _RAW, _DEVELOP),
    (0, b"IIU\0", _RAW, _DEVELOP),
    (6, b"HEAPCCDR", _RAW, _DEVELOP),
    (0, b"\0MRM", _RAW, _DEVELOP),
    (0, b"FOVb", _RAW, _DEVELOP),
    (0, b"GIF8", "a GIF picture, which is often an animation and has at most 256 colours", _ORDINARY),
    (0, b"\xff\x0a", "a JPEG XL picture", _ORDINARY),
    (4, b"JXL ", "a JPEG XL picture", _ORDINARY),
    (4, b"jP  ", "a JPEG 2000 picture", _ORDINARY),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture", _ORDINARY),
    (0, b"8BPS", "a Photoshop document", _ORDINARY),
    (0, b"%PDF", "a PDF document", _INSIDE),
    (0, b"%!PS", "a PostScript document", _INSIDE),
    (0, b"PK\3\4", "an archive or an office document", _INSIDE),
    (0, b"\xd0\xcf\x11\xe0", "an office document", _INSIDE),
    (4, b"ftyp", "a film", _STILL),
    (4, b"moov", "a film", _STILL),
    (8, b"AVI ", "a film", _STILL),
    (0, b"\x1a\x45\xdf\xa3", "a film", _STILL),
    (0, b"\0\0\1\xba", "a film", _STILL),
    (0, b"ID3", "a sound recording", _INSIDE),
    (8, b"WAVE", "a sound recording", _INSIDE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One format that we read: how to tell it, and how to read it."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[bytes, Reading], tuple[Photograph, ...]]


def _decoding(kind: str, recognises: Callable[[bytes], bool]) -> Reader:
    return Reader(name=kind, recognises=recognises, read=partial(_decoded, kind))


def _decoded(kind: str, data: bytes, reading: Reading) -> tuple[Photograph, ...]:
    from dicomwrap.source.decoded import read

    found, word = read(data, kind, reading), mark(packets(data))
    if not word:
        return found
    return tuple(replace(each, through=word, warnings=(*each.warnings, warning(word))) for each in found)


def _jpeg(data: bytes, reading: Reading) -> tuple[Photograph, ...]:
    return (jpeg.read(data, reading),)


def _is_avif(data: bytes) -> bool:
    return bool(_AVIF & brands(data))


def _is_heif(data: bytes) -> bool:
    return bool(_HEIF & brands(data))


def _is_bmp(data: bytes) -> bool:
    return data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data.startswith(b"WEBP", 8)


def _is_tiff(data: bytes) -> bool:
    return data.startswith(_TIFF)


READERS: Final[tuple[Reader, ...]] = (
    Reader(name="JPEG", recognises=lambda data: data.startswith(JPEG_START), read=_jpeg),
    _decoding("PNG", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n")),
    _decoding("AVIF", _is_avif),
    _decoding("HEIC", _is_heif),
    _decoding("WebP", _is_webp),
    _decoding("TIFF", _is_tiff),
    _decoding("BMP", _is_bmp),
)


def brands(data: bytes) -> frozenset[bytes]:
    """Return the brands that a file of boxes claims, the major one and the compatible ones (ISO/IEC 14496-12 4.3)."""
    if not data.startswith(b"ftyp", 4):
        return frozenset()
    length = min(int.from_bytes(data[:4], "big"), 1024)
    compatible = {data[at : at + 4] for at in range(16, length - 3, 4)}
    return frozenset({data[8:12], *compatible})


def read_photographs(data: bytes, reading: Reading | None = None) -> tuple[Photograph, ...]:
    """Read every photograph of a file, whatever format it is in; only TIFF has more than one.

    Raises:
        NotAPhotographError: no format that we know of.
        UnsupportedPhotographError: a format that isn't read.
        DicomwrapError: what the reader of the format found wrong.
    """
    how = reading or Reading()
    if not data:
        raise NotAPhotographError("The file is empty")
    _refuse(data, _DISGUISED)
    for reader in READERS:
        if reader.recognises(data):
            return reader.read(data, how)
    _refuse(data, _REFUSED)
    if b"<svg" in data[:_SVG_SEARCHED].lower():
        raise UnsupportedPhotographError("The file is an SVG drawing", _ORDINARY)
    start = data.find(JPEG_START, 0, _SEARCHED)
    if start < 0:
        raise NotAPhotographError("The file is no photograph of a format that is read", _ORDINARY)
    return (jpeg.read(data, how, start=start),)


def _refuse(data: bytes, refusals: _Refusals) -> None:
    for offset, signature, name, remedy in refusals:
        if data.startswith(signature, offset):
            raise UnsupportedPhotographError(f"The file is {name}", remedy)
