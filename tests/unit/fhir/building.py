"""Consents of other systems in plain PCF, after the examples of IHE's Privacy Consent on FHIR."""

from __future__ import annotations

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.reading import from_fhir

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
NHS = "https://fhir.nhs.uk/Id/nhs-number"
OWN = "urn:consentgate:fhir:"
PATIENT = {"reference": "Patient/ex-patient", "identifier": {"system": NHS, "value": "9000000009"}}
EVERYDAY = ("TREAT", "HPAYMT", "HOPERAT")


def provision(kind: str, *codes: str, **elements: object) -> dict[str, object]:
    """Return a provision for these purposes of v3-ActReason."""
    purposes = {"purpose": [{"system": ACT_REASON, "code": code} for code in codes]} if codes else {}
    return {"type": kind, **purposes, **elements}


def resource(root: object, **elements: object) -> dict[str, object]:
    """Return a Consent of another system; an element that is None is left out."""
    whole = {
        "resourceType": "Consent",
        "id": "ex-consent",
        "meta": {"versionId": "3", "lastUpdated": "2022-07-01T12:00:00Z", "security": [{"code": "HTEST"}]},
        "text": {"status": "generated", "div": "<div/>"},
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent"}]}],
        "patient": PATIENT,
        "dateTime": "2022-06-13",
        "performer": [{"reference": "Patient/ex-patient"}],
        "organization": [{"reference": "Organization/ex-organization"}],
        "sourceReference": {"reference": "DocumentReference/ex-documentreference"},
        "policy": [{"uri": "http://example.org/policies/basePrivacyConsentPolicy.txt"}],
        "provision": root,
    }
    return {name: value for name, value in {**whole, **elements}.items() if value is not None}


def study(uid: str) -> dict[str, object]:
    """Return a provision's data: one study."""
    named = {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}
    return {"meaning": "instance", "reference": {"type": "ImagingStudy", "identifier": named}}


def actor(system: str, value: str) -> dict[str, object]:
    """Return a recipient."""
    role = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
    return {"role": {"coding": [role]}, "reference": {"identifier": {"system": system, "value": value}}}


def faults(whole: object) -> tuple[str, ...]:
    """Return what is wrong with a resource."""
    try:
        from_fhir(whole)
    except FhirError as error:
        return error.problems
    return ()


def words(record: ConsentRecord) -> tuple[str, ...]:
    """Return the purposes of a record."""
    return tuple(str(scope.purpose) for scope in record.scopes)
