"""Make the copy of an object that says what it was released for, to whom and under which consent.

Knows pydicom objects and the consent block. Must not know who decided. The pixels stay bit for bit as they are, which
is read back and compared; the copy is an object of its own, so that two recipients' copies are never taken for one
another, and names the object it was made from (PS3.3 C.12.4 and C.12.1.1.5).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicomwrap.consentblock import CREATOR
from dicomwrap.consentstamp import ConsentStamp
from dicomwrap.consenttags import read_stamp, stamp
from dicomwrap.errors import DamagedPhotographError
from dicomwrap.hostile import UNREADABLE
from dicomwrap.uids import derived_uid

IMPLEMENTATION_UID: Final = UID("2.25.217380364514827196011475313512091237004")
MODIFYING_EQUIPMENT: Final = ("109103", "DCM", "Modifying Equipment")
MANUFACTURER: Final = "Consentgate"
REMEDY: Final = "Look at the object with dicomwrap verify; nothing was released."


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedCopy:
    """The copy's bytes, and its own SOP Instance UID."""

    content: bytes
    sop_instance_uid: str


def stamped_copy(content: bytes, consent: ConsentStamp) -> StampedCopy:
    """Return the copy of an object that carries ``consent``; the same object and consent give the same copy.

    What the object says of its own making (purpose and device of capture, confidentiality) stays said.

    Raises:
        DamagedPhotographError: the object can't be read, or its copy would not have the same pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydicom; the object was accepted as it is
            return _stamped(content, consent)
    except InvalidDicomError as error:
        raise DamagedPhotographError("The bytes are no DICOM object (PS3.10)", REMEDY) from error
    except (AssertionError, *UNREADABLE) as error:
        raise DamagedPhotographError(f"The object can't be copied ({type(error).__name__})", REMEDY) from error


def _forget(dataset: Dataset) -> None:
    """Remove every consent block, in whatever group and at whatever depth: it may name who had an earlier copy."""
    tags = tuple(dataset.keys())  # by which no value is read
    for creator in tags:
        if creator.is_private_creator and _text(dataset, creator) == CREATOR:
            block = (tag for tag in tags if tag.group == creator.group and tag.elem >> 8 == creator.elem)
            for tag in (*block, creator):
                del dataset[tag]
    for tag in tuple(dataset.keys()):
        if _is_sequence(dataset, tag):
            for item in dataset[tag].value or ():
                _forget(item)


def _text(dataset: Dataset, tag: BaseTag) -> str:
    value = dataset[tag].value
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip(" \0")


def _is_sequence(dataset: Dataset, tag: BaseTag) -> bool:
    """Tell so without reading a value; what has no VR in the file has the dictionary's."""
    vr = dataset.get_item(tag).VR
    return vr == "SQ" or (vr in (None, "UN") and dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ")


def _stamped(content: bytes, consent: ConsentStamp) -> StampedCopy:
    original, copy = dcmread(BytesIO(content)), dcmread(BytesIO(content))
    known = read_stamp(original) or ConsentStamp(capture_purpose="", confidentiality="")
    _forget(copy)
    copy.pop("DataSetTrailingPadding", None)  # bytes that mean nothing, which might hide anything
    stamp(
        copy,
        replace(
            consent,
            confidentiality=known.confidentiality,
            capture_purpose=known.capture_purpose,
            device_class=known.device_class,
            device_reason=known.device_reason,
        ),
    )
    parts = (consent.release_purpose, consent.recipient, consent.record_id, consent.record_version)
    made_from(copy, derived_uid(str(original.SOPInstanceUID), *parts))
    buffer = BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    made = StampedCopy(content=buffer.getvalue(), sop_instance_uid=str(copy.SOPInstanceUID))
    if _pixels(dcmread(BytesIO(made.content))) != _pixels(original):
        raise DamagedPhotographError("The copy would not have the same pixels", REMEDY)
    return made


def made_from(copy: Dataset, uid: str) -> None:
    """Make the object one of its own, and say from which and by whom."""
    source = Dataset()
    source.ReferencedSOPClassUID = copy.SOPClassUID
    source.ReferencedSOPInstanceUID = copy.SOPInstanceUID
    copy.SourceImageSequence = [*copy.get("SourceImageSequence", []), source]
    equipment, role = Dataset(), Dataset()
    role.CodeValue, role.CodingSchemeDesignator, role.CodeMeaning = MODIFYING_EQUIPMENT
    equipment.PurposeOfReferenceCodeSequence = [role]
    equipment.Manufacturer = MANUFACTURER
    copy.ContributingEquipmentSequence = [*copy.get("ContributingEquipmentSequence", []), equipment]
    syntax = copy.file_meta.TransferSyntaxUID
    copy.SOPInstanceUID = UID(uid)
    copy.preamble = bytes(128)
    copy.file_meta = FileMetaDataset()
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.file_meta.TransferSyntaxUID = syntax
    copy.file_meta.ImplementationClassUID = IMPLEMENTATION_UID


def _pixels(dataset: Dataset) -> tuple[object, ...]:
    """Return the values that a picture, a film or a document is made of, with how they are coded."""
    found = (dataset.get_item(keyword) for keyword in ("PixelData", "EncapsulatedDocument"))
    return dataset.file_meta.TransferSyntaxUID, *(None if each is None else each.value for each in found)
