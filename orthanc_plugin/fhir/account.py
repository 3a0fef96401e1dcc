"""Write an account of disclosures as a FHIR R4 Bundle: for each copy an AuditEvent and a Provenance.

Knows where each field of an entry stands in the resources. Must not know the registry. Sources: IHE ITI Basic Audit Log
Patterns (BALP), Privacy Disclosure at Source; FHIR R4 Provenance; PS3.16 CID 402 (roles).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from dicomwrap.terms import Form, Purpose
from orthanc_plugin.fhir.codes import CODES, CONSENT_SYSTEM, DCM, DICOM_UID, OID, OWN, Code, Json, coding, concept
from orthanc_plugin.fhir.consent import issuer_uri
from orthanc_plugin.policy.accounts import Entry, Standing, sentences

DISCLOSURE_SYSTEM: Final = f"{OWN}disclosure"
RECIPIENT_SYSTEM: Final = f"{OWN}recipient"
REQUESTER_SYSTEM: Final = f"{OWN}requester"
PROFILE_SYSTEM: Final = f"{OWN}profile"
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"
EXPORT: Final[Code] = (DCM, "110106")
DISCLOSE: Final[Code] = ("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "disclose")
SOURCE: Final[Code] = (DCM, "110153")
DESTINATION: Final[Code] = (DCM, "110152")
ENTITY_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
CUSTODIAN: Final[Code] = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian")
PERSON: Final[Code] = (ENTITY_TYPE, "1")
OBJECT: Final[Code] = (ENTITY_TYPE, "2")
PATIENT: Final[Code] = (ENTITY_ROLE, "1")
REPORT: Final[Code] = (ENTITY_ROLE, "3")
POLICY: Final[Code] = (ENTITY_ROLE, "4")
# AuditEvent.outcome (R4): success, or minor failure.
SUCCESS: Final = "0"
FAILED: Final = "4"


def to_fhir(account: Sequence[Entry], made: datetime, organization: str) -> Json:
    """Return the Bundle; ``organization`` is the hospital that keeps the ledger.

    The same account gives the same resources, whenever it is written; only the Bundle's time differs.
    """
    entries = [
        _full(entry, resource)
        for entry in account
        for resource in (_event(entry, organization), _origin(entry, organization))
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "collection", "timestamp": made.isoformat()}
    return {**bundle, "entry": entries} if entries else bundle


def _full(entry: Entry, resource: Json) -> Json:
    name = uuid5(NAMESPACE_URL, f"{DISCLOSURE_SYSTEM}:{resource['resourceType']}:{entry.disclosure}")
    return {"fullUrl": f"urn:uuid:{name}", "resource": resource}


def _event(entry: Entry, organization: str) -> Json:
    return {
        "resourceType": "AuditEvent",
        "meta": {"profile": [BALP]},
        "type": coding(EXPORT),
        "subtype": [coding(DISCLOSE)],
        "action": "R",
        "recorded": entry.at.isoformat(),
        "outcome": FAILED if entry.standing is Standing.NOT_DELIVERED else SUCCESS,
        "outcomeDesc": " ".join(sentences(entry)),
        **_purpose(entry, "purposeOfEvent"),
        "agent": _agents(entry, organization),
        "source": {"observer": {"display": organization}},
        "entity": _entities(entry),
    }


def _purpose(entry: Entry, name: str) -> Json:
    known = next((word for word in Purpose if word.value == entry.purpose), None)
    return {name: [concept(CODES[known])]} if known else {}


def _agents(entry: Entry, organization: str) -> list[Json]:
    source: Json = {"type": concept(SOURCE), "who": {"display": organization}, "requestor": False}
    asked: Json = {"type": concept(DESTINATION), "who": _named(RECIPIENT_SYSTEM, entry.recipient), "requestor": False}
    by: Json = {"who": _named(REQUESTER_SYSTEM, entry.requester), "requestor": True}
    return [source, asked, *([by] if entry.requester else [])]


def _named(system: str, value: str) -> Json:
    return {"identifier": {"system": system, "value": value}, "display": value}


def _picture(uid: str) -> Json:
    return {"identifier": {"system": DICOM_UID, "value": OID + uid}}


def _patient(entry: Entry) -> Json | None:
    if entry.patient is None:
        return None
    number, issuer = entry.patient
    system = {"system": issuer_uri(issuer)} if issuer else {}
    return {"type": "Patient", "identifier": {**system, "value": number}}


def _entities(entry: Entry) -> list[Json]:
    patient = _patient(entry)
    whose: list[Json] = [{"what": patient, "type": coding(PERSON), "role": coding(PATIENT)}] if patient else []
    details = {
        "decision": entry.decision,
        "door": entry.door,
        "sha256": entry.sha256,
        "profile": entry.profile,
        "form": Form.ANONYMISED if entry.anonymised else Form.IDENTIFIABLE,
        "standing": entry.standing,
    }
    what: Json = {
        "what": _picture(entry.image),
        "type": coding(OBJECT),
        "role": coding(REPORT),
        "detail": _details(details),
    }
    return [*whose, what, *map(_under, entry.consents)]


def _details(details: Mapping[str, str]) -> list[Json]:
    return [{"type": name, "valueString": str(value)} for name, value in details.items() if value]


def _under(named: str) -> Json:
    """Return a consent that the copy left under, with its version where that was recorded."""
    consent, _, version = named.partition(" version ")
    what = {"type": "Consent", "identifier": {"system": CONSENT_SYSTEM, "value": consent}}
    told: Json = {"what": what, "type": coding(OBJECT), "role": coding(POLICY)}
    return {**told, "detail": _details({"version": version})} if version else told


def _origin(entry: Entry, organization: str) -> Json:
    """Return where the copy came from: the picture here, under these consents, changed by this profile."""
    return {
        "resourceType": "Provenance",
        "target": [_picture(entry.released_uid)],
        "occurredDateTime": entry.at.isoformat(),
        "recorded": entry.at.isoformat(),
        **({"policy": [f"{PROFILE_SYSTEM}:{entry.profile}"]} if entry.profile else {}),
        **_purpose(entry, "reason"),
        "activity": concept(DISCLOSE),
        "agent": [{"type": concept(CUSTODIAN), "who": {"display": organization}}],
        "entity": [{"role": "derivation" if entry.profile else "source", "what": _picture(entry.image)}],
    }
