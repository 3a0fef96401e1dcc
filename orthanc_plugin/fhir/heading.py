"""Take a FHIR R4 Consent apart: whose it is, who decided and when, and its provisions as they stand.

Knows the elements of a Consent in IHE PCF, those that are forbidden there and those of FHIR R5. Must not know what the
provisions mean here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from dicomwrap.consentfields import Fields
from dicomwrap.terms import GiverType
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.fhir.codes import CONSENT_SYSTEM, ISSUER_SYSTEM, SCOPE
from orthanc_plugin.fhir.elements import LONGEST_URI, codings, objects, refuse, single
from orthanc_plugin.fhir.extensions import DETAILS, read
from orthanc_plugin.fhir.provisions import NOT_IN_PCF, Part, identifier, read_provision

STATUSES: Final = ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error")
_R5: Final = "belongs to FHIR R5; send the consent as FHIR R4"
_OF_R5: Final = (
    "decision",
    "subject",
    "date",
    "period",
    "grantor",
    "grantee",
    "manager",
    "controller",
    "policyBasis",
    "policyText",
    "regulatoryBasis",
)
FORBIDDEN: Final = {
    "verification": NOT_IN_PCF,
    "policyRule": "is not allowed by IHE PCF; name the policy in policy.uri",
    "implicitRules": "can't be followed; leave it out",
    "modifierExtension": "changes the meaning in a way that is not known here; record this consent by hand",
    **dict.fromkeys(_OF_R5, _R5),
}
_NUMBER: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A Consent taken apart.

    Attributes:
        status: as it stands.
        keys: those of a consent file that every record made of it has.
        details: what our extensions say, by the record's field names.
        changed_on: day of the last change, when it is known.
        root: the provisions.
    """

    status: str
    keys: dict[str, object]
    details: dict[str, object]
    changed_on: str | None
    root: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """Whom a reference means: the identifier's system and value, or a place on the sender's server."""

    system: str = ""
    value: str = ""
    literal: str = ""

    def is_(self, other: _Person) -> bool:
        """Tell whether both references mean one person."""
        by_number = bool(self.value) and (self.system, self.value) == (other.system, other.value)
        return by_number or (bool(self.literal) and self.literal == other.literal)


def read_heading(top: Fields) -> Reading | None:
    """Return the resource taken apart; None when there is too little of it."""
    if top.take("resourceType") != "Consent":
        top.fault("resourceType", "must be Consent")
        return None
    refuse(top, FORBIDDEN)
    for name in ("language", "text", "contained"):
        top.take(name)
    details = read(top, "extension", DETAILS)
    patient = _patient(top)
    giver = _giver(top, patient, details.get("giver"))
    version, changed_on = _meta(top)
    keys: dict[str, object] = {
        "id": _id(top),
        "version": version,
        "patient_id": patient.value or None,
        "issuer": _issuer(patient.system),
        "decided_on": _decided_on(top),
        "giver": giver,
    }
    status = _status(top)
    _labels(top)
    _papers(top)
    root = single(top, "provision", "say what is permitted or refused")
    part = read_provision(root) if root is not None else None
    top.refuse_unknown()
    if part is None:
        return None
    return Reading(status=status, keys=keys, details=details, changed_on=changed_on, root=part)


def _status(top: Fields) -> str:
    top.must_have("status")
    status = top.text("status") or ""
    if status and status not in STATUSES:
        top.fault("status", f"must be one of {', '.join(STATUSES)}")
    return status


def _meta(top: Fields) -> tuple[int, str | None]:
    """Return the version, 1 when it is no number, and the day of the last change."""
    meta = single(top, "meta", "")
    if meta is None:
        return 1, None
    version, changed = meta.text("versionId"), meta.moment("lastUpdated")
    number = int(version) if version and _NUMBER.fullmatch(version) else 1
    return number, hospital_day(changed).isoformat() if changed else None


def _id(top: Fields) -> str | None:
    """Return the consent's identifier: the one that is ours, else the only one, else the resource's id."""
    named = top.text("id")
    found = [_numbered(each) for each in objects(top, "identifier")]
    own = [value for system, value in found if system == CONSENT_SYSTEM]
    if len(own) > 1 or (len(found) > 1 and not own):
        top.fault("identifier", "must be one, or one of ours among others")
    if own:
        return own[0] or None
    if found:
        return "|".join(part for part in found[0] if part) or None
    if named is None:
        top.fault("identifier", "is missing; give the consent an identifier")
    return f"Consent/{named}" if named else None


def _numbered(inner: Fields) -> tuple[str, str]:
    value = inner.text("value", 256)
    if value is None:
        inner.fault("value", "is missing")
    return inner.text("system", LONGEST_URI) or "", value or ""


def _decided_on(top: Fields) -> str | None:
    top.must_have("dateTime")
    value = top.take("dateTime")
    if isinstance(value, str) and "T" in value:
        at = top.moment("dateTime")
        return hospital_day(at).isoformat() if at else None
    day = top.day("dateTime")
    return day.isoformat() if day else None


def _patient(top: Fields) -> _Person:
    patient = single(top, "patient", "say whose consent it is")
    if patient is None:
        return _Person()
    found = _person(patient)
    if not found.value:
        patient.fault("identifier", "is missing; give the patient's number and its system, not only a reference")
    return found


def _person(holder: Fields) -> _Person:
    literal = holder.text("reference", LONGEST_URI) or ""
    system, value = identifier(holder)
    holder.refuse_unknown()
    return _Person(system=system, value=value, literal=literal)


def _issuer(system: str) -> str | None:
    named = unquote(system.removeprefix(ISSUER_SYSTEM)) if system.startswith(ISSUER_SYSTEM) else system
    return named or None


def _giver(top: Fields, patient: _Person, told: object) -> dict[str, object]:
    """Return the patient as the giver; that it is anybody else must have been told by our extension."""
    somebody_else = isinstance(told, dict) and told.get("type") != GiverType.PATIENT
    top.must_have("performer")
    performers = [_person(each) for each in objects(top, "performer")]
    known = bool(patient.value or patient.literal)
    if known and performers and not somebody_else and not any(each.is_(patient) for each in performers):
        top.fault("performer", "must be the patient; for anybody else say in our extension giver who it is")
    return {"type": "PATIENT", "competent_at_decision": "NOT_ASSESSED"}


def _labels(top: Fields) -> None:
    scope = single(top, "scope", "give patient-privacy")
    if scope is not None and SCOPE not in codings(scope):
        scope.fault("coding", "must be patient-privacy of consentscope (IHE PCF)")
    top.must_have("category")
    for category in objects(top, "category"):
        codings(category)


def _papers(top: Fields) -> None:
    """Check that hospital, source and policy are named, as PCF demands; the record keeps none of the three."""
    top.must_have("organization")
    objects(top, "organization")
    sources = [name for name in ("sourceAttachment", "sourceReference") if top.has(name)]
    for name in sources:
        single(top, name, "")
    if len(sources) != 1:
        top.fault("source[x]", "must be exactly one of sourceReference and sourceAttachment")
    top.must_have("policy")
    for policy in objects(top, "policy"):
        policy.must_have("uri")
        policy.text("uri", LONGEST_URI)
        policy.refuse_unknown()
