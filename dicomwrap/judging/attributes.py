"""Hold an object's elements against the modules of its SOP class.

Knows types 1, 2 and those conditions (1C, 2C) that the object itself can decide. Must not know bitstreams. The tables
are ``dicomwrap.iodtables``; what they don't say and is said here has its section of PS3.3 beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pydicom.dataset import Dataset

from dicomwrap import iodtables
from dicomwrap.anatomy import body_site
from dicomwrap.errors import PatientDetailsError
from dicomwrap.iodtables import Required, SopClass
from dicomwrap.judging.findings import Finding, error, warning
from dicomwrap.judging.values import binary, filled, items, number, text, texts
from dicomwrap.judging.walk import Walk

_ANYWHERE: Final = "the object"
_OF_THE_SKIN: Final = (iodtables.PHOTOGRAPHIC, iodtables.VIDEO_PHOTOGRAPHIC, iodtables.DERMOSCOPIC)
_LONGEST_CODE: Final = 16
_PDF: Final = b"%PDF-"


def sop_class_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when the object is no photograph at all."""
    uid = text(dataset, "SOPClassUID")
    if uid and uid not in iodtables.SOP_CLASSES:
        yield error("NOT_A_PHOTOGRAPH", "SOPClassUID: none of the photographs and documents judged here")


def type_findings(dataset: Dataset, walk: Walk) -> Iterator[Finding]:
    """Say which required elements are missing or empty, nested items included."""
    sop_class = iodtables.SOP_CLASSES.get(text(dataset, "SOPClassUID"))
    if sop_class is None:
        yield from _lacking(iodtables.MODULES["sop-common"], dataset, "")
    else:
        yield from _lacking(iodtables.required_of(sop_class), dataset, "")
        yield from _conditional(sop_class, dataset)
    for sequence, path, item in walk.items:
        yield from _item_findings(sequence, path, item)


def _lacking(required: Required, dataset: Dataset, path: str) -> Iterator[Finding]:
    for keyword in required.filled:
        yield from _type_1(dataset, keyword, path)
    for keyword in required.present:
        yield from _type_2(dataset, keyword, path)


def _type_1(dataset: Dataset, keyword: str, path: str = "", why: str = "") -> Iterator[Finding]:
    if keyword not in dataset:
        yield error("TYPE_1_MISSING", f"{_at(path, keyword)}: is missing{why}")
    elif not filled(dataset, keyword):
        yield error("TYPE_1_EMPTY", f"{_at(path, keyword)}: has no value{why}")


def _type_2(dataset: Dataset, keyword: str, path: str = "", why: str = "") -> Iterator[Finding]:
    if keyword not in dataset:
        yield error("TYPE_2_MISSING", f"{_at(path, keyword)}: is missing{why}; it may be empty")


def _conditional(sop_class: SopClass, dataset: Dataset) -> Iterator[Finding]:
    for module, keyword, of_type, holds, why in _CONDITIONS:
        if module in (_ANYWHERE, *sop_class.modules) and holds(dataset):
            yield from of_type(dataset, keyword, "", f", {why}")
    for module, keyword in _FILLED_WHERE_PRESENT:
        if module in (_ANYWHERE, *sop_class.modules) and keyword in dataset:
            yield from _type_1(dataset, keyword)
    if "general-series" in sop_class.modules:
        yield from _laterality(dataset)
    if "image-pixel" in sop_class.modules and "multi-frame" not in sop_class.modules:
        yield from _single_frame(sop_class, dataset)


def _laterality(dataset: Dataset) -> Iterator[Finding]:
    """PS3.3 sections C.7.3.1 and C.7.6.1: of paired parts one of the two must be there; readers ask for it always."""
    if "Laterality" not in dataset and "ImageLaterality" not in dataset:
        yield error("TYPE_2_MISSING", "ImageLaterality: is missing, and so is Laterality; one of them says the side")


