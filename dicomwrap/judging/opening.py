"""Open a DICOM file that may be anything at all.

Knows PS3.10: preamble, file meta information, and what pydicom makes of the rest. Must not know what an object should
say. What inflates or nests without end is given up on, in bounded time and memory.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import data_element_generator, read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging.findings import Finding, error, note, warning

LARGEST_FILE: Final = 1 << 31
LARGEST_INFLATED: Final = 1 << 29
_MOST_IN_PASSING: Final = 1 << 12
META_GROUP: Final = 0x0002
_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class UnfitFileError(Exception):
    """The file can't be judged at all; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def opened(path: Path) -> BinaryIO:
    """Open an ordinary file for reading; never waits for a pipe or a device.

    Raises:
        UnfitFileError: it can't be opened, or isn't one.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        raise UnfitFileError(error("CANT_READ", f"can't be opened ({reason})")) from problem
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
        file.close()
        reason = "too large" if stat.S_ISREG(found.st_mode) else "no ordinary file"
        raise UnfitFileError(error("CANT_READ", f"can't be read ({reason})"))
    return file


def read(file: BinaryIO) -> Dataset:
    """Read the object in a file.

    Raises:
        UnfitFileError: there is none that can be read.
    """
    try:
        return _read(file)
    except InvalidDicomError as problem:
        raise UnfitFileError(error("NOT_DICOM", "no DICOM file: 'DICM' isn't where it must be")) from problem
    except EOFError as problem:
        raise UnfitFileError(error("TRUNCATED", "ends before the object does")) from problem
    except (AssertionError, *UNREADABLE) as problem:
        raise UnfitFileError(error("UNREADABLE", f"can't be decoded ({type(problem).__name__})")) from problem


def order_findings(file: BinaryIO, dataset: Dataset) -> Iterator[Finding]:
    """Say when elements are there twice or out of order (PS3.5 section 7.1): two programs may read two objects."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax == DeflatedExplicitVRLittleEndian:
        return  # read in memory, where nobody can look twice
    _meta(file)
    last = None
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    for element in data_element_generator(file, implicit, little, defer_size=_MOST_IN_PASSING):
        if last is not None and element.tag <= last:
            yield error("ELEMENT_ORDER", "the object: elements are there twice, or aren't in ascending order")
            return
        last = element.tag


def file_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say what is wrong around the object: preamble, file meta information."""
    yield from _preamble(getattr(dataset, "preamble", None) or b"")
    meta = getattr(dataset, "file_meta", None)
    if not isinstance(meta, Dataset):
        yield error("FILE_META", "no file meta information")
        return
    for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID"):
        if not meta.get(keyword):
            yield error("FILE_META", f"{keyword}: is missing or empty")
    for in_meta, in_object in (
        ("MediaStorageSOPClassUID", "SOPClassUID"),
        ("MediaStorageSOPInstanceUID", "SOPInstanceUID"),
    ):
        if meta.get(in_meta) and dataset.get(in_object) and meta.get(in_meta) != dataset.get(in_object):
            yield error("FILE_META", f"{in_meta}: isn't the {in_object} of the object")


def _preamble(preamble: bytes) -> Iterator[Finding]:
    if not preamble.strip(b"\0"):
        return
    if preamble.startswith(_TIFF):
        yield note("PREAMBLE", "the preamble makes the file a TIFF file as well")
    else:
        yield warning("PREAMBLE", "the preamble isn't empty; a file can be two things at once by it")


def _read(file: BinaryIO) -> Dataset:
    meta = _meta(file)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return _inflated(file, meta)
    file.seek(0)
    return dcmread(file)


def _meta(file: BinaryIO) -> FileMetaDataset:
    """Read the file meta information, and leave the file where the data set begins."""
    file.seek(0)
    read_preamble(file, force=False)
    return FileMetaDataset(read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_ends_meta))


def _ends_meta(tag: BaseTag, *_: object) -> bool:
    return tag.group != META_GROUP


def _inflated(file: BinaryIO, meta: FileMetaDataset) -> Dataset:
    inflator = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflator.decompress(file.read(), LARGEST_INFLATED)
    if inflator.unconsumed_tail:
        raise UnfitFileError(error("UNREADABLE", "inflates to more than any photograph"))
    dataset = read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    dataset.file_meta = meta
    return dataset
