"""R1 to R5 and R7: the law, access to one's own record, records management, covert pictures, emergencies.

Knows the uses that do not rest on consent. Must not know care or secondary use.

Sources: requirements 2.6 R1-R5, R7; MDU 2013 items 9 and 10; UK GDPR article 15; Access to Health Records Act 1990.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.terms import Audience, GiverType, Purpose
from orthanc_plugin.policy.answers import deny, obliged, permit, review
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.conflicts import weigh
from orthanc_plugin.policy.dates import PRESUMED_CAPABLE
from orthanc_plugin.policy.facts import age, authorities, can_decide, deceased, has_authority, purpose_of
from orthanc_plugin.policy.model import Authority, AuthorityType, Case, Content, Decision, Gillick, Obligation
from orthanc_plugin.policy.persons import folded, same_person

ORDERS: Final = (AuthorityType.COURT_ORDER, AuthorityType.STATUTE, AuthorityType.CORONER)
CLINICIANS: Final = frozenset(
    {Audience.CARE_TEAM, Audience.TRUST_CLINICIAN, Audience.NAMED_COLLEAGUE, Audience.PARTNER_ORG_CLINICIAN}
)
# Below this age a child whose competence nobody recorded is taken as not competent for access by a parent.
SURELY_A_CHILD: Final = 12


def required_by_law(case: Case) -> Decision | None:
    """R1: a verified order that covers the picture opens it whatever the consent (requirements 000-35b)."""
    if purpose_of(case.request) is not Purpose.LEGAL_DISCLOSURE:
        return None
    orders = tuple(authorities(case, *ORDERS))
    good = tuple(order for order in orders if order.verified and order.covers_image)
    if good:
        decision = permit(
            Rule.LAW_PERMITS, "A verified order or statute requires this picture.", Obligation.MINIMUM_NECESSARY
        )
        return _patient_told(case, decision, good)
    if all(order.verified for order in orders) and orders:
        reason = "The order does not cover this picture."
        return deny(Rule.LAW_NOT_COVERING, reason, Obligation.LEGAL_REVIEW)
    reason = "An order is claimed, but nobody has verified it." if orders else "No order or statute is on record."
    return review(Rule.LAW_UNVERIFIED, reason, Obligation.LEGAL_REVIEW)


def in_the_public_interest(case: Case) -> Decision | None:
    """R2: somebody independent must have decided and recorded it (requirements 000-35c)."""
    if purpose_of(case.request) is not Purpose.PUBLIC_INTEREST:
        return None
    claimed = tuple(authorities(case, AuthorityType.PUBLIC_INTEREST))
    good = tuple(each for each in claimed if each.verified and each.covers_image and _independent(each, case))
    if good:
        reason = "Someone independent of the request recorded that the public interest requires this picture."
        decision = permit(
            Rule.PUBLIC_INTEREST_DECIDED, reason, Obligation.MINIMUM_NECESSARY, Obligation.RECORD_JUSTIFICATION
        )
        return _patient_told(case, decision, good)
    reason = "Nobody independent of the request has recorded a verified decision on this picture."
    return review(Rule.PUBLIC_INTEREST_UNDECIDED, reason, Obligation.CALDICOTT_REVIEW)


def _independent(authority: Authority, case: Case) -> bool:
    """Tell whether the approver is known and neither asked for the picture nor receives it."""
    approver, requester = authority.approved_by or "", authority.requested_by or ""
    named = bool(folded(approver)) and bool(folded(requester))
    return named and not any(same_person(approver, each) for each in (requester, case.request.recipient.id))


def _patient_told(case: Case, decision: Decision, relied_on: tuple[Authority, ...]) -> Decision:
    """Have the patient told, if living and no authority forbids it."""
    if deceased(case) or any(authority.notify_prohibited for authority in relied_on):
        return decision
    rule = Rule(decision.rules[0])
    return obliged(decision, rule, "The patient is told, for nothing forbids it.", Obligation.NOTIFY_PATIENT)


def access_to_the_record(case: Case) -> Decision | None:
    """R3: people may see their own pictures, whatever the consent (requirements 003-86)."""
    if purpose_of(case.request) is not Purpose.SUBJECT_ACCESS:
        return None
    if deceased(case):
        return _access_after_death(case)
    match case.request.recipient.type:
        case Audience.PATIENT:
            return _shown(case, Rule.OWN_ACCESS, "Patients may see their own pictures, whatever they consented to.")
        case Audience.PR_HOLDER:
            return _access_by_parent(case)
    reason = "Only the patient, or someone with parental responsibility for a child, may ask to see the record."
    return deny(Rule.ACCESS_BY_OTHERS, reason)


def _shown(case: Case, rule: Rule, reason: str) -> Decision:
    """Permit access to someone whose identity is proven."""
    if case.request.recipient.verified:
        return permit(rule, reason, Obligation.REDACT_THIRD_PARTIES, Obligation.SERIOUS_HARM_CHECK)
    reason = "Whoever asks has not yet proven who they are."
    return review(Rule.ACCESS_UNVERIFIED, reason, Obligation.VERIFY_IDENTITY)


def _access_by_parent(case: Case) -> Decision:
    """Let a parent see the pictures of a child who can't decide; a child who can decide is asked."""
    years, position = age(case), weigh(case, Purpose.SUBJECT_ACCESS)
    if any(agreed.giver is GiverType.PATIENT for agreed in position.permits):
        return _shown(case, Rule.PARENT_ACCESS, "The young person agreed that a parent may see the pictures.")
    gillick = case.patient.gillick
    if years is None:
        reason = "The birth date is not known, so the patient may be old enough to be asked first."
        return review(Rule.AGE_UNKNOWN, reason, Obligation.SEEK_CONSENT, Obligation.RECONCILE_IDENTITY)
    if years >= PRESUMED_CAPABLE or gillick is Gillick.COMPETENT:
        reason = "The young person can decide and has not been asked whether a parent may see the pictures."
        return review(Rule.PARENT_ACCESS_CHILD_DECIDES, reason, Obligation.SEEK_CONSENT)
    if gillick is Gillick.NOT_ASSESSED or (gillick is Gillick.NA and years >= SURELY_A_CHILD):
        reason = "Nobody has recorded whether the child is able to decide about a parent's access."
        return review(Rule.PARENT_ACCESS_CHILD_DECIDES, reason, Obligation.ASSESS_COMPETENCE, Obligation.SEEK_CONSENT)
    return _shown(case, Rule.PARENT_ACCESS, "A parent asks for a child who is not able to decide.")


