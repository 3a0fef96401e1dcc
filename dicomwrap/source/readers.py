"""Choose a reader by what the bytes are, never by a file's name.

Knows which formats there are and how they begin. Must not know how any of them is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicomwrap.errors import NotAPhotographError, UnsupportedPhotographError
from dicomwrap.photograph import Photograph
from dicomwrap.source import jpeg


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One format that we read: how to tell it, and how to read it."""

    name: str
    recognises: Callable[[bytes], bool]
    read: Callable[[bytes], Photograph]


READERS: Final[tuple[Reader, ...]] = (Reader(name="JPEG", recognises=jpeg.recognises, read=jpeg.read),)

# Formats that are pictures or often mistaken for one: offset, signature, name.
_KNOWN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (4, b"ftypavi", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmi", "a HEIF picture"),
    (4, b"ftypmsf", "a HEIF picture"),
    (4, b"ftyp", "a film"),
    (0, b"II*\0", "a TIFF picture or camera raw file"),
    (0, b"MM\0*", "a TIFF picture or camera raw file"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
    (4, b"jP  ", "a JPEG 2000 picture"),
    (0, b"%PDF", "a PDF document"),
    (128, b"DICM", "already a DICOM file"),
)


def read_photograph(data: bytes) -> Photograph:
    """Read a photograph, whatever format it is in.

    Raises:
        NotAPhotographError: no format that we know of.
        UnsupportedPhotographError: a format that isn't read yet.
        DicomwrapError: what the reader of the format found wrong.
    """
    for reader in READERS:
        if reader.recognises(data):
            return reader.read(data)
    if not data:
        raise NotAPhotographError("The file is empty")
    for offset, signature, name in _KNOWN:
        if data.startswith(signature, offset):
            raise UnsupportedPhotographError(f"The file is {name}, which isn't read yet")
    raise NotAPhotographError("The file is no JPEG photograph")
