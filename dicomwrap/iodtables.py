"""Which elements a photograph's object must have: the tables of PS3.3, as data.

Knows the type 1 and 2 elements of the modules that photographs are made of, and of the items nested in them. Must not
know how an object is held against them. Conditional types (1C, 2C) are ``dicomwrap.judging.attributes``' business.

Source: PS3.3 as highdicom 0.28.2 carries it (``_standard/module_attribute_map.json`` and ``iod_module_map.json``, made
from the DocBook of the standard), only mandatory modules, read in November 2026 and held against ``dciodvfy`` by tests.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Required(NamedTuple):
    """Keywords that must be there: ``filled`` with a value (type 1), ``present`` empty or not (type 2)."""

    filled: tuple[str, ...]
    present: tuple[str, ...]


class SopClass(NamedTuple):
    """One kind of object: its name, its mandatory modules, its Modality ("" where any will do)."""

    name: str
    modules: tuple[str, ...]
    modality: str = ""


def _required(filled: str = "", present: str = "") -> Required:
    return Required(tuple(filled.split()), tuple(present.split()))


MODULES: Final[dict[str, Required]] = {
    "patient": _required(present="PatientName PatientID PatientBirthDate PatientSex"),
    "general-study": _required(
        "StudyInstanceUID", "StudyDate StudyTime AccessionNumber ReferringPhysicianName StudyID"
    ),
    "general-series": _required("Modality SeriesInstanceUID", "SeriesNumber"),
    "general-equipment": _required(present="Manufacturer"),
    "enhanced-general-equipment": _required("Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions"),
    "general-image": _required(present="InstanceNumber"),
    "image-pixel": _required(
        "SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation"
    ),
    "acquisition-context": _required(present="AcquisitionContextSequence"),
    "vl-image": _required("ImageType", "LossyImageCompression"),
    "dermoscopic-image": _required(
        "RecognizableVisualFeatures",
        "LightSourcePolarization EmitterColorTemperature ContactMethod OpticalMagnificationFactor",
    ),
    "multi-frame": _required("NumberOfFrames FrameIncrementPointer"),
    "frame-of-reference": _required("FrameOfReferenceUID", "PositionReferenceIndicator"),
    "specimen": _required(
        "ContainerIdentifier SpecimenDescriptionSequence",
        "IssuerOfTheContainerIdentifierSequence ContainerTypeCodeSequence",
    ),
    "slide-coordinates": _required(present="ImageCenterPointCoordinatesSequence"),
    "sc-equipment": _required("ConversionType"),
    "sc-multi-frame-image": _required("BurnedInAnnotation"),
    "encapsulated-document-series": _required("Modality SeriesInstanceUID SeriesNumber"),
    "encapsulated-document": _required(
        "InstanceNumber BurnedInAnnotation EncapsulatedDocument MIMETypeOfEncapsulatedDocument",
        "ContentDate AcquisitionDateTime ContentTime ConceptNameCodeSequence DocumentTitle",
    ),
    "sop-common": _required("SOPClassUID SOPInstanceUID"),
}

_IMAGE: Final = ("sop-common", "patient", "general-study", "general-series", "general-image", "image-pixel")
_VL: Final = (*_IMAGE, "general-equipment", "acquisition-context", "vl-image")
_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
PHOTOGRAPHIC: Final = f"{_ROOT}77.1.4"
VIDEO_PHOTOGRAPHIC: Final = f"{_ROOT}77.1.4.1"
DERMOSCOPIC: Final = f"{_ROOT}77.1.7"
ENCAPSULATED_PDF: Final = f"{_ROOT}104.1"

# Of the classes for eye, whole slide and multi-frame Secondary Capture only the part that all photographs share.
SOP_CLASSES: Final[dict[str, SopClass]] = {
    f"{_ROOT}77.1.1": SopClass("VL Endoscopic Image", _VL, "ES"),
    f"{_ROOT}77.1.1.1": SopClass("Video Endoscopic Image", (*_VL, "multi-frame"), "ES"),
    f"{_ROOT}77.1.2": SopClass("VL Microscopic Image", _VL, "GM"),
    f"{_ROOT}77.1.2.1": SopClass("Video Microscopic Image", (*_VL, "multi-frame"), "GM"),
    f"{_ROOT}77.1.3": SopClass(
        "VL Slide-Coordinates Microscopic Image", (*_VL, "frame-of-reference", "specimen", "slide-coordinates"), "SM"
    ),
    PHOTOGRAPHIC: SopClass("VL Photographic Image", _VL, "XC"),
    VIDEO_PHOTOGRAPHIC: SopClass("Video Photographic Image", (*_VL, "multi-frame"), "XC"),
    f"{_ROOT}77.1.5.1": SopClass(
        "Ophthalmic Photography 8 Bit Image", (*_IMAGE, "general-equipment", "multi-frame"), "OP"
    ),
    f"{_ROOT}77.1.5.2": SopClass(
        "Ophthalmic Photography 16 Bit Image", (*_IMAGE, "general-equipment", "multi-frame"), "OP"
    ),
    f"{_ROOT}77.1.6": SopClass(
        "VL Whole Slide Microscopy Image", (*_IMAGE, "enhanced-general-equipment", "acquisition-context"), "SM"
    ),
    DERMOSCOPIC: SopClass(
        "Dermoscopic Photography Image", (*_VL, "enhanced-general-equipment", "dermoscopic-image"), "DMS"
    ),
    f"{_ROOT}7": SopClass("Secondary Capture Image", (*_IMAGE, "sc-equipment")),
    f"{_ROOT}7.2": SopClass(
        "Multi-frame Grayscale Byte Secondary Capture Image", (*_IMAGE, "sc-equipment", "sc-multi-frame-image")
    ),
    f"{_ROOT}7.4": SopClass(
        "Multi-frame True Color Secondary Capture Image", (*_IMAGE, "sc-equipment", "sc-multi-frame-image")
    ),
    ENCAPSULATED_PDF: SopClass(
        "Encapsulated PDF",
        (
            "sop-common", "patient", "general-study", "encapsulated-document-series", "general-equipment",
            "sc-equipment", "encapsulated-document",
        ),
    ),
}  # fmt: skip

_REFERENCE: Final = _required("ReferencedSOPClassUID ReferencedSOPInstanceUID")
_CONTENT_ITEM: Final = _required("ValueType ConceptNameCodeSequence")
_STAFF: Final = _required("PersonIdentificationCodeSequence")
# What every item of a sequence must have, wherever the sequence stands.
ITEMS: Final[dict[str, Required]] = {
    "AcquisitionContextSequence": _CONTENT_ITEM,
    "CodingSchemeIdentificationSequence": _required("CodingSchemeDesignator"),
    "ConsentForClinicalTrialUseSequence": _required("ConsentForDistributionFlag"),
    "ConsultingPhysicianIdentificationSequence": _STAFF,
    "ContainerComponentSequence": _required("ContainerComponentTypeCodeSequence"),
    "ContentItemModifierSequence": _CONTENT_ITEM,
    "ContentTemplateSequence": _required("MappingResource TemplateIdentifier"),
    "ContributingEquipmentSequence": _required("Manufacturer PurposeOfReferenceCodeSequence"),
    "ConversionSourceAttributesSequence": _REFERENCE,
    "DeidentificationActionSequence": _required("IdentifyingPrivateElements DeidentificationAction"),
    "DigitalSignaturesSequence": _required(
        "MACIDNumber DigitalSignatureUID DigitalSignatureDateTime CertificateType CertificateOfSigner Signature"
    ),
    "EncryptedAttributesSequence": _required("EncryptedContentTransferSyntaxUID EncryptedContent"),
    "FrameExtractionSequence": _required("MultiFrameSourceSOPInstanceUID"),
    "IconImageSequence": MODULES["image-pixel"],
    "MACParametersSequence": _required("MACIDNumber MACCalculationTransferSyntaxUID MACAlgorithm DataElementsSigned"),
    "MeasuredValueSequence": _required("MeasurementUnitsCodeSequence NumericValue"),
    "OperatorIdentificationSequence": _STAFF,
    "OriginalAttributesSequence": _required(
        "ModifiedAttributesSequence AttributeModificationDateTime ModifyingSystem ReasonForTheAttributeModification",
        "SourceOfPreviousValues",
    ),
    "OtherPatientIDsSequence": _required("PatientID TypeOfPatientID"),
    "PerformingPhysicianIdentificationSequence": _STAFF,
    "PhysiciansOfRecordIdentificationSequence": _STAFF,
    "PrivateDataElementCharacteristicsSequence": _required(
        "PrivateGroupReference PrivateCreatorReference BlockIdentifyingInformationStatus"
    ),
    "PrivateDataElementDefinitionSequence": _required(
        "PrivateDataElement PrivateDataElementValueMultiplicity PrivateDataElementValueRepresentation "
        "PrivateDataElementName PrivateDataElementKeyword"
    ),
    "ReferencedImageSequence": _REFERENCE,
    "ReferencedInstanceSequence": _REFERENCE,
    "ReferencedPatientPhotoSequence": _required("ReferencedSOPSequence TypeOfInstances"),
    "ReferencedPatientSequence": _REFERENCE,
    "ReferencedPerformedProcedureStepSequence": _REFERENCE,
    "ReferencedSOPSequence": _REFERENCE,
    "ReferencedSeriesSequence": _required("SeriesInstanceUID"),
    "ReferencedStudySequence": _REFERENCE,
    "ReferringPhysicianIdentificationSequence": _STAFF,
    "RelatedSeriesSequence": _required("StudyInstanceUID SeriesInstanceUID", "PurposeOfReferenceCodeSequence"),
    "SourceImageSequence": _REFERENCE,
    "SourceInstanceSequence": _REFERENCE,
    "SpecimenDescriptionSequence": _required(
        "SpecimenIdentifier SpecimenUID", "IssuerOfTheSpecimenIdentifierSequence SpecimenPreparationSequence"
    ),
    "SpecimenPreparationSequence": _required("SpecimenPreparationStepContentItemSequence"),
    "SpecimenPreparationStepContentItemSequence": _CONTENT_ITEM,
    "StudiesContainingOtherReferencedInstancesSequence": _required("ReferencedSeriesSequence StudyInstanceUID"),
    "UDISequence": _required("UniqueDeviceIdentifier"),
}
# Sequences of coded entries (PS3.3 section 8.8) whose keyword doesn't end in CodeSequence.
CODED: Final = frozenset({
    "AnatomicRegionSequence", "AnatomicRegionModifierSequence", "PrimaryAnatomicStructureSequence",
    "PrimaryAnatomicStructureModifierSequence", "DeviceSequence",
})  # fmt: skip
UNCODED: Final = frozenset({"MultiplexedAudioChannelsDescriptionCodeSequence"})


def required_of(sop_class: SopClass) -> Required:
    """Return what an object of this class must have at its top, in the order of the modules."""
    modules = [MODULES[name] for name in sop_class.modules]
    filled = dict.fromkeys(keyword for module in modules for keyword in module.filled)
    present = dict.fromkeys(keyword for module in modules for keyword in module.present)
    return Required(tuple(filled), tuple(keyword for keyword in present if keyword not in filled))
