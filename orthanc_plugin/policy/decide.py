"""The decision: who may have which picture, for what, in which form.

Knows the order of the rules. Must not know where facts come from or what is done with the answer; no clock, no log,
no I/O.

Source: requirements 2.6: rules R0 to R9 in order, the first that decides wins (XACML first-applicable).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from dicomwrap.terms import FORBIDDEN_AUDIENCES, SECONDARY_PURPOSES, Audience, Purpose
from orthanc_plugin.policy.answers import deny, joined, obliged, review
from orthanc_plugin.policy.care import care
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.facts import purpose_of
from orthanc_plugin.policy.law import (
    access_to_the_record,
    covert,
    emergency,
    in_the_public_interest,
    records_management,
    required_by_law,
)
from orthanc_plugin.policy.model import Case, Decision, ImageStatus, ImageType, Obligation
from orthanc_plugin.policy.others import without_others
from orthanc_plugin.policy.secondary import secondary
from orthanc_plugin.policy.words import AUDIENCE_WORDS

DecisionRule = Callable[[Case], Decision | None]

# Recipients inside the trust's own walls, and the patient: a permit to anyone else is recorded and sent securely.
INSIDE: Final = frozenset(
    {
        Audience.CARE_TEAM,
        Audience.TRUST_CLINICIAN,
        Audience.TRUST_STUDENTS,
        Audience.RECORDS_OFFICER,
        Audience.PATIENT,
    }
)
NOT_FILED: Final = frozenset({ImageStatus.CAPTURING, ImageStatus.AWAITING_PATIENT_APPROVAL})
BEYOND_THE_TEAM: Final = SECONDARY_PURPOSES | {Purpose.SECOND_OPINION}


def decide(case: Case) -> Decision:
    """Return the decision on ``case``; every well-formed case has one."""
    return first_applicable(RULES, case)


def first_applicable(rules: Iterable[DecisionRule], case: Case) -> Decision:
    """Return what the first rule that decides says; without one it is a denial."""
    for rule in rules:
        decision = rule(case)
        if decision is not None:
            return without_others(case, _sent(case, decision))
    return deny(Rule.NO_RULE, "No rule permits this.")


def closed(case: Case) -> Decision | None:
    """R0: what is denied before anything else is looked at; every objection is told at once."""
    found = [objection for objection in (check(case) for check in OBJECTIONS) if objection is not None]
    if not found:
        return None
    decision = found[0]
    for further in found[1:]:
        decision = joined(decision, further)
    return decision


def _unknown_purpose(case: Case) -> Decision | None:
    if purpose_of(case.request) is not None:
        return None
    return deny(Rule.UNKNOWN_PURPOSE, "The purpose given is not one that pictures are released for.")


def _disposed(case: Case) -> Decision | None:
    if case.image.status is not ImageStatus.DISPOSED:
        return None
    reason = "The picture no longer exists; a certificate tells when and why it was destroyed."
    return deny(Rule.DISPOSED, reason, Obligation.PROVIDE_DESTRUCTION_CERTIFICATE)


def _forbidden_destination(case: Case) -> Decision | None:
    kind = case.request.recipient.type
    if kind not in FORBIDDEN_AUDIENCES:
        return None
    reason = f"Pictures never go to {AUDIENCE_WORDS[kind]}, whatever was agreed."
    return deny(Rule.FORBIDDEN_DESTINATION, reason, Obligation.NOTIFY_IG)


def _unapproved_channel(case: Case) -> Decision | None:
    if case.request.recipient.approved_channel:
        return None
    return deny(Rule.UNAPPROVED_CHANNEL, "The way of sending is not an approved one.", Obligation.NOTIFY_IG)


def _quarantined(case: Case) -> Decision | None:
    if case.image.status is not ImageStatus.QUARANTINED:
        return None
    reason = "The picture is in quarantine until it is certain whose it is."
    return deny(Rule.QUARANTINED, reason, Obligation.RECONCILE_IDENTITY)


def _rejected(case: Case) -> Decision | None:
    if case.image.status is not ImageStatus.REJECTED:
        return None
    return deny(Rule.REJECTED, "Another archive has taken the picture out of use, and nobody here has lifted that yet.")


def _key_object(case: Case) -> Decision | None:
    if case.image.type is not ImageType.KEY_OBJECT or purpose_of(case.request) is Purpose.DIRECT_CARE:
        return None
    return deny(Rule.KEY_OBJECT, "A list of pictures that somebody picked out is none, and leaves for no use.")


def _not_filed_yet(case: Case) -> Decision | None:
    if case.image.status not in NOT_FILED or purpose_of(case.request) not in BEYOND_THE_TEAM:
        return None
    reason = "The patient has not yet approved the picture, so it stays with the team that makes it."
    return deny(Rule.NOT_FILED_YET, reason, Obligation.SEEK_CONSENT)


def _sent(case: Case, decision: Decision) -> Decision:
    """Have what leaves the trust sent securely and recorded (requirements 2.6, last clause); nothing to a stranger."""
    recipient = case.request.recipient
    if not decision.permits:
        return decision
    if not recipient.verified:
        reason = "Whoever would receive the picture has not yet proven who they are."
        return joined(decision, review(Rule.RECIPIENT_UNVERIFIED, reason, Obligation.VERIFY_IDENTITY))
    if recipient.type in INSIDE:
        return decision
    reason = "What leaves the trust is sent by a secure channel and entered in the register of disclosures."
    return obliged(decision, Rule.SENT_OUTSIDE, reason, Obligation.SECURE_CHANNEL, Obligation.RECORD_DISCLOSURE)


OBJECTIONS: Final[tuple[DecisionRule, ...]] = (
    _unknown_purpose,
    _disposed,
    _forbidden_destination,
    _unapproved_channel,
    _quarantined,
    _rejected,
    _key_object,
    _not_filed_yet,
)

RULES: Final[tuple[DecisionRule, ...]] = (
    closed,
    required_by_law,
    in_the_public_interest,
    access_to_the_record,
    records_management,
    covert,
    emergency,
    care,
    secondary,
)
