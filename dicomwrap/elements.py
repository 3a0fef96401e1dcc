"""The elements of an object as it is being built: values by keyword, before they are bytes.

Knows tag and VR of every element that we write (PS3.6). Must not know what any of them means. A contract test holds the
dictionary against pydicom's. Why not pydicom itself: docs/adr/0007.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Scalar: TypeAlias = str | int | float | bytes
Value: TypeAlias = "Scalar | tuple[Scalar, ...] | list[Elements]"


class Elements(dict[str, "Value"]):
    """Values by DICOM keyword. A sequence is a list of ``Elements``; several values are a tuple; "" is zero length.

    Private elements have a key such as ``00771001LO``: tag and VR.
    """

    def known(self, **values: Value | None) -> None:
        """Set the elements about which something is known: neither None nor empty."""
        self.update({keyword: value for keyword, value in values.items() if value is not None and value != ""})


def code(value: str, scheme: str, meaning: str) -> Elements:
    """Return a coded entry (PS3.3 section 8.8)."""
    return Elements(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


# keyword: (tag, VR)
DICTIONARY: Final[dict[str, tuple[int, str]]] = {
    "SpecificCharacterSet": (0x00080005, "CS"), "ImageType": (0x00080008, "CS"),
    "InstanceCreationDate": (0x00080012, "DA"), "InstanceCreationTime": (0x00080013, "TM"),
    "SOPClassUID": (0x00080016, "UI"), "SOPInstanceUID": (0x00080018, "UI"), "StudyDate": (0x00080020, "DA"),
    "SeriesDate": (0x00080021, "DA"), "AcquisitionDate": (0x00080022, "DA"), "ContentDate": (0x00080023, "DA"),
    "AcquisitionDateTime": (0x0008002A, "DT"), "StudyTime": (0x00080030, "TM"), "SeriesTime": (0x00080031, "TM"),
    "ContentTime": (0x00080033, "TM"), "AccessionNumber": (0x00080050, "SH"), "Modality": (0x00080060, "CS"),
    "ConversionType": (0x00080064, "CS"), "Manufacturer": (0x00080070, "LO"), "InstitutionName": (0x00080080, "LO"),
    "InstitutionCodeSequence": (0x00080082, "SQ"), "ReferringPhysicianName": (0x00080090, "PN"),
    "CodeValue": (0x00080100, "SH"), "CodingSchemeDesignator": (0x00080102, "SH"), "CodeMeaning": (0x00080104, "LO"),
    "MappingResource": (0x00080105, "CS"), "TimezoneOffsetFromUTC": (0x00080201, "SH"),
    "PrivateDataElementCharacteristicsSequence": (0x00080300, "SQ"), "PrivateGroupReference": (0x00080301, "US"),
    "PrivateCreatorReference": (0x00080302, "LO"), "BlockIdentifyingInformationStatus": (0x00080303, "CS"),
    "NonidentifyingPrivateElements": (0x00080304, "US"), "DeidentificationActionSequence": (0x00080305, "SQ"),
    "IdentifyingPrivateElements": (0x00080306, "US"), "DeidentificationAction": (0x00080307, "CS"),
    "StudyDescription": (0x00081030, "LO"), "SeriesDescription": (0x0008103E, "LO"),
    "InstitutionalDepartmentName": (0x00081040, "LO"), "InstitutionalDepartmentTypeCodeSequence": (0x00081041, "SQ"),
    "OperatorsName": (0x00081070, "PN"), "ManufacturerModelName": (0x00081090, "LO"),
    "ReferencedPerformedProcedureStepSequence": (0x00081111, "SQ"), "ReferencedSeriesSequence": (0x00081115, "SQ"),
    "ReferencedInstanceSequence": (0x0008114A, "SQ"), "ReferencedSOPClassUID": (0x00081150, "UI"),
    "ReferencedSOPInstanceUID": (0x00081155, "UI"), "ReferencedSOPSequence": (0x00081199, "SQ"),
    "DerivationDescription": (0x00082111, "ST"), "StartTrim": (0x00082142, "IS"), "StopTrim": (0x00082143, "IS"),
    "RecommendedDisplayFrameRate": (0x00082144, "IS"), "AnatomicRegionSequence": (0x00082218, "SQ"),
    "DerivationCodeSequence": (0x00089215, "SQ"), "PatientName": (0x00100010, "PN"), "PatientID": (0x00100020, "LO"),
    "IssuerOfPatientID": (0x00100021, "LO"), "PatientBirthDate": (0x00100030, "DA"), "PatientSex": (0x00100040, "CS"),
    "ClinicalTrialTimePointID": (0x00120050, "LO"), "ConsentForClinicalTrialUseSequence": (0x00120083, "SQ"),
    "DistributionType": (0x00120084, "CS"), "ConsentForDistributionFlag": (0x00120085, "CS"),
    "ExposureTimeInSeconds": (0x00160004, "DS"), "FNumber": (0x00160005, "DS"), "FlashFiringStatus": (0x00160011, "US"),
    "FlashReturnStatus": (0x00160012, "US"), "FlashMode": (0x00160013, "US"),
    "FlashFunctionPresent": (0x00160014, "US"), "FlashRedEyeMode": (0x00160015, "US"),
    "ExposureProgram": (0x00160016, "US"), "PhotographicSensitivity": (0x00160018, "IS"),
    "SelfTimerMode": (0x00160019, "IS"), "SensitivityType": (0x0016001A, "US"),
    "StandardOutputSensitivity": (0x0016001B, "IS"), "RecommendedExposureIndex": (0x0016001C, "IS"),
    "ISOSpeed": (0x0016001D, "IS"), "ISOSpeedLatitudeyyy": (0x0016001E, "IS"),
    "ISOSpeedLatitudezzz": (0x0016001F, "IS"), "EXIFVersion": (0x00160020, "UT"),
    "ShutterSpeedValue": (0x00160021, "DS"), "ApertureValue": (0x00160022, "DS"), "BrightnessValue": (0x00160023, "DS"),
    "ExposureBiasValue": (0x00160024, "DS"), "MaxApertureValue": (0x00160025, "DS"),
    "SubjectDistance": (0x00160026, "DS"), "MeteringMode": (0x00160027, "US"), "LightSource": (0x00160028, "US"),
    "FocalLength": (0x00160029, "DS"), "SubjectArea": (0x0016002A, "IS"), "Temperature": (0x00160030, "DS"),
    "Humidity": (0x00160031, "DS"), "Pressure": (0x00160032, "DS"), "WaterDepth": (0x00160033, "DS"),
    "Acceleration": (0x00160034, "DS"), "CameraElevationAngle": (0x00160035, "DS"), "FlashEnergy": (0x00160036, "DS"),
    "SubjectLocation": (0x00160037, "IS"), "PhotographicExposureIndex": (0x00160038, "DS"),
    "SensingMethod": (0x00160039, "US"), "FileSource": (0x0016003A, "US"), "SceneType": (0x0016003B, "US"),
    "CustomRendered": (0x00160041, "US"), "ExposureMode": (0x00160042, "US"), "WhiteBalance": (0x00160043, "US"),
    "DigitalZoomRatio": (0x00160044, "DS"), "FocalLengthIn35mmFilm": (0x00160045, "IS"),
    "SceneCaptureType": (0x00160046, "US"), "GainControl": (0x00160047, "US"), "Contrast": (0x00160048, "US"),
    "Saturation": (0x00160049, "US"), "Sharpness": (0x0016004A, "US"), "SubjectDistanceRange": (0x0016004C, "US"),
    "LensSpecification": (0x0016004E, "DS"), "LensMake": (0x0016004F, "UT"), "LensModel": (0x00160050, "UT"),
    "LensSerialNumber": (0x00160051, "UT"), "LightSourcePolarization": (0x00161001, "CS"),
    "EmitterColorTemperature": (0x00161002, "DS"), "ContactMethod": (0x00161003, "CS"),
    "ImmersionMedia": (0x00161004, "CS"), "OpticalMagnificationFactor": (0x00161005, "DS"),
    "CineRate": (0x00180040, "IS"), "EffectiveDuration": (0x00180072, "DS"), "DeviceSerialNumber": (0x00181000, "LO"),
    "SoftwareVersions": (0x00181020, "LO"), "FrameTime": (0x00181063, "DS"), "FrameDelay": (0x00181066, "DS"),
    "ActualFrameDuration": (0x00181242, "IS"), "PreferredPlaybackSequencing": (0x00181244, "US"),
    "ContributingEquipmentSequence": (0x0018A001, "SQ"), "ContributionDateTime": (0x0018A002, "DT"),
    "ContributionDescription": (0x0018A003, "ST"), "StudyInstanceUID": (0x0020000D, "UI"),
    "SeriesInstanceUID": (0x0020000E, "UI"), "StudyID": (0x00200010, "SH"), "SeriesNumber": (0x00200011, "IS"),
    "InstanceNumber": (0x00200013, "IS"), "PatientOrientation": (0x00200020, "CS"),
    "FrameOfReferenceUID": (0x00200052, "UI"), "ImageLaterality": (0x00200062, "CS"),
    "PositionReferenceIndicator": (0x00201040, "LO"), "SamplesPerPixel": (0x00280002, "US"),
    "PhotometricInterpretation": (0x00280004, "CS"), "PlanarConfiguration": (0x00280006, "US"),
    "NumberOfFrames": (0x00280008, "IS"), "FrameIncrementPointer": (0x00280009, "AT"), "Rows": (0x00280010, "US"),
    "Columns": (0x00280011, "US"), "BitsAllocated": (0x00280100, "US"), "BitsStored": (0x00280101, "US"),
    "HighBit": (0x00280102, "US"), "PixelRepresentation": (0x00280103, "US"), "BurnedInAnnotation": (0x00280301, "CS"),
    "RecognizableVisualFeatures": (0x00280302, "CS"), "ICCProfile": (0x00282000, "OB"),
    "ColorSpace": (0x00282002, "CS"), "LossyImageCompression": (0x00282110, "CS"),
    "LossyImageCompressionRatio": (0x00282112, "DS"), "LossyImageCompressionMethod": (0x00282114, "CS"),
    "RequestingService": (0x00321033, "LO"), "RequestedProcedureDescription": (0x00321060, "LO"),
    "ReasonForVisit": (0x00321066, "UT"), "AdmissionID": (0x00380010, "LO"),
    "IssuerOfAdmissionIDSequence": (0x00380014, "SQ"), "ScheduledProcedureStepDescription": (0x00400007, "LO"),
    "ScheduledProcedureStepID": (0x00400009, "SH"), "LocalNamespaceEntityID": (0x00400031, "UT"),
    "PerformedProcedureStepDescription": (0x00400254, "LO"), "RequestAttributesSequence": (0x00400275, "SQ"),
    "AcquisitionContextSequence": (0x00400555, "SQ"), "RequestedProcedureID": (0x00401001, "SH"),
    "RelationshipType": (0x0040A010, "CS"), "ValueType": (0x0040A040, "CS"),
    "ConceptNameCodeSequence": (0x0040A043, "SQ"), "ContinuityOfContent": (0x0040A050, "CS"),
    "TextValue": (0x0040A160, "UT"), "ConceptCodeSequence": (0x0040A168, "SQ"),
    "PurposeOfReferenceCodeSequence": (0x0040A170, "SQ"),
    "CurrentRequestedProcedureEvidenceSequence": (0x0040A375, "SQ"), "ContentTemplateSequence": (0x0040A504, "SQ"),
    "ContentSequence": (0x0040A730, "SQ"), "TemplateIdentifier": (0x0040DB00, "CS"),
    "DocumentTitle": (0x00420010, "ST"), "EncapsulatedDocument": (0x00420011, "OB"),
    "MIMETypeOfEncapsulatedDocument": (0x00420012, "LO"), "EncapsulatedDocumentLength": (0x00420015, "UL"),
    "TrackingID": (0x00620020, "UT"), "TrackingUID": (0x00620021, "UI"), "InstanceOriginStatus": (0x04000600, "CS"),
    "PixelData": (0x7FE00010, "OB"),
}  # fmt: skip