def _single_frame(sop_class: SopClass, dataset: Dataset) -> Iterator[Finding]:
    whole_slide = sop_class.modality == "SM" and "vl-image" not in sop_class.modules
    may_have_several = whole_slide or "sc-multi-frame-image" in sop_class.modules
    if (number(dataset, "NumberOfFrames") or 1) > 1 and not may_have_several:
        yield error("SINGLE_FRAME", f"NumberOfFrames: a {sop_class.name} has one frame")


def _item_findings(sequence: str, path: str, item: Dataset) -> Iterator[Finding]:
    if sequence in iodtables.ITEMS:
        yield from _lacking(iodtables.ITEMS[sequence], item, path)
    if (sequence in iodtables.CODED or sequence.endswith("CodeSequence")) and sequence not in iodtables.UNCODED:
        yield from _code(path, item)
    for where, keyword, holds, why in _ITEM_CONDITIONS:
        if where == sequence and holds(item):
            yield from _type_1(item, keyword, path, f", {why}")


def _code(path: str, item: Dataset) -> Iterator[Finding]:
    """PS3.3 section 8.8: a meaning, one of three values, and for the two short ones the scheme."""
    yield from _type_1(item, "CodeMeaning", path)
    if not any(filled(item, keyword) for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue")):
        yield error("TYPE_1_MISSING", f"{path}.CodeValue: is missing or empty")
    elif not filled(item, "URNCodeValue"):
        yield from _type_1(item, "CodingSchemeDesignator", path)


def anatomy_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when a photograph of the skin has no site, or one that isn't of CID 4029."""
    if text(dataset, "SOPClassUID") not in _OF_THE_SKIN:
        return
    regions = items(dataset, "AnatomicRegionSequence")
    if not regions:
        yield warning("ANATOMIC_REGION", "AnatomicRegionSequence: is missing or empty; no site is said")
    for region in regions:
        if not _is_of_cid_4029(text(region, "CodingSchemeDesignator"), text(region, "CodeValue")):
            yield warning("ANATOMIC_REGION", "AnatomicRegionSequence: the code isn't of CID 4029")


def _is_of_cid_4029(scheme: str, value: str) -> bool:
    try:
        site = body_site(value[:_LONGEST_CODE] or None)
    except PatientDetailsError:
        return False
    return (site.scheme, site.value) == (scheme, value)


def patient_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when nobody can tell whose picture it is, although its identity wasn't removed."""
    if not filled(dataset, "PatientID") and text(dataset, "PatientIdentityRemoved") != "YES":
        yield warning("UNIDENTIFIED", "PatientID: is empty; an archive can't tell whose picture it is")


def time_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when nothing tells the time of capture."""
    if "PixelData" in dataset and not filled(dataset, "AcquisitionDateTime"):
        for keyword in ("ContentDate", "ContentTime"):
            if not filled(dataset, keyword):
                yield warning("CAPTURE_TIME", f"{keyword}: is missing or empty, and so is AcquisitionDateTime")


def document_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when an encapsulated document isn't the PDF that it must be."""
    document = binary(dataset, "EncapsulatedDocument")
    if text(dataset, "SOPClassUID") != iodtables.ENCAPSULATED_PDF or not document:
        return
    if not document.startswith(_PDF):
        yield error("TRANSFER_SYNTAX_STREAM", "EncapsulatedDocument: doesn't begin as a PDF does")
    length = number(dataset, "EncapsulatedDocumentLength")
    if length is not None and length not in (len(document), len(document) - 1):
        yield error("HEADER_BITSTREAM", f"EncapsulatedDocumentLength: says {length}, there are {len(document)} bytes")


def _at(path: str, keyword: str) -> str:
    return f"{path}.{keyword}" if path else keyword


def _says(keyword: str, *values: str) -> Callable[[Dataset], bool]:
    return lambda dataset: any(value in values for value in texts(dataset, keyword))


def _has(keyword: str) -> Callable[[Dataset], bool]:
    return lambda dataset: keyword in dataset


def _colour(dataset: Dataset) -> bool:
    return (number(dataset, "SamplesPerPixel") or 0) > 1


def _unoriented(dataset: Dataset) -> bool:
    return "ImageOrientationPatient" not in dataset


def _several_frames(dataset: Dataset) -> bool:
    return (number(dataset, "NumberOfFrames") or 1) > 1


def _is_film(dataset: Dataset) -> bool:
    """Tell what ``dciodvfy`` takes for the condition of AnatomicRegionSequence (PS3.3 section C.8.12.1)."""
    return "FrameTime" in dataset and "NumberOfFrames" in dataset


def _unpaired(keyword: str, other: str) -> Callable[[Dataset], bool]:
    return lambda dataset: keyword in dataset and other not in dataset


def _undeclared_method(dataset: Dataset) -> bool:
    return _says("PatientIdentityRemoved", "YES")(dataset) and "DeidentificationMethodCodeSequence" not in dataset


def _not_elsewhere(dataset: Dataset) -> bool:
    return "PixelDataProviderURL" not in dataset


# module, keyword, its type, when, and why
_CONDITIONS: Final = (
    ("image-pixel", "PixelData", _type_1, _not_elsewhere, "and the picture is elsewhere neither"),
    ("image-pixel", "PlanarConfiguration", _type_1, _colour, "although there are several samples a pixel"),
    *(
        ("image-pixel", f"{colour}PaletteColorLookupTable{part}", _type_1,
         _says("PhotometricInterpretation", "PALETTE COLOR"), "although the picture has a palette")
        for colour in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")
    ),
    ("image-pixel", "ExtendedOffsetTableLengths", _type_1, _has("ExtendedOffsetTable"), "but the offsets are there"),
    ("general-image", "PatientOrientation", _type_2, _unoriented, "although nothing else orients the picture"),
    ("vl-image", "WindowWidth", _type_1, _has("WindowCenter"), "but WindowCenter is there"),
    ("dermoscopic-image", "ImmersionMedia", _type_2, _says("ContactMethod", "CONTACT"), "although there was contact"),
    ("multi-frame", "FrameTime", _type_1, _says("FrameIncrementPointer", "(0018,1063)"), "but frames are told by it"),
    ("multi-frame", "FrameTimeVector", _type_1, _says("FrameIncrementPointer", "(0018,1065)"),
     "but frames are told by it"),
    ("vl-image", "AnatomicRegionSequence", _type_1, _is_film, "although the object is a film"),
    ("sc-multi-frame-image", "NumberOfFrames", _type_1, lambda _: True, "although the object is multi-frame"),
    ("sc-multi-frame-image", "FrameIncrementPointer", _type_1, _several_frames, "although there are several frames"),
    (_ANYWHERE, "TrackingUID", _type_1, _unpaired("TrackingID", "TrackingUID"), "but TrackingID is there"),
    (_ANYWHERE, "TrackingID", _type_1, _unpaired("TrackingUID", "TrackingID"), "but TrackingUID is there"),
    (_ANYWHERE, "DeidentificationMethod", _type_1, _undeclared_method, "although the identity was removed"),
)  # fmt: skip
# of type 1 in a condition or a module that only a person knows to apply
_FILLED_WHERE_PRESENT: Final = (
    *((_ANYWHERE, keyword) for keyword in ("SpecificCharacterSet", "FrameTime", "FrameTimeVector")),
    ("image-pixel", "ICCProfile"),
    ("vl-image", "AnatomicRegionSequence"),
    ("vl-image", "ContentTime"),
)
# sequence, keyword of its items, when, and why
_ITEM_CONDITIONS: Final = (
    ("ConsentForClinicalTrialUseSequence", "DistributionType", _says("ConsentForDistributionFlag", "YES", "WITHDRAWN"),
     "although distribution is agreed to or withdrawn"),
    ("ConsentForClinicalTrialUseSequence", "ClinicalTrialProtocolID", _says("DistributionType", "NAMED_PROTOCOL"),
     "although a protocol is named"),
    ("PrivateDataElementCharacteristicsSequence", "NonidentifyingPrivateElements",
     _says("BlockIdentifyingInformationStatus", "MIXED"), "although only a part is identifying"),
)  # fmt: skip
