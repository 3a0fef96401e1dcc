"""Read an incoming object so that nobody can read it otherwise: Orthanc's parser must see what this one sees.

Knows where two DICOM parsers part: a NUL or a blank inside a UID, an element that is there twice, elements out of order
(PS3.5 sections 6.2, 7.1, 9.1), letters of which nobody says by which character set they are to be read (PS3.5 section
6.1.2.3, PS3.3 section C.12.1.1.2). Must not know what an object must bring.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

import pydicom
from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from dicomwrap.bitstream.clean import carriers, without_carriers
from dicomwrap.bitstream.markers import Stream, parse
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.judging.values import texts
from dicomwrap.plaintext import one_tag, plain_texts, text_of
from orthanc_plugin.enforcement.nesting import Place, StructureError, places
from orthanc_plugin.enforcement.quickread import PIXELS, quickly
from orthanc_plugin.errors import ConsentgateError

UIDS: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
IDENTITY: Final = (*UIDS, "PatientID", "IssuerOfPatientID", "AccessionNumber")
LONGEST_IDENTITY: Final = 64  # characters: LO's limit, and the registry's for the accession number too
# Syntaxes in which a photograph's pixels either are a stream that is checked, or can hide nothing.
CHECKED_SYNTAXES: Final = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit})
UNKEPT: Final = "\ufffd"
NAMING: Final = "PatientID"  # by which, and the UIDs, Orthanc names what it stores
DEFAULT_SETS: Final = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})  # have no letters but ASCII's
JAPANESE_LATIN: Final = "IR 13"  # has an overline where ASCII has a tilde
OVERLINE: Final = "~"
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
        found = places(content)  # before anything that recurses
        dataset = quickly(content, found)
        if dataset is None:
            dataset = pydicom.dcmread(BytesIO(content))
            faults = [*_place_faults(dataset, found.top), *_uid_faults(dataset)]
        else:
            faults = _uid_faults(dataset)
    except StructureError as error:
        raise IntakeRefusedError(f"The object is not well formed: {error.args[0]}") from error
    except UNREADABLE as error:
        raise IntakeRefusedError(f"The object can't be read as DICOM ({type(error).__name__}).") from error
    if faults:
        raise IntakeRefusedError(f"The object is not well formed: {'; '.join(faults)}.")
    return dataset


def _uid_faults(dataset: Dataset) -> list[str]:
    said = {keyword: text_of(dataset, keyword) for keyword in UIDS}
    return [
        f"{keyword} is missing or no UID"
        for keyword, uid in said.items()
        if not _UID.fullmatch(uid) or len(uid) > _LONGEST_UID
    ]


def _place_faults(dataset: Dataset, found: list[Place]) -> list[str]:
    """Say whether pydicom found other elements on the top level than the walk did, which reads as DICOM says."""
    if not dataset.file_meta.TransferSyntaxUID.is_transfer_syntax:
        return ["nobody knows its transfer syntax"]
    seen = [  # as plain numbers, which are compared a hundred times as fast as pydicom's
        (int(element.tag), element.value_tell if isinstance(element, RawDataElement) else element.file_tell)
        for element in dataset.values()
    ]
    return [] if seen == [place[:2] for place in found] else ["two parsers take it for different objects"]


def identity(dataset: Dataset, keyword: str) -> str:
    """Return an element's text, with a mark for the one character that no database keeps."""
    return text_of(dataset, keyword).strip().replace("\0", UNKEPT)


def identity_faults(dataset: Dataset) -> list[str]:
    """Say why whose object this is can't be told for certain."""
    faults = []
    for keyword in IDENTITY:
        if keyword not in dataset:
            continue
        text, several = _said(dataset, keyword)
        if several or _CONTROL.search(text) or text != text.lstrip():
            faults.append(f"IDENTITY_AMBIGUOUS: {keyword} has several values, control characters or a leading blank")
        elif len(text.strip()) > LONGEST_IDENTITY:
            faults.append(f"IDENTITY_TOO_LONG: {keyword} has more than {LONGEST_IDENTITY} characters")
        elif keyword == NAMING and _reads_otherwise(dataset, text):
            faults.append(f"IDENTITY_AMBIGUOUS: {keyword} has signs that another program may read as others")
    return faults


def _reads_otherwise(dataset: Dataset, text: str) -> bool:
    """Tell whether Orthanc may take a text for another; it would name what it stores by what nobody accepted."""
    if text.strip() != text.strip(" "):
        return True  # a no-break space or the like at its end, which some take for a part of it
    said = {each.strip().upper() for each in texts(dataset, "SpecificCharacterSet")}
    if text.isascii():
        return OVERLINE in text and any(each.endswith(JAPANESE_LATIN) for each in said)
    return not said - DEFAULT_SETS or not said <= python_encoding.keys() or UNKEPT in text


def _said(dataset: Dataset, keyword: str) -> tuple[str, bool]:
    """Return an element's text, and whether it has several values."""
    plain = plain_texts(dataset, tag_for_keyword(keyword) or 0)
    if plain is not None and len(plain) == 1:
        return plain[0], False
    element = dataset[keyword]
    return str(element.value or ""), element.VM > 1


def streams(dataset: Dataset) -> tuple[Stream, ...]:
    """Take the frames of a JPEG Baseline object apart, once for all who look into them.

    Nothing is returned for what can't be taken apart, as for what is none: whoever looks then says so for itself.
    """
    if text_of(dataset.file_meta, "TransferSyntaxUID") != JPEGBaseline8Bit or one_tag(PIXELS) not in dataset:
        return ()
    try:
        count = int(dataset.get("NumberOfFrames") or 1)
        return tuple(parse(frame) for frame in generate_frames(dataset.PixelData, number_of_frames=count))
    except (DicomwrapError, *UNREADABLE):
        return ()


def without_hidden_metadata(dataset: Dataset, content: bytes, frames: tuple[Stream, ...]) -> bytes:
    """Return ``content``, or the same object with what its ``frames`` hide taken out (coefficients untouched)."""
    if not any(carriers(frame) for frame in frames):
        return content  # a stream that can't be parsed goes to quarantine: the contradictions say so
    try:
        dataset.PixelData = encapsulate([without_carriers(frame) for frame in frames])
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in dataset:
                del dataset[keyword]
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    except (DicomwrapError, *UNREADABLE):
        return content
    return buffer.getvalue()
