"""What a kept attribute may say: closed vocabularies, so that no free text can ride along in an attribute that is kept.

Knows the terms of PS3.3 for images, CID 4029, the codes of PS3.16 and the words of the consent block. A value outside
them is a refusal where a picture can't be without the attribute, and otherwise the attribute is left out; it is never
repaired. These attributes have no row in PS3.15 Table E.1-1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Final, cast

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicomwrap.consenttags import ConsentStamp
from dicomwrap.terms import PURPOSE_CODES, SECONDARY_USE
from orthanc_plugin.deid.elements import keyword, representations
from orthanc_plugin.errors import DeidentificationError

_SMALL: Final = r"[0-9]{0,5}"
_COUNT: Final = r"[0-9]{0,4}"
_NUMBER: Final = r"[-+]?[0-9]{0,6}(\.[0-9]{0,12})?([eE][-+]?[0-9]{1,3})?"
_YES: Final = "YES|NO"


def _patterns(values: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {keyword: re.compile(pattern) for keywords, pattern in values.items() for keyword in keywords.split()}


# What a picture can't be shown without; SOPClassUID is besides held against the storage classes (``apply``).
ESSENTIAL: Final = _patterns({
    "SOPClassUID": r"1\.2\.840\.10008\.5\.1\.4\.1\.1(\.[0-9]{1,3}){1,4}",
    "ImageType": "ORIGINAL|DERIVED|PRIMARY|SECONDARY|AXIAL|LOCALIZER|OTHER",
    "Modality": "XC|DMS|ES|GM|SM|OP|OT|CT|MR|CR|DX|MG|IO|PX|US|NM|PT|XA|RF",
    "SeriesNumber InstanceNumber AcquisitionNumber": _COUNT,
    "PatientOrientation": "[APLRHF]{0,3}",
    "Laterality": "[RL]?",
    "ImageLaterality": "[RLUB]",
    "SamplesPerPixel": "[13]",
    "PhotometricInterpretation": "YBR_FULL_422|YBR_FULL|YBR_RCT|YBR_ICT|YBR_PARTIAL_420|RGB|MONOCHROME[12]",
    "PlanarConfiguration PixelRepresentation": "[01]",
    "Rows Columns NumberOfFrames": _SMALL,
    "BitsAllocated": "8|16",
    "BitsStored": "8|9|1[0-6]",
    "HighBit": "7|8|9|1[0-5]",
    "LossyImageCompression": "00|01",
    "LossyImageCompressionMethod": "ISO_10918_1|ISO_14495_1|ISO_15444_1|ISO_15444_15|ISO_14496_10|ISO_23008_2",
})  # fmt: skip

# Geometry, values and times between frames: what a picture means, and no words. Left out when they say anything else.
USEFUL: Final = _patterns({
    "LossyImageCompressionRatio": r"[0-9]{1,4}(\.[0-9]{1,12})?",
    "PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing PixelAspectRatio ImageOrientationPatient "
    "ImagePositionPatient SliceThickness SpacingBetweenSlices SliceLocation WindowCenter WindowWidth RescaleIntercept "
    "RescaleSlope KVP ExposureTime XRayTubeCurrent Exposure RepetitionTime EchoTime FlipAngle EchoTrainLength "
    "MagneticFieldStrength RecommendedDisplayFrameRate CineRate FrameDelay EmitterColorTemperature "
    "OpticalMagnificationFactor": _NUMBER,
    "FrameTime": r"[0-9]{1,6}(\.[0-9]{1,14})?",  # milliseconds; 30 frames a second take all the digits that a DS has
    "SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue": r"-?[0-9]{1,5}",
    "FrameIncrementPointer": r"\(0018, ?1063\)",
    "RescaleType": "HU|US|OD",
    "VOILUTFunction": "LINEAR|LINEAR_EXACT|SIGMOID",
    "PresentationLUTShape": "IDENTITY|INVERSE",
    "ConversionType": "DV|DI|DF|WSD|SD|SI|DRW|SYN",
    "PatientPosition": "HFP|HFS|HFDR|HFDL|FFP|FFS|FFDR|FFDL",
    "ScanningSequence": "SE|IR|GR|EP|RM",
    "SequenceVariant": "SK|MTC|SS|TRSS|SP|MP|OSP|NONE",
    "ScanOptions": "PER|RG|CG|PPG|FC|PFF|PFP|SP|FS",
    "MRAcquisitionType": "2D|3D",
    "LightSourcePolarization": "POLARIZED|NON_POLARIZED",
    "ContactMethod": "CONTACT|NON_CONTACT",
    "ImmersionMedia": "ULTRASOUND_GEL|ALCOHOL|WATER|MINERAL_OIL|PLASTIC_CAP",
    "QualityControlImage PartialView": _YES,
    "ReferencedSOPClassUID": r"[0-9.]*",
})  # fmt: skip
# What options keep expressly, where the standard has words for it: a short text of somebody's own is none of them.
KEPT: Final = _patterns({
    "PatientSex": "[MFO]?",
    "PatientSexNeutered": "ALTERED|UNALTERED",
    "SmokingStatus": "YES|NO|UNKNOWN",
    "TimezoneOffsetFromUTC": "[-+][0-9]{4}",
})  # fmt: skip
FIXED_TERMS: Final = 2  # of ImageType: whether it is original, and whether it was taken of the patient
VOCABULARY: Final = {**ESSENTIAL, **USEFUL}

PURPOSES: Final = frozenset({SECONDARY_USE, *PURPOSE_CODES.values()})
BLOCK: Final = re.compile(
    r"1\|(active|rejected|proposed|inactive|entered-in-error|none)\|(OPTIN|OPTOUT|NOCONSENT|IMPLIED|EMRGONLY)\|"
    r"[ULMNRV]?\|(PATIENT|PARENT|PROXY|CLINICIAN)?"
)


def is_of_the_standard(uid: str) -> bool:
    """Tell whether the UID is one of PS3.6 table A-1, which is the same for everybody."""
    return bool(UID(uid).type)


def _says(element: DataElement, pattern: re.Pattern[str]) -> bool:
    values = element.value if element.VM > 1 else [element.value]
    texts = ["" if value is None else str(value) for value in values]
    if element.VR == "UI" and not all(is_of_the_standard(text) for text in texts):
        return False
    return all(pattern.fullmatch(text) for text in texts)


def _without_further_terms(element: DataElement, pattern: re.Pattern[str]) -> DataElement:
    """Return ImageType without what others have added to its first two terms (PS3.3 C.7.6.1.1.2)."""
    first, further = element.value[:FIXED_TERMS], element.value[FIXED_TERMS:]
    return DataElement(element.tag, element.VR, [*first, *(each for each in further if pattern.fullmatch(str(each)))])


def vocabulary(element: DataElement) -> DataElement | None:
    """Return the element when it says only what its vocabulary has; None when it has to be left out.

    Raises:
        DeidentificationError: a picture can't be without it, and it says something else or is encoded otherwise than
            the standard says.
    """
    name = keyword(int(element.tag))
    pattern = VOCABULARY.get(name)
    if pattern is None:
        return None
    encoded = element.VR in representations(int(element.tag))
    if encoded and name == "ImageType" and element.VM > FIXED_TERMS:
        element = _without_further_terms(element, pattern)
    if encoded and _says(element, pattern):
        return element
    if name in ESSENTIAL:
        raise DeidentificationError(f"{name} has a value outside its vocabulary.")
    return None


def says_its_words(element: DataElement) -> bool:
    """Tell whether what an option keeps says only what the standard has for it, where it has anything."""
    pattern = KEPT.get(keyword(int(element.tag)))
    return pattern is None or _says(element, pattern)


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """Return the meanings of the codes that PS3.16 uses, by scheme and value; read when the first is asked for."""
    from pydicom.sr._concepts_dict import concepts

    schemes = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", concepts)
    return {
        (scheme, value): meaning
        for scheme, keywords in schemes.items()
        for values in keywords.values()
        for value, (meaning, _) in values.items()
    }


def code(item: Dataset) -> Dataset | None:
    """Return a coded entry in the standard's own words; None when it isn't one of the standard's codes."""
    value, scheme = str(item.get("CodeValue") or ""), str(item.get("CodingSchemeDesignator") or "")
    meaning = _meanings().get((scheme, value), "")
    if not meaning:
        return None
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def safe_half(known: ConsentStamp) -> ConsentStamp | None:
    """Return what the consent block says of purposes; never which consent it was, nor a date, nor any other word."""
    words = "|".join((known.schema, known.status, known.basis, known.confidentiality, known.given_by))
    purposes = {*known.permitted, *known.denied, known.capture_purpose}
    if not BLOCK.fullmatch(words) or not purposes <= PURPOSES:
        return None
    return replace(
        known,
        record_id="",
        record_version="",
        device_class="",
        device_reason="",
        release_purpose="",
        recipient="",
        decided_on=None,
        not_after=None,
        distributions=(),
    )
