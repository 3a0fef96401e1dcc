"""What happens to each attribute: the rows of PS3.15 Table E.1-1 that a wrapped photograph needs, and our own.

Knows keywords and action codes. An attribute that has no row here is removed (X), whatever it is: this table can only
keep what it names. ``OURS`` are attributes the standard's table keeps but that can identify a photograph.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final


@unique
class Action(StrEnum):
    """Action codes of PS3.15 Table E.1-1a, as resolved for VL Photographic Image Storage."""

    D = "D"
    Z = "Z"
    X = "X"
    K = "K"
    C = "C"
    U = "U"


WORDS: Final[dict[Action, str]] = {
    Action.D: "replaced by a pseudonym of the same kind",
    Action.Z: "emptied",
    Action.X: "removed",
    Action.K: "kept, when it says no more than its closed vocabulary; otherwise the copy is refused",
    Action.C: "cleaned: the stream is written anew from its coefficients; a code is written in the standard's words",
    Action.U: "replaced by a UID made with the profile's key, the same for the same original",
}

BASIC: Final[dict[str, Action]] = {
    # what identifies the patient and the visit
    "PatientName": Action.D,
    "PatientID": Action.D,
    "PatientBirthDate": Action.Z,
    "PatientSex": Action.Z,
    "AccessionNumber": Action.Z,
    "StudyID": Action.Z,
    "StudyDate": Action.Z,
    "StudyTime": Action.Z,
    "ReferringPhysicianName": Action.Z,
    "AcquisitionContextSequence": Action.Z,
    # type 1C in the VL Image Module when pictures are related in time; in a copy without times they aren't
    "ContentDate": Action.X,
    "ContentTime": Action.X,
    "StudyInstanceUID": Action.U,
    "SeriesInstanceUID": Action.U,
    "SOPInstanceUID": Action.U,
    "PixelData": Action.C,
    # not in Table E.1-1: these say what the picture is, not whose
    "SOPClassUID": Action.K,
    "ImageType": Action.K,
    "Modality": Action.K,
    "SeriesNumber": Action.K,
    "InstanceNumber": Action.K,
    "PatientOrientation": Action.K,
    "Laterality": Action.K,
    "ImageLaterality": Action.K,
    "AnatomicRegionSequence": Action.C,
    "SamplesPerPixel": Action.K,
    "PhotometricInterpretation": Action.K,
    "PlanarConfiguration": Action.K,
    "Rows": Action.K,
    "Columns": Action.K,
    "BitsAllocated": Action.K,
    "BitsStored": Action.K,
    "HighBit": Action.K,
    "PixelRepresentation": Action.K,
    "LossyImageCompression": Action.K,
    "LossyImageCompressionRatio": Action.C,
    "LossyImageCompressionMethod": Action.K,
}

OURS: Final[dict[str, Action]] = {
    "Manufacturer": Action.Z,
    "ManufacturerModelName": Action.X,
    "SoftwareVersions": Action.X,
    "ICCProfile": Action.X,
    "ContributingEquipmentSequence": Action.X,
    "ConsentForClinicalTrialUseSequence": Action.X,
    "TrackingID": Action.X,
    "ExposureTimeInSeconds": Action.X,
    "FNumber": Action.X,
    "FocalLength": Action.X,
    "FocalLengthIn35mmFilm": Action.X,
    "PhotographicSensitivity": Action.X,
    "FlashFiringStatus": Action.X,
}

TABLE: Final[dict[str, Action]] = {**BASIC, **OURS}


def action_for(keyword: str) -> Action:
    """Return what happens to the attribute; removal for any that has no row."""
    return TABLE.get(keyword, Action.X)