def _access_after_death(case: Case) -> Decision:
    """Let the executor see the pictures unless the patient noted otherwise."""
    if case.request.recipient.type is not Audience.EXECUTOR:
        reason = "The patient has died, and the one who asks is not the executor."
        return review(Rule.ACCESS_AFTER_DEATH, reason, Obligation.IG_REVIEW)
    denial = weigh(case, Purpose.SUBJECT_ACCESS).denial
    if denial is not None and denial.giver is GiverType.PATIENT:
        reason = "The patient noted in their lifetime that nobody should have access."
        return deny(Rule.ACCESS_NOTED_AGAINST, reason, Obligation.IG_REVIEW, consents=(denial.consent,))
    claims = tuple(authorities(case, AuthorityType.EXECUTOR))
    if claims and not has_authority(case, AuthorityType.EXECUTOR):
        reason = "The executor's authority for this picture is not verified."
        return review(Rule.ACCESS_UNVERIFIED, reason, Obligation.VERIFY_IDENTITY)
    return _shown(case, Rule.EXECUTOR_ACCESS, "The executor asks, and the patient noted nothing against it.")


def records_management(case: Case) -> Decision | None:
    """R4: a records officer sees what is kept, never the picture."""
    if purpose_of(case.request) is not Purpose.RECORDS_MANAGEMENT:
        return None
    if case.request.recipient.type is not Audience.RECORDS_OFFICER:
        return deny(Rule.RECORDS_OTHERS, "Only a records officer manages records.")
    if case.request.content is Content.METADATA:
        reason = "A records officer may see what is kept, without the picture."
        return permit(Rule.RECORDS_METADATA, reason, Obligation.METADATA_ONLY)
    reason = "Managing records does not need the picture itself."
    return deny(Rule.RECORDS_PIXELS, reason, Obligation.METADATA_ONLY)


def covert(case: Case) -> Decision | None:
    """R5: a covert picture without verified authorisation is used for nothing (requirements 000-36, LAW-13)."""
    if not case.image.covert or has_authority(case, AuthorityType.COVERT_AUTHORISATION):
        return None
    reason = "The picture was made covertly and no verified authorisation covers it."
    return deny(Rule.COVERT, reason, Obligation.QUARANTINE, Obligation.NOTIFY_IG)


def emergency(case: Case) -> Decision | None:
    """R7: break-glass opens a picture to a clinician with a reason, unless a capable patient said no to care use."""
    if purpose_of(case.request) is not Purpose.EMERGENCY_CARE:
        if case.request.break_glass is None:
            return None
        reason = "Emergency access was used for something that is not emergency care."
        return deny(Rule.BREAK_GLASS_MISUSED, reason, Obligation.NOTIFY_IG)
    if (gap := _unfounded(case)) is not None:
        return deny(Rule.BREAK_GLASS_UNFOUNDED, gap, Obligation.NOTIFY_IG)
    if _refused_care(case):
        reason = "The patient is able to decide and has said no to use in care; an emergency does not override that."
        return deny(Rule.BREAK_GLASS_REFUSED, reason, Obligation.NOTIFY_IG)
    return permit(
        Rule.BREAK_GLASS,
        "A signed-in clinician gave a reason why the picture is needed in an emergency.",
        Obligation.RECORD_JUSTIFICATION,
        Obligation.RETROSPECTIVE_REVIEW,
        Obligation.NOTIFY_IG,
        Obligation.NOTIFY_PATIENT,
    )


def _unfounded(case: Case) -> str | None:
    """Tell what emergency access lacks, None when nothing."""
    given, recipient = case.request.break_glass, case.request.recipient
    if given is None or not given.reason.strip():
        return "Emergency access needs a written reason."
    if not (given.by_clinician and recipient.verified and recipient.type in CLINICIANS):
        return "Emergency access is for a signed-in clinician."
    if deceased(case):
        return "The patient has died, so there is no emergency care to give."
    return None


def _refused_care(case: Case) -> bool:
    """Tell whether a patient who can decide has refused or withdrawn use in care.

    A later agreement to care ends an earlier refusal of care, but not one that named emergencies.
    """
    if not can_decide(case.patient, age(case)):
        return False
    named = weigh(case, Purpose.EMERGENCY_CARE, whoever=True).denial
    care = weigh(case, Purpose.EMERGENCY_CARE, Purpose.DIRECT_CARE, whoever=True).denial
    return any(
        denial is not None and denial.giver is GiverType.PATIENT
        for denial in (named if named is not None and named.named else None, care)
    )
