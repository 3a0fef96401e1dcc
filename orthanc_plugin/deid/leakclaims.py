"""Hold what a copy says of its own de-identification against what stands in it.

Knows PS3.3 C.7.1.1 and C.12.1 (Patient Identity Removed and what goes with it), PS3.15 table E.1-1's claims and CID
7050. Must not know how a copy is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

PIXELS: Final = "113101"
FEATURES: Final = "113102"
FULL_DATES: Final = "113106"
MODIFIED_DATES: Final = "113107"
SAFE_PRIVATE: Final = "113111"
_NEEDS_NO: Final = {PIXELS: "BurnedInAnnotation", FEATURES: "RecognizableVisualFeatures"}
_DATES: Final = {FULL_DATES: "UNMODIFIED", MODIFIED_DATES: "MODIFIED"}
_ENVELOPED: Final = bytes.fromhex("06092a864886f70d010703")  # id-envelopedData (RFC 5652 6.1), first in its DER
_HEAD: Final = 20
# Of whom: none of these may say anything in a copy that is nobody's.
_NEVER: Final = (
    "IssuerOfPatientID", "OtherPatientIDs", "OtherPatientNames", "OtherPatientIDsSequence", "PatientBirthName",
    "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers", "MedicalRecordLocator", "MilitaryRank",
    "PatientInsurancePlanCodeSequence", "ResponsiblePerson", "ReferringPhysicianName", "CameraOwnerName",
    "EncapsulatedDocument", "OriginalAttributesSequence", "GPSLatitude", "GPSLongitude",
)  # fmt: skip


def codes_of(copy: Dataset) -> frozenset[str]:
    """Return the codes of CID 7050 that a copy claims."""
    items = copy.get("DeidentificationMethodCodeSequence") or ()
    return frozenset(str(item.get("CodeValue") or "") for item in items)


def _locked(copy: Dataset) -> tuple[Dataset, ...]:
    return tuple(copy.get("EncryptedAttributesSequence") or ())


def false_claims(copy: Dataset, elements: Iterable[DataElement]) -> Iterator[str]:
    """Yield the attributes that claim what the rest of the copy, with these elements at any depth, contradicts."""
    removed, codes = copy.get("PatientIdentityRemoved"), codes_of(copy)
    if removed not in ("YES", "NO"):
        yield "PatientIdentityRemoved"
    if not codes and not copy.get("DeidentificationMethod"):
        yield "DeidentificationMethod"
    yield from (keyword for code, keyword in _NEEDS_NO.items() if code in codes and copy.get(keyword) != "NO")
    if removed == "YES":
        yield from (keyword for keyword in _NEVER if copy.get(keyword))
        yield from (keyword for keyword in _NEEDS_NO.values() if copy.get(keyword) == "YES")
    said = {_DATES[code] for code in codes if code in _DATES} or {"REMOVED"}
    if said != {copy.get("LongitudinalTemporalInformationModified")}:
        yield "LongitudinalTemporalInformationModified"
    if not all(_ENVELOPED in bytes(item.get("EncryptedContent") or b"")[:_HEAD] for item in _locked(copy)):
        yield "EncryptedAttributesSequence"
    if SAFE_PRIVATE not in codes:
        yield from (str(element.tag) for element in elements if element.tag.is_private)
