"""Hold values against the terms that the standard allows.

Knows the enumerated values of photographs (PS3.3 sections in the table) and the form of UIDs (PS3.5 section 9.1). Must
not know bitstreams. A message names what is allowed and never what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydicom.dataset import Dataset

from dicomwrap import iodtables
from dicomwrap.judging.findings import Finding, error, warning
from dicomwrap.judging.values import number, text, texts
from dicomwrap.judging.walk import Walk

_UID: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_LONGEST_UID: Final = 64
_DIRECTIONS: Final = re.compile(r"(?:[ARHLPF]{1,3})|(?:(?:A|CD|CR|D|DI|L|LE|M|PA|PL|PR|R|RT|T|V){1,3})")
_YES_NO: Final = ("YES", "NO")


class Term(NamedTuple):
    """Which of an element's values (from 0; None: each) must be one of these."""

    keyword: str
    allowed: tuple[str, ...]
    position: int | None = None


EVERYWHERE: Final = (
    Term("PatientSex", ("M", "F", "O")),  # C.7.1.1
    Term("PatientIdentityRemoved", _YES_NO),
    Term("Laterality", ("R", "L")),  # C.7.3.1
    Term("ImageLaterality", ("R", "L", "U", "B")),  # C.7.6.1
    Term("ImageType", ("ORIGINAL", "DERIVED"), 0),  # C.7.6.1.1.2
    Term("ImageType", ("PRIMARY", "SECONDARY"), 1),
    Term("BurnedInAnnotation", _YES_NO),
    Term("RecognizableVisualFeatures", _YES_NO),
    Term("LossyImageCompression", ("00", "01")),
    Term("PlanarConfiguration", ("0", "1")),  # C.7.6.3
    Term("PixelRepresentation", ("0", "1")),
    Term("LongitudinalTemporalInformationModified", ("UNMODIFIED", "MODIFIED", "REMOVED")),  # C.12.1
    Term("ConversionType", ("DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN")),  # C.8.6.1
    Term("LightSourcePolarization", ("POLARIZED", "NON_POLARIZED")),  # C.8.12.13
    Term("ContactMethod", ("CONTACT", "NON_CONTACT")),
)
# PS3.3 section C.8.12.1; in the multi-frame and eye classes other depths are allowed
VISIBLE_LIGHT: Final = (
    Term("SamplesPerPixel", ("1", "3")),
    Term("PhotometricInterpretation", (
        "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_RCT", "YBR_ICT", "XYB",
    )),
    Term("BitsAllocated", ("8",)),
    Term("BitsStored", ("8",)),
    Term("HighBit", ("7",)),
    Term("PixelRepresentation", ("0",)),
    Term("PlanarConfiguration", ("0",)),
)  # fmt: skip
ITEM_TERMS: Final = {
    "ConsentForClinicalTrialUseSequence": (  # C.7.2.3
        Term("ConsentForDistributionFlag", ("NO", "YES", "WITHDRAWN")),
        Term("DistributionType", ("NAMED_PROTOCOL", "RESTRICTED_REUSE", "PUBLIC_RELEASE")),
    ),
    "PrivateDataElementCharacteristicsSequence": (  # C.12.1
        Term("BlockIdentifyingInformationStatus", ("SAFE", "UNSAFE", "MIXED")),
    ),
    "DeidentificationActionSequence": (Term("DeidentificationAction", ("D", "Z", "X", "U")),),
}


def term_findings(dataset: Dataset, walk: Walk) -> Iterator[Finding]:
    """Say which values aren't among those allowed."""
    yield from _terms(EVERYWHERE, dataset, "")
    sop_class = iodtables.SOP_CLASSES.get(text(dataset, "SOPClassUID"))
    if sop_class is not None:
        yield from _class_terms(sop_class, dataset)
    for sequence, path, item in walk.items:
        yield from _terms(ITEM_TERMS.get(sequence, ()), item, f"{path}.")
    yield from _bits(dataset)


def uid_findings(walk: Walk) -> Iterator[Finding]:
    """Say which UIDs aren't well formed."""
    for met in walk.met:
        if met.element.VR == "UI":
            value = met.element.value
            for uid in [value] if isinstance(value, str) else value or ():
                if uid and (len(uid) > _LONGEST_UID or _UID.fullmatch(uid) is None):
                    yield error("UID_FORM", f"{met.name}: isn't a UID")


def orientation_findings(dataset: Dataset) -> Iterator[Finding]:
    """Say when PatientOrientation isn't two directions (PS3.3 section C.7.6.1.1.1)."""
    said = tuple(part for part in texts(dataset, "PatientOrientation") if part)
    if said and (len(said) != 2 or not all(_DIRECTIONS.fullmatch(part) for part in said)):
        yield warning("ORIENTATION", "PatientOrientation: isn't two directions such as L\\F")


def _class_terms(sop_class: iodtables.SopClass, dataset: Dataset) -> Iterator[Finding]:
    if sop_class.modality:
        yield from _terms((Term("Modality", (sop_class.modality,)),), dataset, "")
    if "vl-image" in sop_class.modules:
        yield from _terms(VISIBLE_LIGHT, dataset, "")
    if text(dataset, "SOPClassUID") == iodtables.ENCAPSULATED_PDF:
        yield from _terms((Term("MIMETypeOfEncapsulatedDocument", ("application/pdf",)),), dataset, "")


def _terms(terms: tuple[Term, ...], dataset: Dataset, path: str) -> Iterator[Finding]:
    for keyword, allowed, position in terms:
        said = texts(dataset, keyword)
        chosen = said if position is None else said[position : position + 1]
        if any(value and value not in allowed for value in chosen):
            which = "" if position is None else f" value {position + 1}"
            yield error("ENUMERATED_VALUE", f"{path}{keyword}:{which} must be {' or '.join(allowed)}")


def _bits(dataset: Dataset) -> Iterator[Finding]:
    """PS3.5 section 8.1.1."""
    allocated, stored, high = (number(dataset, each) for each in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated is not None and stored is not None and not 1 <= stored <= allocated:
        yield error("ENUMERATED_VALUE", "BitsStored: must not be more than BitsAllocated")
    if stored is not None and high is not None and high != stored - 1:
        yield error("ENUMERATED_VALUE", "HighBit: must be one less than BitsStored")
