"""What one consent amounts to, for one purpose, on one day.

Knows states, dates, givers and whom a consent reaches. Must not know other consents (``conflicts`` weighs them) nor
what follows from it.

Sources: requirements 2.3 (givers), 2.4 (states), 2.6 (birthdays, ``valid_to`` inclusive); GMC recordings 9, 28 to 35.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import (
    PURPOSE_GROUPS,
    Audience,
    Competence,
    ConsentState,
    EvidenceType,
    GiverType,
    Purpose,
    PurposeGroup,
)
from orthanc_plugin.policy.dates import ADULT, PRESUMED_CAPABLE, age_of, age_on
from orthanc_plugin.policy.facts import can_decide, is_public
from orthanc_plugin.policy.model import Consent, Gillick, Patient, Request, WithdrawnPurpose
from orthanc_plugin.policy.words import AUDIENCE_WORDS


@unique
class Standing(StrEnum):
    """What a consent amounts to. The first four count as a permit, each with its own consequence."""

    IN_FORCE = "IN_FORCE"
    RECONSENT = "RECONSENT"
    REGAINED = "REGAINED"
    AGE_UNKNOWN = "AGE_UNKNOWN"
    LAPSED_AT_18 = "LAPSED_AT_18"
    EXPIRED = "EXPIRED"
    NOT_ASSESSED = "NOT_ASSESSED"
    PROPOSED = "PROPOSED"
    NOT_YET = "NOT_YET"
    NO_AUTHORITY = "NO_AUTHORITY"
    EXECUTOR_AGREES = "EXECUTOR_AGREES"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    VOID = "VOID"
    NOT_COVERED = "NOT_COVERED"


PERMITTING: Final = frozenset({Standing.IN_FORCE, Standing.RECONSENT, Standing.REGAINED, Standing.AGE_UNKNOWN})
DENYING: Final = frozenset({Standing.REFUSED, Standing.WITHDRAWN})
STANDS_IN_FOR_ADULT: Final = frozenset({GiverType.LPA_HW, GiverType.DEPUTY})
BEST_INTERESTS_PURPOSES: Final = frozenset({Purpose.DIRECT_CARE, Purpose.SECOND_OPINION})
EVIDENCE: Final = frozenset(evidence.value for evidence in EvidenceType)
# The words that reach a purpose: its own, and every group that has it.
REACHING: Final[dict[Purpose, frozenset[Purpose | PurposeGroup]]] = {
    purpose: frozenset({purpose, *(group for group, members in PURPOSE_GROUPS.items() if purpose in members)})
    for purpose in Purpose
}

_DATED: Final = frozenset({ConsentState.GIVEN, ConsentState.EXPIRED})
_AT_ONCE: Final = frozenset({ConsentState.WITHDRAWN, ConsentState.SUPERSEDED})
_VOID: Final = frozenset({ConsentState.SUPERSEDED, ConsentState.ENTERED_IN_ERROR})

Words = Iterable[Purpose | PurposeGroup]


def names(words: Words, purpose: Purpose) -> bool:
    """Tell whether ``words`` name the purpose itself, not only a group it belongs to."""
    return purpose in tuple(words)


def covers(words: Words, purpose: Purpose) -> bool:
    """Tell whether ``words`` reach the purpose, by name or by group."""
    return not REACHING[purpose].isdisjoint(words)


def withdrawal(consent: Consent, purpose: Purpose, as_of: date) -> WithdrawnPurpose | None:
    """Return the withdrawal that denies ``purpose``, None when none does; the one that ranks first, of several."""
    if not consent.withdrawn and consent.state is not ConsentState.WITHDRAWN:
        return None
    reaching = (each for each in _withdrawn(consent, as_of) if each.purpose in REACHING[purpose])
    return max(reaching, key=lambda each: (each.purpose is purpose, each.on), default=None)


def _withdrawn(consent: Consent, as_of: date) -> Iterable[WithdrawnPurpose]:
    """Return what is withdrawn by ``as_of``.

    A recorded withdrawal counts at once, even one dated ahead (requirements R6: effective once recorded). A consent
    still stored as given is withdrawn from the date it bears; one that is withdrawn and names no use, wholly. One that
    was replaced denies what is named, which its successor no longer covers.
    """
    if consent.state in _DATED:
        return tuple(each for each in consent.withdrawn if each.on <= as_of)
    if consent.state is ConsentState.WITHDRAWN and not consent.withdrawn:
        return tuple(WithdrawnPurpose(purpose=word, on=as_of) for word in consent.purposes)
    return consent.withdrawn if consent.state in _AT_ONCE else ()


def standing(consent: Consent, purpose: Purpose, patient: Patient, as_of: date) -> Standing:
    """Return what ``consent`` amounts to for ``purpose`` on the day ``as_of`` (requirements 2.3, 2.4)."""
    if withdrawal(consent, purpose, as_of) is not None:
        return Standing.WITHDRAWN
    if not covers(consent.purposes, purpose):
        return Standing.NOT_COVERED
    if consent.state in _VOID:
        return Standing.VOID
    if consent.state is ConsentState.REFUSED:
        return Standing.REFUSED
    if consent.state is ConsentState.PROPOSED:
        return Standing.PROPOSED
    if max(consent.decided_on, consent.valid_from) > as_of:
        return Standing.NOT_YET
    return _timely(consent, _authority(consent, purpose, patient, as_of), as_of)


def _timely(consent: Consent, authority: Standing, as_of: date) -> Standing:
    """Let time run out: an end date that passed, or a stored expiry, ends whatever authority there was.

    The nightly job stores a parent's consent that lapsed at 18 as expired (requirements 2.4); it stays "lapsed" here,
    or the job alone would change the answer. An executor's word that ran out is nothing: it never was the patient's.
    """
    past = consent.valid_to is not None and consent.valid_to < as_of
    if authority is Standing.NO_AUTHORITY:
        return authority
    if past or (consent.state is ConsentState.EXPIRED and authority is not Standing.LAPSED_AT_18):
        return Standing.NO_AUTHORITY if authority is Standing.EXECUTOR_AGREES else Standing.EXPIRED
    return authority


def _authority(consent: Consent, purpose: Purpose, patient: Patient, as_of: date) -> Standing:
    """Return what the giver's word is worth (requirements 2.3)."""
    if consent.evidence is not None and consent.evidence not in EVIDENCE:
        return Standing.NO_AUTHORITY  # implied consent and the like: requirements 003-25b
    match consent.giver.type:
        case GiverType.PATIENT:
            return _own(consent, patient)
        case GiverType.PR_HOLDER if consent.giver.has_pr is not False:  # asked and denied: requirements 000-34c
            return _parents(patient, as_of)
        case GiverType.LPA_HW | GiverType.DEPUTY | GiverType.COURT:
            return _proxys(consent, patient, as_of)
        case GiverType.CONSULTEE if purpose is Purpose.RESEARCH:
            return _proxys(consent, patient, as_of)
        case GiverType.BEST_INTERESTS if purpose in BEST_INTERESTS_PURPOSES:
            return _proxys(consent, patient, as_of)
        case GiverType.EXECUTOR:
            return Standing.EXECUTOR_AGREES
    return Standing.NO_AUTHORITY


