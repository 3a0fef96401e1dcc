"""Write a consent as a FHIR R4 Consent in the shape of IHE PCF (Intermediate).

Knows where each field of the record stands in the resource. Must not know the registry, files or who may have what.
Sources: requirements 2.1 to 2.4; IHE ITI PCF. Whoever does not understand all of it must come to the narrower reading:
scopes that differ stand as permits within a refusal of the same purposes, and what is withdrawn is written as refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from dicomwrap.consentdetails import plain
from dicomwrap.consentfile import as_mapping
from dicomwrap.consentrecord import ConsentRecord, Scope
from dicomwrap.terms import ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup, purposes_named
from orthanc_plugin.fhir.codes import (
    AUDIENCE_SYSTEM,
    CATEGORIES,
    CODES,
    CONSENT_SYSTEM,
    DICOM_UID,
    ISSUER_SYSTEM,
    OID,
    POLICY_URI,
    PROFILE,
    RECIPIENT,
    SCOPE,
    Json,
    coding,
    concept,
)
from orthanc_plugin.fhir.elements import FhirError
from orthanc_plugin.fhir.extensions import DETAILS, NARROWING, PLAIN, written

STATUS: Final[dict[ConsentState, str]] = {
    ConsentState.PROPOSED: "proposed",
    ConsentState.GIVEN: "active",
    ConsentState.REFUSED: "active",
    ConsentState.WITHDRAWN: "inactive",
    ConsentState.EXPIRED: "inactive",
    ConsentState.SUPERSEDED: "inactive",
    ConsentState.ENTERED_IN_ERROR: "entered-in-error",
}
_AGREEING: Final = frozenset({ConsentState.PROPOSED, ConsentState.GIVEN})
_ENDED: Final = frozenset({ConsentState.WITHDRAWN, ConsentState.ENTERED_IN_ERROR})
_URI: Final = re.compile(r"(https?://|urn:)\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """How a version came on record.

    Attributes:
        recorded_at: when, as an instant.
        recorded_by: who recorded it.
        organization: the hospital that keeps it.
        policy: SHA-256 of the hospital's policy in force.
    """

    recorded_at: str
    recorded_by: str
    organization: str
    policy: str


def issuer_uri(issuer: str) -> str:
    """Return the system of a patient's number: the issuer itself when it is a URI, else a name of ours for it."""
    own = issuer.startswith(ISSUER_SYSTEM) or not _URI.fullmatch(issuer)
    return ISSUER_SYSTEM + quote(issuer, safe="") if own else issuer


def to_fhir(record: ConsentRecord, filing: Filing) -> Json:
    """Return the resource for one version of a consent.

    Raises:
        FhirError: the record does not say whose consent it is.
    """
    if not record.patient_id:
        raise FhirError(
            "A consent without a patient's number can't be written as FHIR.", remedy="Say whose consent it is first."
        )
    return {
        "resourceType": "Consent",
        "meta": {"versionId": str(record.version), "lastUpdated": filing.recorded_at, "profile": [PROFILE]},
        "extension": written({**as_mapping(record), "recorded_by": filing.recorded_by}, DETAILS),
        "identifier": [{"system": CONSENT_SYSTEM, "value": record.id}],
        "status": STATUS[record.state],
        "scope": concept(SCOPE),
        "category": [concept(code) for code in CATEGORIES],
        "patient": _patient(record),
        "dateTime": record.decided_on.isoformat(),
        "performer": [_performer(record)],
        "organization": [{"type": "Organization", "display": filing.organization}],
        "sourceReference": _source(record),
        "policy": [{"uri": POLICY_URI + filing.policy}],
        "provision": provision(record),
    }


def _patient(record: ConsentRecord) -> Json:
    system = {"system": issuer_uri(record.issuer)} if record.issuer else {}
    return {"type": "Patient", "identifier": {**system, "value": record.patient_id}}


