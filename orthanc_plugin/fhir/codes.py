"""The code systems and URLs of a FHIR Consent, and how purposes are written in them.

Knows codes. Must not know resources. Sources: HL7 v3-ActReason (purposes of use), PS3.16 CID 7010 (publication), IHE
ITI Privacy Consent on FHIR (PCF), profile Intermediate Consent.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.terms import PURPOSE_CODES, Purpose

Json = dict[str, object]
Code = tuple[str, str]

# Whatever neither FHIR nor PCF can say stands under this name; docs/fhir.md lists it all.
OWN: Final = "urn:consentgate:fhir:"
PURPOSE_SYSTEM: Final = f"{OWN}purpose"
AUDIENCE_SYSTEM: Final = f"{OWN}audience"
CONSENT_SYSTEM: Final = f"{OWN}consent"
ISSUER_SYSTEM: Final = f"{OWN}issuer:"
POLICY_URI: Final = f"{OWN}policy:"

ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
SCOPE: Final[Code] = ("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
RECIPIENT: Final[Code] = ("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
CATEGORIES: Final[tuple[Code, ...]] = (("http://loinc.org", "59284-0"), ("http://loinc.org", "64292-6"))
PROFILE: Final = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentIntermediate"
DICOM_UID: Final = "urn:dicom:uid"
OID: Final = "urn:oid:"

_SYSTEMS: Final = {"": ACT_REASON, "DCM": DCM, "99CONSENTGATE": PURPOSE_SYSTEM}


def _code(purpose: Purpose) -> Code:
    scheme, _, code = PURPOSE_CODES[purpose].rpartition(":")
    return _SYSTEMS[scheme], code


CODES: Final[dict[Purpose, Code]] = {purpose: _code(purpose) for purpose in Purpose}
BY_CODE: Final[dict[Code, Purpose]] = {code: purpose for purpose, code in CODES.items()}

# A code that stands for several purposes agrees to the narrowest of them, or to none, and refuses all of them
# (v3-ActReason: COC and ETREAT are children of TREAT, BTG of ETREAT; TRAIN, HQUALIMP, HLEGAL, RECORDMGT of HOPERAT).
# Nothing is ever released for payment, so neither a yes nor a no to HPAYMT changes anything here.
_TREATMENT: Final = (Purpose.DIRECT_CARE, Purpose.SECOND_OPINION, Purpose.EMERGENCY_CARE)
_OPERATIONS: Final = (
    Purpose.LOCAL_AUDIT,
    Purpose.TEACHING,
    Purpose.LEGAL_DISCLOSURE,
    Purpose.RECORDS_MANAGEMENT,
)
PERMITTED_BY: Final[dict[Code, tuple[Purpose, ...]]] = {
    **{code: (purpose,) for code, purpose in BY_CODE.items()},
    (ACT_REASON, "ETREAT"): (Purpose.EMERGENCY_CARE,),
    (ACT_REASON, "HOPERAT"): (),
    (ACT_REASON, "HPAYMT"): (),
}
REFUSED_BY: Final[dict[Code, tuple[Purpose, ...]]] = {
    **PERMITTED_BY,
    (ACT_REASON, "TREAT"): _TREATMENT,
    (ACT_REASON, "HOPERAT"): _OPERATIONS,
}


def concept(code: Code) -> Json:
    """Return a CodeableConcept of one coding."""
    return {"coding": [coding(code)]}


def coding(code: Code) -> Json:
    """Return a Coding."""
    return {"system": code[0], "code": code[1]}
