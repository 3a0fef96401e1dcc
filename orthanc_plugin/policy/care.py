"""R8: care, second opinions and the team's own audit.

Knows who may use a picture for care and what a gap in consent means there. Must not know secondary use.

Sources: requirements 2.6 R8, 2.7; GMC recordings 8 to 15.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from dicomwrap.terms import Audience, Form, GiverType, Purpose
from orthanc_plugin.policy.answers import answer, deny, joined, obliged, permit, review
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.conflicts import Position, Statement, weigh
from orthanc_plugin.policy.consent import STANDS_IN_FOR_ADULT, Standing
from orthanc_plugin.policy.dates import PRESUMED_CAPABLE
from orthanc_plugin.policy.facts import age, is_specific, made_under_18, purpose_of
from orthanc_plugin.policy.model import Anonymisable, Case, Decision, Effect, ImageSource, Obligation
from orthanc_plugin.policy.others import unconfirmed
from orthanc_plugin.policy.words import AUDIENCE_WORDS, PURPOSE_WORDS

RECIPIENTS: Final[dict[Purpose, frozenset[Audience]]] = {
    Purpose.DIRECT_CARE: frozenset({Audience.CARE_TEAM}),
    Purpose.SECOND_OPINION: frozenset(
        {Audience.NAMED_COLLEAGUE, Audience.PARTNER_ORG_CLINICIAN, Audience.TRUST_CLINICIAN}
    ),
    Purpose.LOCAL_AUDIT: frozenset({Audience.CARE_TEAM}),
}

RENEWALS: Final[dict[Standing, str]] = {
    Standing.RECONSENT: "A parent agreed; the patient is now old enough, or able, to be asked.",
    Standing.LAPSED_AT_18: "A parent agreed; the patient is now an adult and is to be asked.",
    Standing.REGAINED: "Someone else agreed while the patient could not; the patient can now be asked.",
    Standing.AGE_UNKNOWN: "Someone else agreed; the birth date is not known, so the patient may have to be asked.",
}

# What follows when the team itself may not use a picture any more; a refusal and a withdrawal that both stand do both.
AFTER_DENIAL: Final[dict[Standing, Obligation]] = {
    Standing.REFUSED: Obligation.QUARANTINE,
    Standing.WITHDRAWN: Obligation.IG_REVIEW,
}
PARENTS_DISAGREE: Final = (
    "Those with parental responsibility have said both yes and no to this use. The no is followed, even when it is "
    "the older, until it is found to be entered in error or somebody independent of them consents."
)


def care(case: Case) -> Decision | None:
    """R8: the team that treats uses the picture; a second opinion needs its own consent for photographs."""
    purpose, recipient = purpose_of(case.request), case.request.recipient.type
    if purpose is None or purpose not in RECIPIENTS:
        return None
    if recipient not in RECIPIENTS[purpose]:
        if purpose is Purpose.LOCAL_AUDIT:
            return None  # somebody else's audit is secondary use: R9
        reason = f"{AUDIENCE_WORDS[recipient].capitalize()} has no part in {PURPOSE_WORDS[purpose]}."
        return deny(Rule.CARE_RECIPIENT, reason)
    return _safeguarded(case) or _careful(case, _finished(case, purpose, _decided(case, purpose)))


def _safeguarded(case: Case) -> Decision | None:
    """Hold a child's own intimate picture for safeguarding (requirements 003-62b, CARE-15)."""
    if not (_patients_own_intimate(case) and made_under_18(case)):
        return None
    reason = "An intimate picture of someone under 18, sent in by the patient, is first looked at by safeguarding."
    return review(Rule.CARE_SAFEGUARDING, reason, Obligation.SAFEGUARDING_REVIEW, Obligation.RESTRICT_VIEW)


def _careful(case: Case, decision: Decision) -> Decision:
    """Turn a permit into a review where only an unknown age hides that safeguarding comes first."""
    if not (decision.permits and _patients_own_intimate(case) and made_under_18(case) is None):
        return decision
    reason = "The dates do not show that the patient was an adult when this intimate picture was made."
    held = (Obligation.SAFEGUARDING_REVIEW, Obligation.RESTRICT_VIEW, Obligation.RECONCILE_IDENTITY)
    return joined(decision, review(Rule.AGE_UNKNOWN, reason, *held))


def _patients_own_intimate(case: Case) -> bool:
    return case.image.intimate and case.image.source is ImageSource.PATIENT_SUPPLIED


def _decided(case: Case, purpose: Purpose) -> Decision:
    """Answer from the denial that stands, the class of picture, or the best consent, in that order."""
    position = weigh(case, purpose)
    if position.denial is not None:
        return _denied(purpose, position, position.denial)
    if not is_specific(case):
        return permit(Rule.CARE_IMPLICIT, "Agreeing to the examination includes the use of this image in care.")
    if purpose is Purpose.LOCAL_AUDIT:
        return permit(Rule.CARE_AUDIT, "The team may review its own work with the pictures it made.")
    return _consented(case, position) or _gap(purpose, position) or _unconsented(case, purpose, position)


def _denied(purpose: Purpose, position: Position, denial: Statement) -> Decision:
    """Say no, or ask when two parents disagree (requirements R6, R8)."""
    consents = (denial.consent,)
    if position.parents_disagree:
        return review(Rule.PARENTS_DISAGREE, PARENTS_DISAGREE, Obligation.IG_REVIEW, consents=consents)
    said = "was refused" if denial.standing is Standing.REFUSED else "was withdrawn"
    reason = f"Use for {PURPOSE_WORDS[purpose]} {said} on {denial.on.isoformat()}."
    if purpose is not Purpose.DIRECT_CARE:
        return deny(Rule.CARE_DENIED, reason, consents=consents)
    followed = (AFTER_DENIAL[each.standing] for each in position.denials)
    return deny(Rule.CARE_DENIED, reason, *followed, consents=consents)


