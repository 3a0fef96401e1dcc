"""Derive the copy: apply a profile to an original, clean its stream again, prove it, encode it.

Knows DICOM objects and the profile. Must not know who asked. What can't be parsed or proven doesn't leave. Source:
PS3.15 Annex E.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.multival import MultiValue
from pydicom.uid import UID, JPEGBaseline8Bit

from dicomwrap.bitstream.rewrite import rewritten
from dicomwrap.bitstream.verify import contradictions
from dicomwrap.consenttags import read_stamp, stamp
from dicomwrap.errors import DicomwrapError
from dicomwrap.hostile import UNREADABLE
from orthanc_plugin.deid.closed import region, safe_half, vocabulary
from orthanc_plugin.deid.leakcheck import leaks
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.table import Action, action_for
from orthanc_plugin.errors import DeidentificationError

IMPLEMENTATION_UID: Final = UID("2.25.217380364514827196011475313512091237004")


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A copy that may leave: its bytes and its own SOP Instance UID."""

    content: bytes
    sop_instance_uid: str


def _pseudonymised(keyword: str, original: Dataset, pseudonyms: Pseudonyms) -> str:
    pseudonym = pseudonyms.patient_id(str(original.get("PatientID", "")), str(original.get("IssuerOfPatientID", "")))
    return f"ANON^{pseudonym}" if keyword == "PatientName" else pseudonym


def _acted(original: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    copy = Dataset()
    for element in original:
        match action_for(element.keyword):
            case Action.K:
                copy.add(vocabulary(element))
            case Action.C if element.keyword == "AnatomicRegionSequence":
                copy.AnatomicRegionSequence = region(list(element.value))
            case Action.C:
                copy.add(element)
            case Action.Z:
                setattr(copy, element.keyword, [] if element.VR == "SQ" else "")
            case Action.D:
                setattr(copy, element.keyword, _pseudonymised(element.keyword, original, pseudonyms))
            case Action.U:
                setattr(copy, element.keyword, pseudonyms.uid(str(element.value)))
            case Action.X:
                pass
    if not copy.get("AnatomicRegionSequence"):
        copy.pop("AnatomicRegionSequence", None)
    return copy


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _declare(copy: Dataset, profile: Profile) -> None:
    """Write truthfully what was done (PS3.3 C.7.1.1, C.12.1); the reviewer's finding stands for the picture."""
    copy.SpecificCharacterSet = "ISO_IR 192"
    copy.PatientIdentityRemoved = "YES"
    copy.DeidentificationMethod = f"Consentgate profile {profile.name}"
    copy.DeidentificationMethodCodeSequence = [_code(*method) for method in profile.methods]
    copy.LongitudinalTemporalInformationModified = "REMOVED"
    copy.BurnedInAnnotation = "NO"
    copy.RecognizableVisualFeatures = "NO"
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109104", "De-identifying Equipment")]
    equipment.Manufacturer = "Consentgate"
    copy.ContributingEquipmentSequence = [equipment]


def _keep_safe_half(original: Dataset, copy: Dataset) -> None:
    known = read_stamp(original)
    safe = safe_half(known) if known is not None else None
    if safe is not None:
        stamp(copy, safe)


def _earlier(copy: Dataset) -> list[str]:
    """Return the ratios of all compressions but the last, one for each method, as numbers and nothing else."""
    ratios, methods = copy.get("LossyImageCompressionRatio"), copy.get("LossyImageCompressionMethod")
    if not isinstance(ratios, MultiValue) or not isinstance(methods, MultiValue) or len(ratios) != len(methods):
        return []
    return [f"{min(float(ratio), 9999):.2f}" for ratio in ratios[:-1]]


def _clean_pixels(copy: Dataset) -> None:
    frames = [rewritten(frame) for frame in generate_frames(copy.PixelData, number_of_frames=1)]
    pixels = int(copy.Rows) * int(copy.Columns) * int(copy.SamplesPerPixel)
    copy.LossyImageCompressionRatio = [*_earlier(copy), f"{pixels * len(frames) / sum(map(len, frames)):.2f}"]
    copy.PixelData = encapsulate(frames)
    copy["PixelData"].VR = "OB"
    copy["PixelData"].is_undefined_length = True


def _encoded(copy: Dataset) -> bytes:
    copy.file_meta = FileMetaDataset()
    copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    copy.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    copy.file_meta.ImplementationClassUID = IMPLEMENTATION_UID
    buffer = BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _proven(content: bytes, original: Dataset) -> None:
    """Read the encoded copy back and refuse it when anything of the patient is still in it."""
    again = pydicom.dcmread(BytesIO(content))
    if found := leaks(original, again):
        raise DeidentificationError(f"The copy still carries identifiers in {', '.join(sorted(set(found)))}.")
    if found := contradictions(again):
        raise DeidentificationError(f"The copy's stream is not clean: {'; '.join(found)}.")


def deidentify(content: bytes, profile: Profile, pseudonyms: Pseudonyms) -> Derived:
    """Return the copy of ``content`` under ``profile``; the same input and key give the same copy.

    Raises:
        DeidentificationError: the object can't be parsed, isn't a baseline JPEG photograph, or the copy could not be
            proven clean.
    """
    try:
        original = pydicom.dcmread(BytesIO(content))
        if original.file_meta.TransferSyntaxUID != JPEGBaseline8Bit:
            raise DeidentificationError("Only JPEG baseline photographs can be anonymised so far.")
        copy = _acted(original, pseudonyms)
        if profile.retain_safe_private:
            _keep_safe_half(original, copy)
        _clean_pixels(copy)
        _declare(copy, profile)
        derived = Derived(content=_encoded(copy), sop_instance_uid=str(copy.SOPInstanceUID))
        _proven(derived.content, original)
    except DeidentificationError:
        raise
    except (DicomwrapError, *UNREADABLE) as error:
        raise DeidentificationError(f"The object can't be anonymised ({type(error).__name__}).") from error
    return derived