def _performer(record: ConsentRecord) -> Json:
    if record.giver.type is GiverType.PATIENT:
        return _patient(record)
    return {"display": record.giver.type.value}


def _source(record: ConsentRecord) -> Json:
    kind: Json = {"type": "DocumentReference"}
    if record.document is not None and record.document.object_uid:
        return {**kind, "identifier": {"system": DICOM_UID, "value": OID + record.document.object_uid}}
    return {**kind, "display": record.evidence.value if record.evidence else "no document"}


def provision(record: ConsentRecord) -> Json:
    """Return the root provision: the one that all purposes share, or a refusal with the permits as its exceptions."""
    gone, data = record.withdrawn_purposes, _data(record)
    if (not gone or _over(record)) and _alike(record.scopes):
        return {**_part(record.scopes, record.state, gone), **data}
    parts = [_part((scope,), record.state, gone) for scope in record.scopes]
    return {"type": "deny", "purpose": _codings(_concerned(record)), **data, "provision": parts}


def _over(record: ConsentRecord) -> bool:
    """Tell whether nothing is left of a consent that was withdrawn, so that one refusal says all."""
    return record.state in _ENDED and frozenset(_concerned(record)) <= record.withdrawn_purposes


def _concerned(record: ConsentRecord) -> Iterable[Purpose]:
    return dict.fromkeys(purpose for scope in record.scopes for purpose in _members(scope.purpose))


def _alike(scopes: Sequence[Scope]) -> bool:
    """Tell whether one provision can say all scopes: there is one, or they are single purposes on the same terms."""
    if len(scopes) == 1:
        return True
    words = [scope.purpose for scope in scopes]
    single = all(isinstance(word, Purpose) for word in words) and len(set(words)) == len(words)
    return single and all(replace(scope, purpose=words[0]) == scopes[0] for scope in scopes)


def _members(word: Purpose | PurposeGroup) -> list[Purpose]:
    named = purposes_named(frozenset({word}))
    return [purpose for purpose in Purpose if purpose in named]


def _part(scopes: Sequence[Scope], state: ConsentState, gone: frozenset[Purpose]) -> Json:
    terms = scopes[0]
    named = [purpose for scope in scopes for purpose in _members(scope.purpose)]
    left = [purpose for purpose in named if purpose not in gone]
    end = {"end": terms.valid_to.isoformat()} if terms.valid_to else {}
    part: Json = {
        "type": "permit" if left and state in _AGREEING else "deny",
        "period": {"start": terms.valid_from.isoformat(), **end},
        "actor": [_actor(word.value) for word in terms.audience],
        "purpose": _codings(left or named),
    }
    return {**_extensions(terms), **part}


def _extensions(scope: Scope) -> Json:
    narrow: Json = {name: plain(getattr(scope, name)) for name in NARROWING}
    other: Json = {"legal_basis": plain(scope.legal_basis)}
    if scope.max_form is Form.IDENTIFIABLE:
        other["max_form"] = narrow.pop("max_form")
    if isinstance(scope.purpose, PurposeGroup):
        other["purpose_group"] = scope.purpose.value
    found = {"extension": written(other, PLAIN), "modifierExtension": written(narrow, NARROWING)}
    return {key: listed for key, listed in found.items() if listed}


def _codings(purposes: Iterable[Purpose]) -> list[Json]:
    return [coding(CODES[purpose]) for purpose in purposes]


def _actor(audience: str) -> Json:
    return {"role": concept(RECIPIENT), "reference": {"identifier": {"system": AUDIENCE_SYSTEM, "value": audience}}}


def _data(record: ConsentRecord) -> Json:
    kind: Json = {"type": "ImagingStudy"} if record.level is ConsentLevel.STUDY else {}
    found = [
        {"meaning": "instance", "reference": {**kind, "identifier": {"system": DICOM_UID, "value": OID + uid}}}
        for uid in record.targets
    ]
    return {"data": found} if found else {}