def _consented(case: Case, position: Position) -> Decision | None:
    """Permit on the best consent, one that is due for renewal included."""
    lapsed = tuple(each for each in position.dormant if each.standing is Standing.LAPSED_AT_18)
    best = next(iter(position.permits + lapsed), None)
    if best is None:
        return None
    if best.giver in STANDS_IN_FOR_ADULT and age(case) is None:
        reason = "Someone agreed as for an adult, and without a birth date nobody can tell whether the patient is one."
        return review(Rule.AGE_UNKNOWN, reason, Obligation.RECONCILE_IDENTITY, consents=(best.consent,))
    reason = "A consent in force covers this use and this recipient."
    decision = permit(Rule.CARE_CONSENT, reason, consents=(best.consent,))
    if best.standing in RENEWALS:
        decision = obliged(decision, Rule.CARE_RENEW, RENEWALS[best.standing], Obligation.SEEK_RECONSENT)
    if best.giver is GiverType.PATIENT:
        decision = encouraged(case, decision)
    limited = best.consent.max_form is Form.ANONYMISED
    if limited and purpose_of(case.request) is Purpose.SECOND_OPINION:
        return _without_identity(case, decision, "The consent to a second opinion is for an anonymised picture only.")
    return decision


def encouraged(case: Case, decision: Decision) -> Decision:
    """Have a child who decided encouraged to involve a parent (requirements 000-34b)."""
    years = age(case)
    if years is not None and years >= PRESUMED_CAPABLE:
        return decision
    reason = "A child may decide alone and is encouraged to involve a parent."
    return obliged(decision, Rule.CHILD_DECIDED, reason, Obligation.ENCOURAGE_PARENT_INVOLVEMENT)


def _gap(purpose: Purpose, position: Position) -> Decision | None:
    """Answer when there is a consent, but not one that counts today."""
    used = PURPOSE_WORDS[purpose]
    gaps = []
    if unassessed := position.dormant_consents(Standing.NOT_ASSESSED):
        reason = "A child agreed, but nobody recorded whether the child was able to decide."
        gaps.append(review(Rule.CARE_UNASSESSED, reason, Obligation.ASSESS_COMPETENCE, consents=unassessed))
    if expired := position.dormant_consents(Standing.EXPIRED):
        reason = f"The consent to {used} has expired."
        gaps.append(review(Rule.CARE_EXPIRED, reason, Obligation.SEEK_RECONSENT, consents=expired))
    if gaps:
        return reduce(joined, gaps)
    if proposed := position.dormant_consents(Standing.PROPOSED):
        reason = f"A consent to {used} was prepared but never given."
        return deny(Rule.CARE_PROPOSED, reason, Obligation.SEEK_CONSENT, consents=proposed)
    return None


def _unconsented(case: Case, purpose: Purpose, position: Position) -> Decision:
    """Answer when no consent speaks of this use."""
    reason = " ".join((f"No consent covers {PURPOSE_WORDS[purpose]} for this recipient.", *position.misses))
    if purpose is Purpose.SECOND_OPINION:
        return deny(Rule.CARE_NO_CONSENT, reason, Obligation.SEEK_CONSENT)
    if case.image.legacy or case.image.source is ImageSource.PATIENT_SUPPLIED:
        origin = "The picture is from before consents were kept." if case.image.legacy else "The patient sent it in."
        reason = f"{origin} The team may use it and asks for consent."
        return permit(Rule.CARE_NO_CONSENT, reason, Obligation.SEEK_CONSENT)
    return review(Rule.CARE_NO_CONSENT, reason, Obligation.SEEK_CONSENT)


def _finished(case: Case, purpose: Purpose, decision: Decision) -> Decision:
    """Add what every permit for care carries, and give the anonymised form when that was asked."""
    if decision.effect is Effect.DENY:
        return decision
    if decision.effect is Effect.PERMIT_IDENTIFIABLE and not case.request.identifiable:
        decision = _without_identity(case, decision, "An anonymised picture was asked for.")
    if purpose is Purpose.SECOND_OPINION and decision.permits:
        reason = "A second opinion gets the pictures it needs, no more."
        decision = obliged(decision, Rule.CARE_CONSENT, reason, Obligation.MINIMUM_NECESSARY)
    if case.image.intimate:
        reason = "An intimate picture is shown to named roles only."
        decision = obliged(decision, Rule.CARE_SAFEGUARDING, reason, Obligation.RESTRICT_VIEW)
    return decision


def _without_identity(case: Case, decision: Decision, because: str) -> Decision:
    """Give the anonymised form if a person found nothing identifying in the picture (requirements 001-20c)."""
    if case.image.anonymisable is Anonymisable.YES:
        given = answer(
            Effect.PERMIT_ANONYMISED,
            Rule.CARE_ANONYMISED,
            because,
            Obligation.ANONYMISE,
            Obligation.VERIFY_RESIDUAL_ID,
        )
        return joined(decision, given)
    reason = unconfirmed(case, "Nobody has recorded that nothing in it shows who the patient is.")
    return joined(decision, review(Rule.CARE_ANONYMISED, f"{because} {reason}", Obligation.VERIFY_RESIDUAL_ID))
