"""What every object we write must hold, beyond what validators ask.

Knows the type 1 and 2 elements of a VL Photographic Image (PS3.3 section A.32.4) and the elements that we require of
ourselves. Must not know how an object was built. The test suite holds the same objects against ``dciodvfy``.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from dicomwrap.bitstream.verify import contradictions
from dicomwrap.errors import ConformanceError

FILLED: Final = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "Modality", "StudyDate", "StudyTime", "StudyID", "SeriesNumber", "InstanceNumber", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelData",
    "LossyImageCompression",
    # required of ourselves:
    "ContentDate", "ContentTime", "AcquisitionDateTime", "ImageLaterality", "AnatomicRegionSequence",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod", "InstanceOriginStatus",
    "ContributingEquipmentSequence", "PrivateDataElementCharacteristicsSequence",
)  # fmt: skip
PRESENT: Final = (
    "AccessionNumber", "Manufacturer", "ReferringPhysicianName", "PatientName", "PatientID", "PatientBirthDate",
    "PatientSex", "PatientOrientation", "AcquisitionContextSequence", "PixelRepresentation",
)  # fmt: skip
# Where and whose: never written by the wrapper (PS3.3 section C.8.12.12).
_LOCATION: Final = range(0x00160070, 0x0016008F)
_NEVER: Final = ("CameraOwnerName", "MakerNote")


def shortcomings(dataset: Dataset) -> tuple[str, ...]:
    """Name everything an object lacks, says wrongly or must not say; empty means that it may be written."""
    missing = [f"{keyword}: is missing or empty" for keyword in FILLED if not dataset.get(keyword)]
    absent = [f"{keyword}: is missing" for keyword in PRESENT if keyword not in dataset]
    location = [f"{element.keyword}: must never be written" for element in dataset if element.tag in _LOCATION]
    private = [f"{keyword}: must never be written" for keyword in _NEVER if keyword in dataset]
    return (*missing, *absent, *location, *private, *contradictions(dataset))


def check(dataset: Dataset) -> None:
    """Hold an object against ``shortcomings``.

    Raises:
        ConformanceError: it has some.
    """
    found = shortcomings(dataset)
    if found:
        raise ConformanceError(found)
