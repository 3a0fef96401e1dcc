"""The part of a consent that travels inside an object: a snapshot, and the pointer to the record of truth.

Knows how a consent record is summed up in HL7 words (v3-ActReason purposes, FHIR Consent status, v3-Confidentiality).
Must not know DICOM. A snapshot may be used to deny more, never to permit more: forms and audiences aren't in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from dicomwrap.terms import PURPOSE_CODES, ConsentState, GiverType, Purpose, purposes_named

if TYPE_CHECKING:
    from dicomwrap.consentrecord import ConsentRecord, Scope

SCHEMA: Final = "1"
NORMAL: Final = "N"
RESTRICTED: Final = "R"
PERSONAL: Final = "PERSONAL"
DEVICE_CLASSES: Final = ("ORGANISATION", PERSONAL, "PATIENT")
DEVICE_REASONS: Final = ("URGENT_CARE", "NO_ORGANISATION_DEVICE", "COMMUNITY_VISIT", "DEVICE_FAILURE")
_STATUS: Final = {
    ConsentState.PROPOSED: "proposed",
    ConsentState.GIVEN: "active",
    ConsentState.REFUSED: "rejected",
    ConsentState.WITHDRAWN: "inactive",
    ConsentState.EXPIRED: "inactive",
    ConsentState.SUPERSEDED: "inactive",
    ConsentState.ENTERED_IN_ERROR: "entered-in-error",
}
_BASIS: Final = {"active": "OPTIN", "rejected": "OPTOUT", "inactive": "OPTOUT"}
# RELATIVE_NO_AUTHORITY has no word of its own: nobody with authority gave it, so nothing is written.
_GIVEN_BY: Final = {
    GiverType.PATIENT: "PATIENT",
    GiverType.PR_HOLDER: "PARENT",
    GiverType.LPA_HW: "PROXY",
    GiverType.DEPUTY: "PROXY",
    GiverType.COURT: "PROXY",
    GiverType.CONSULTEE: "PROXY",
    GiverType.EXECUTOR: "PROXY",
    GiverType.BEST_INTERESTS: "CLINICIAN",
}


class Distribution(NamedTuple):
    """One item of ConsentForClinicalTrialUseSequence: the flag, and what it is about (none when the flag is NO)."""

    flag: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentStamp:
    """What an object says of its consent. Purposes are codes such as ``TREAT`` or ``DCM:128714``; empty: not known.

    Attributes:
        schema: version of the private block's layout.
        record_id: identifier of the consent record; "" when there is none.
        record_version: version of that record.
        status: active, rejected, proposed, inactive, entered-in-error or none.
        basis: v3-ActCode such as OPTIN, OPTOUT or NOCONSENT.
        permitted: purposes agreed to.
        denied: purposes refused or withdrawn.
        confidentiality: v3-Confidentiality level; N normal, R restricted.
        capture_purpose: why the picture was taken.
        device_class: whose device took it: ORGANISATION, PERSONAL or PATIENT; "" is not known.
        device_reason: why a personal device was used, a code.
        release_purpose: what a copy was released for; "" in the picture itself.
        recipient: whom a copy was released to.
        decided_on: day of the decision.
        not_after: last day on which any of it holds; None when open-ended.
        given_by: PATIENT, PARENT, PROXY or CLINICIAN.
        distributions: what the standard attribute for research and public release says.
    """

    schema: str = SCHEMA
    record_id: str = ""
    record_version: str = ""
    status: str = "none"
    basis: str = "NOCONSENT"
    permitted: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    confidentiality: str = NORMAL
    capture_purpose: str = PURPOSE_CODES[Purpose.DIRECT_CARE]
    device_class: str = ""
    device_reason: str = ""
    release_purpose: str = ""
    recipient: str = ""
    decided_on: date | None = None
    not_after: date | None = None
    given_by: str = ""
    distributions: tuple[Distribution, ...] = ()


def stamp_without_consent(purpose_of_capture: Purpose, *, confidentiality: str = NORMAL) -> ConsentStamp:
    """Return the stamp of a picture for which no consent is recorded: it says only why the picture was taken."""
    return ConsentStamp(capture_purpose=PURPOSE_CODES[purpose_of_capture], confidentiality=confidentiality)


def stamp_of(record: ConsentRecord, purpose_of_capture: Purpose, *, confidentiality: str = NORMAL) -> ConsentStamp:
    """Sum up a consent record for the objects that are made under it."""
    denied = denied_purposes(record)
    permitted = permitted_purposes(record)
    status = "active" if permitted else _STATUS[record.state]
    return ConsentStamp(
        record_id=record.id,
        record_version=str(record.version),
        status=status,
        basis=_BASIS.get(status, "NOCONSENT"),
        permitted=_codes(permitted),
        denied=_codes(denied),
        confidentiality=confidentiality,
        capture_purpose=PURPOSE_CODES[purpose_of_capture],
        decided_on=record.decided_on,
        not_after=_last_day(record.scopes),
        given_by=_GIVEN_BY.get(record.giver.type, ""),
        distributions=_distributions(record, permitted, denied),
    )


def permitted_purposes(record: ConsentRecord) -> frozenset[Purpose]:
    """Return the purposes that the record permits in some form to someone, its dates aside."""
    if record.state not in (ConsentState.GIVEN, ConsentState.WITHDRAWN):  # withdrawn in part, the rest survives
        return frozenset()
    return _agreed(record.scopes) - denied_purposes(record)


def denied_purposes(record: ConsentRecord) -> frozenset[Purpose]:
    """Return the purposes that the record refuses or takes back; one that never was right does neither."""
    if record.state is ConsentState.ENTERED_IN_ERROR:
        return frozenset()
    if record.state is ConsentState.REFUSED or (record.state is ConsentState.WITHDRAWN and not record.withdrawn):
        return _agreed(record.scopes) | record.withdrawn_purposes
    return record.withdrawn_purposes


def _agreed(scopes: Iterable[Scope]) -> frozenset[Purpose]:
    return purposes_named(frozenset(scope.purpose for scope in scopes))


def _codes(purposes: frozenset[Purpose]) -> tuple[str, ...]:
    return tuple(PURPOSE_CODES[purpose] for purpose in Purpose if purpose in purposes)


def _last_day(scopes: tuple[Scope, ...]) -> date | None:
    ends = [scope.valid_to for scope in scopes]
    return max((end for end in ends if end is not None), default=None) if None not in ends else None


def _distributions(
    record: ConsentRecord, permitted: frozenset[Purpose], denied: frozenset[Purpose]
) -> tuple[Distribution, ...]:
    """Say what PS3.3 section C.7.2.3 can say; where two purposes share a type, the stricter answer wins."""
    kinds = {"RESTRICTED_REUSE": {Purpose.RESEARCH, Purpose.PUBLICATION}}
    kinds.setdefault(_media_type(record.scopes), set()).add(Purpose.PUBLIC_MEDIA)
    taken_back = record.state is ConsentState.WITHDRAWN or bool(record.withdrawn)
    found = []
    for kind, purposes in kinds.items():
        if purposes & denied and taken_back:
            found.append(Distribution("WITHDRAWN", kind))
        elif purposes & permitted and not purposes & denied:
            found.append(Distribution("YES", kind))
    asked = frozenset().union(*kinds.values())
    # A NO can't say what it is about, so it stands only where nothing else is said.
    return tuple(found) or ((Distribution("NO"),) if asked & denied else ())


def _media_type(scopes: tuple[Scope, ...]) -> str:
    """Return PUBLIC_RELEASE only where the consent to public media sets no limit, as the standard defines the term."""
    limited = any(
        scope.named_recipients or scope.named_publication or scope.valid_to
        for scope in scopes
        if Purpose.PUBLIC_MEDIA in _agreed((scope,))
    )
    return "RESTRICTED_REUSE" if limited else "PUBLIC_RELEASE"
