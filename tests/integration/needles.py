"""What an object must be known by when it leaks: names, identifiers, UIDs and runs of pixels, and how they are found.

An independent reader: byte search, with archives unpacked. Nothing of Consentgate is used.
"""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom
from PIL import Image
from pydicom.encaps import generate_frames

RUN = 24  # bytes of a picture: no two pictures share as many by chance
KEYWORDS = ("PatientID", "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "ImageComments")
# How a picture or an object begins, whatever it shows.
PICTURES = {
    "DICOM": b"DICM",
    "PNG": b"\x89PNG\r\n",
    "JPEG": b"\xff\xd8\xff",
    "ZIP": b"PK\x03\x04",
    "NumPy": b"\x93NUMPY",
    "PDF": b"%PDF-",
}


def runs(content: bytes, length: int = RUN) -> set[bytes]:
    """Return runs of ``content`` that tell it from others; runs of a few values tell nothing."""
    found = {content[len(content) * at // 16 :][:length] for at in range(1, 16)}
    return {run for run in found if len(set(run)) > RUN // 3}


def needles_of(file: Path) -> frozenset[bytes]:
    """Return what must not be in an answer to whom the object in this file is not for."""
    said = pydicom.dcmread(file)
    texts = {str(said.get(keyword, "")) for keyword in KEYWORDS}
    texts |= {part for part in str(said.PatientName).split("^") if part}
    if "EncapsulatedDocument" in said:
        return frozenset(text.encode() for text in texts if text) | {b"SIGNED-FORM-SECRET"}
    frame = next(generate_frames(said.PixelData, number_of_frames=1))
    inside = runs(frame)
    coded = {base64.b64encode(run[at:])[4:-4] for run in inside for at in range(3)}
    with Image.open(io.BytesIO(frame)) as image:
        drawn = runs(image.convert("RGB").tobytes(), 10 * RUN)  # as a raw answer has it
    return frozenset(text.encode() for text in texts if text) | inside | coded | drawn


def unpacked(content: bytes) -> Iterator[bytes]:
    """Give the content and, of an archive or a compressed stream, what is inside."""
    yield content
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    for skipped in (0, 8):  # Orthanc's own compression writes the size first
        try:
            yield zlib.decompress(content[skipped:])
        except zlib.error:
            continue


def found(content: bytes, needles: Iterable[bytes], *, known: bytes = b"") -> list[bytes]:
    """Return the needles in an answer, but for those that the request itself named (``known``)."""
    wanted = [needle for needle in needles if needle not in known]
    parts = tuple(unpacked(content))
    return [needle for needle in wanted if any(needle in part for part in parts)]


def pictures(content: bytes) -> list[str]:
    """Return which kinds of picture or object an answer has in it."""
    return [name for name, magic in PICTURES.items() if magic in content]