def _own(consent: Consent, patient: Patient) -> Standing:
    """Judge the patient's own word; capacity is presumed at 16, below it must have been found for this decision."""
    unborn = patient.dob is not None and consent.decided_on < patient.dob
    if unborn or (patient.death_date is not None and consent.decided_on > patient.death_date):
        return Standing.NO_AUTHORITY  # whoever said that, it wasn't the patient
    competence = consent.giver.competent_at_decision
    if competence is Competence.YES:
        return Standing.IN_FORCE
    if competence is Competence.NO:
        return Standing.NO_AUTHORITY
    grown = patient.dob is not None and age_on(patient.dob, consent.decided_on) >= PRESUMED_CAPABLE
    return Standing.IN_FORCE if grown else Standing.NOT_ASSESSED


def _parents(patient: Patient, as_of: date) -> Standing:
    """Judge a parent's word: due for renewal at 16 or when the child is competent, gone at 18 (GMC recordings 35)."""
    years = age_of(patient, as_of)
    if years is None:
        return Standing.AGE_UNKNOWN
    if years >= ADULT:
        return Standing.LAPSED_AT_18
    if years >= PRESUMED_CAPABLE or patient.gillick is Gillick.COMPETENT:
        return Standing.RECONSENT
    return Standing.IN_FORCE


def _proxys(consent: Consent, patient: Patient, as_of: date) -> Standing:
    """Judge the word of someone who stands in for the patient, until the patient can decide (GMC recordings 28)."""
    years = age_of(patient, as_of)
    if consent.giver.type in STANDS_IN_FOR_ADULT and years is not None and years < PRESUMED_CAPABLE:
        return Standing.NO_AUTHORITY
    if can_decide(patient, years):
        return Standing.REGAINED
    return Standing.AGE_UNKNOWN if years is None else Standing.IN_FORCE


def out_of_reach(consent: Consent, request: Request) -> str | None:
    """Tell why the consent doesn't reach this recipient, None when it does.

    Sources: requirements 001-10b (wrong recipient), 003-34 (audience), 000-14 and 2.2 (a named publication or medium).
    """
    recipient = request.recipient
    if recipient.type not in consent.audience:
        return f"Consent {consent.id} does not extend to {AUDIENCE_WORDS[recipient.type]}."
    named = consent.named_recipients
    if recipient.type is not Audience.CARE_TEAM and named is not None and recipient.id not in named:
        return f"Consent {consent.id} names other recipients, not {recipient.id}."
    return _other_publication(consent, request) if is_public(request) else None


def _other_publication(consent: Consent, request: Request) -> str | None:
    """Tell why the consent doesn't reach this publication or programme."""
    if consent.named_publication in (None, request.recipient.id):
        return None
    return f"Consent {consent.id} is for {consent.named_publication}, not for {request.recipient.id}."
