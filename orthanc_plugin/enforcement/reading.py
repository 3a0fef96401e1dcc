"""Read an incoming object so that nobody can read it otherwise: Orthanc's parser must see what this one sees.

Knows where two DICOM parsers part: a NUL or a blank inside a UID, an element that is there twice, elements out of order
(PS3.5 sections 6.2, 7.1, 9.1). Must not know what an object must bring.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filereader import data_element_generator
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from dicomwrap.bitstream.clean import cleaned, hidden
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.enforcement.nesting import StructureError, require_shallow
from orthanc_plugin.errors import ConsentgateError

UIDS: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
IDENTITY: Final = (*UIDS, "PatientID", "IssuerOfPatientID", "AccessionNumber")
LONGEST_IDENTITY: Final = 64  # characters: LO's limit, and the registry's for the accession number too
# Syntaxes in which a photograph's pixels either are a stream that is checked, or can hide nothing.
CHECKED_SYNTAXES: Final = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit})
UNKEPT: Final = "\ufffd"
META_START: Final = 132
GROUP_LENGTH_BYTES: Final = 12
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_LONGEST_UID: Final = 64
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class IntakeRefusedError(ConsentgateError):
    """The object can't be taken and can't be kept; the sender still has it."""

    remedy = "Keep the original, correct the object and send it again."


def parsed(content: bytes) -> Dataset:
    """Return the object.

    Raises:
        IntakeRefusedError: it is no DICOM object that could ever be filed, or two parsers could take it for different
            objects.
    """
    try:
        require_shallow(content)  # before anything that recurses
        dataset = pydicom.dcmread(BytesIO(content))
        faults = [*_uid_faults(dataset), *_order_faults(dataset, content)]
    except StructureError as error:
        raise IntakeRefusedError(f"The object is not well formed: {error.args[0]}") from error
    except UNREADABLE as error:
        raise IntakeRefusedError(f"The object can't be read as DICOM ({type(error).__name__}).") from error
    if faults:
        raise IntakeRefusedError(f"The object is not well formed: {'; '.join(faults)}.")
    return dataset


def _uid_faults(dataset: Dataset) -> list[str]:
    return [
        f"{keyword} is missing or no UID"
        for keyword in UIDS
        if not _UID.fullmatch(str(dataset.get(keyword) or "")) or len(str(dataset.get(keyword))) > _LONGEST_UID
    ]


def _order_faults(dataset: Dataset, content: bytes) -> list[str]:
    """Say whether an element of the top level is there twice or out of order (PS3.5 section 7.1)."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_deflated:
        return ["a deflated object can't be checked"]
    length = int(dataset.file_meta.FileMetaInformationGroupLength)
    stream = BytesIO(content)
    stream.seek(META_START + GROUP_LENGTH_BYTES + length)
    last = 0
    for element in data_element_generator(stream, syntax.is_implicit_VR, syntax.is_little_endian):
        if int(element.tag) <= last:
            return ["an element is there twice or out of order"]
        last = int(element.tag)
    return []


def identity(dataset: Dataset, keyword: str) -> str:
    """Return an element's text, with a mark for the one character that no database keeps."""
    return str(dataset.get(keyword) or "").strip().replace("\0", UNKEPT)


def identity_faults(dataset: Dataset) -> list[str]:
    """Say why whose object this is can't be told for certain."""
    faults = []
    for keyword in IDENTITY:
        if keyword not in dataset:
            continue
        element = dataset[keyword]
        text = str(element.value or "")
        if element.VM > 1 or _CONTROL.search(text) or text != text.lstrip():
            faults.append(f"IDENTITY_AMBIGUOUS: {keyword} has several values, control characters or a leading blank")
        elif len(text.strip()) > LONGEST_IDENTITY:
            faults.append(f"IDENTITY_TOO_LONG: {keyword} has more than {LONGEST_IDENTITY} characters")
    return faults


def without_hidden_metadata(dataset: Dataset, content: bytes) -> bytes:
    """Return ``content``, or the same object with the stream's hidden segments taken out (coefficients untouched)."""
    if getattr(dataset.file_meta, "TransferSyntaxUID", None) != JPEGBaseline8Bit or "PixelData" not in dataset:
        return content
    try:
        count = int(dataset.get("NumberOfFrames") or 1)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        if not any(hidden(frame) for frame in frames):
            return content
        dataset.PixelData = encapsulate([cleaned(frame) for frame in frames])
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                del dataset[keyword]
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    except (DicomwrapError, *UNREADABLE):
        return content  # the stream can't be parsed: the contradictions say so, and it goes to quarantine
    return buffer.getvalue()
