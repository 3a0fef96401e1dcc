"""R9: audit by others, teaching, research, publication and the media.

Knows what a photograph needs before it leaves care. Must not know care itself.

Sources: requirements 2.6 R9 and the anonymised path, 2.7; GMC recordings 8 to 35, 47 to 51; MDU 2013.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dicomwrap.terms import SECONDARY_PURPOSES, Form, GiverType, Purpose
from orthanc_plugin.policy.anonymised import anonymised, ground_without_consent
from orthanc_plugin.policy.answers import deny, joined, obliged, permit, review
from orthanc_plugin.policy.care import PARENTS_DISAGREE, RENEWALS, encouraged
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.conflicts import Position, Statement, weigh
from orthanc_plugin.policy.consent import Standing
from orthanc_plugin.policy.dates import ADULT
from orthanc_plugin.policy.facts import (
    age,
    deceased,
    has_authority,
    is_intimate_photograph,
    is_public,
    is_specific,
    made_under_18,
    purpose_of,
)
from orthanc_plugin.policy.model import AuthorityType, Case, Decision, Obligation
from orthanc_plugin.policy.usable import defect
from orthanc_plugin.policy.words import PURPOSE_WORDS

ENDED: Final = (Standing.EXPIRED, Standing.LAPSED_AT_18)


def secondary(case: Case) -> Decision | None:
    """R9: the first clause that decides wins; the last one always does."""
    purpose = purpose_of(case.request)
    if purpose not in SECONDARY_PURPOSES:
        return None
    position = weigh(case, purpose)
    for clause in CLAUSES:
        decision = clause(case, position)
        if decision is not None:
            return _careful(case, decision)
    return None


def _child_intimate(case: Case, _position: Position) -> Decision | None:
    """R9 (a): the age when made decides (requirements 003-62b, MIN-20)."""
    if not (is_intimate_photograph(case) and made_under_18(case)):
        return None
    reason = "An intimate picture of someone who was under 18 is never used outside care, whoever agrees."
    return deny(Rule.CHILD_INTIMATE, reason)


def _careful(case: Case, decision: Decision) -> Decision:
    """Turn a permit into a review where only an unknown age hides that (a) denies."""
    if not (decision.permits and is_intimate_photograph(case) and made_under_18(case) is None):
        return decision
    reason = "The dates do not show that the patient was an adult when this intimate picture was made."
    needed = (Obligation.SAFEGUARDING_REVIEW, Obligation.RECONCILE_IDENTITY)
    return joined(decision, review(Rule.AGE_UNKNOWN, reason, *needed))


def _denied(case: Case, position: Position) -> Decision | None:
    """R9 (b): a refusal or withdrawal that stands (requirements 002-20b)."""
    denial = position.denial
    if denial is None:
        return None
    said = "was refused" if denial.standing is Standing.REFUSED else "was withdrawn"
    reason = f"Use for {_use(case)} {said} on {denial.on.isoformat()}, and nothing since outranks that."
    decision = deny(Rule.SECONDARY_DENIED, reason, consents=(denial.consent,))
    if not position.parents_disagree:
        return decision
    return obliged(decision, Rule.PARENTS_DISAGREE, PARENTS_DISAGREE)


def _parent_objects(case: Case, position: Position) -> Decision | None:
    """R9 (c): a competent child's yes against a parent's no, identifiable and in public (requirements 000-34b)."""
    own, objection, years = _own(position), position.parent_objection, age(case)
    if own is None or objection is None or not case.request.identifiable or not is_public(case.request):
        return None
    if years is not None and years >= ADULT:
        return None
    reason = "The young person agrees to be shown in public and a parent objects; they should talk first."
    return review(
        Rule.PARENT_OBJECTS,
        reason,
        Obligation.ENCOURAGE_PARENT_INVOLVEMENT,
        consents=(own.consent, objection.consent),
    )


def _own(position: Position) -> Statement | None:
    return next((each for each in position.permits if each.giver is GiverType.PATIENT), None)


def _section_251(case: Case, position: Position) -> Decision | None:
    """R9 (d): approved research without the patient's consent, unless they opted out (requirements G-NDO, RES-03)."""
    research = purpose_of(case.request) is Purpose.RESEARCH and case.request.identifiable
    own_word = _own(position) is not None or (age(case) is None and position.has(Standing.NOT_ASSESSED))
    if not research or own_word or not has_authority(case, AuthorityType.SECTION_251):
        return None
    if case.patient.national_data_opt_out:
        reason = "The patient has opted out of the use of confidential data for research."
        return deny(Rule.SECTION_251, reason, Obligation.APPLY_OPT_OUT)
    reason = "Section 251 approval covers this picture, and the patient has not opted out."
    return permit(
        Rule.SECTION_251,
        reason,
        Obligation.MINIMUM_NECESSARY,
        Obligation.RECORD_DISCLOSURE,
        Obligation.TAG_PURPOSE,
    )


def _consented(case: Case, position: Position) -> Decision | None:
    """R9 (e): the best consent, if usable."""
    best = next((each for each in position.permits if defect(case, each) is None), None)
    if best is None:
        return _defective(case, position)
    if best.standing is Standing.RECONSENT:
        decision = _due_for_renewal(case, best)
    elif case.request.identifiable and best.consent.max_form is Form.IDENTIFIABLE:
        decision = _identifiable(case, position, best)
    else:
        decision = anonymised(case, _basis(case, best))
    return encouraged(case, decision) if decision.permits and best.giver is GiverType.PATIENT else decision


def _basis(case: Case, best: Statement) -> Decision:
    """Name the consent that is relied on."""
    return permit(
        Rule.CONSENTED, f"A consent in force covers {_use(case)} for this recipient.", consents=(best.consent,)
    )


def _defective(case: Case, position: Position) -> Decision | None:
    """Answer on a consent that can't be used; images that need no specific consent pass on to (f).

    But (f) never opens what a consent due for renewal keeps closed, whatever else is wrong with it.
    """
    best = next(iter(position.permits), None)
    if not is_specific(case):
        return _due_for_renewal(case, best) if best is not None and best.standing is Standing.RECONSENT else None
    found = _unassessed(case, position) if best is None else defect(case, best)
    if found is None or deceased(case) or not position.has(*ENDED):
        return found
    return obliged(found, Rule.CONSENT_DEFECT, " ".join(_stale(position)), Obligation.SEEK_RECONSENT)


def _unassessed(case: Case, position: Position) -> Decision | None:
    """Have a child assessed who agreed; the dead can't be."""
    unassessed = position.dormant_consents(Standing.NOT_ASSESSED)
    if not unassessed or deceased(case):
        return None
    reason = "A child agreed, but nobody recorded whether the child was able to decide."
    return review(Rule.CHILD_UNASSESSED, reason, Obligation.ASSESS_COMPETENCE, consents=unassessed)


def _due_for_renewal(case: Case, best: Statement) -> Decision:
    """R9 (e): a parent's consent once the child can be asked (GMC recordings 35, MIN-11 to MIN-16)."""
    ask = (Obligation.SEEK_RECONSENT, *((Obligation.CONSULT_FAMILY,) if deceased(case) else ()))
    due = review(Rule.RECONSENT_DUE, RENEWALS[Standing.RECONSENT], *ask, consents=(best.consent,))
    return due if case.request.identifiable else anonymised(case, due)


def _identifiable(case: Case, position: Position, best: Statement) -> Decision:
    """R9 (e): identifiable, asked for and covered; the dead need more (GMC recordings 47-48)."""
    basis = _basis(case, best)
    decision = obliged(
        basis,
        Rule.CONSENTED,
        "The consent is for an identifiable picture.",
        Obligation.RECORD_DISCLOSURE,
        Obligation.TAG_PURPOSE,
    )
    if not deceased(case):
        return decision
    if is_public(case.request) and not _executor_agrees(case, position):
        reason = "The patient has died, and nobody has the executor's authority to show them in public."
        return joined(basis, review(Rule.DECEASED_CONSENTED, reason, Obligation.CONSULT_FAMILY))
    reason = "The patient agreed in their lifetime and has died; think of the family."
    return obliged(decision, Rule.DECEASED_CONSENTED, reason, Obligation.CONSIDER_FAMILY)


def _executor_agrees(case: Case, position: Position) -> bool:
    """Tell whether the executor's authority is verified, or recorded as a consent of theirs to this very use."""
    recorded = position.dormant_consents(Standing.EXECUTOR_AGREES)
    identifiable = any(consent.max_form is Form.IDENTIFIABLE for consent in recorded)
    return identifiable or has_authority(case, AuthorityType.EXECUTOR)


def _unconsented(case: Case, position: Position) -> Decision:
    """R9 (f): no usable consent."""
    ground = ground_without_consent(case)
    renewal = _renewal(case, position)
    if ground is not None:
        rule, reason = ground
        return anonymised(case, permit(rule, reason, *renewal))
    missing = " ".join(
        (f"No usable consent covers {_use(case)} for this recipient.", *_stale(position), *position.misses)
    )
    if deceased(case):
        return _of_the_dead(case, missing)
    return deny(Rule.UNCONSENTED, missing, *(renewal or (Obligation.SEEK_CONSENT,)))


def _renewal(case: Case, position: Position) -> tuple[Obligation, ...]:
    """Ask again where there once was a consent (R9 (e): expired or lapsed count as none, + SEEK_RECONSENT)."""
    once = position.has(*ENDED) or any(each.standing is Standing.REGAINED for each in position.permits)
    return (Obligation.SEEK_RECONSENT,) if once and not deceased(case) else ()


def _stale(position: Position) -> tuple[str, ...]:
    """Say which consents there once were or nearly were."""
    said = {
        Standing.EXPIRED: "An earlier consent has expired.",
        Standing.LAPSED_AT_18: "A parent's consent ended when the patient became 18.",
        Standing.PROPOSED: "A consent was prepared but never given.",
    }
    return tuple(words for standing, words in said.items() if position.has(standing))


def _of_the_dead(case: Case, missing: str) -> Decision:
    """R9 (f): nothing is known of the wishes of someone who has died (GMC recordings 47-51, DEC-05, DEC-06)."""
    if not case.request.identifiable and not is_public(case.request):
        reason = f"{missing} The patient has died; the family is consulted about an anonymised picture."
        return review(Rule.DECEASED_UNCONSENTED, reason, Obligation.CONSULT_FAMILY)
    reason = f"{missing} The patient has died and cannot be asked."
    return deny(Rule.DECEASED_UNCONSENTED, reason, Obligation.IG_REVIEW)


def _use(case: Case) -> str:
    purpose = purpose_of(case.request)
    return PURPOSE_WORDS[purpose] if purpose is not None else "this use"


CLAUSES: Final[tuple[Callable[[Case, Position], Decision | None], ...]] = (
    _child_intimate,
    _denied,
    _parent_objects,
    _section_251,
    _consented,
    _unconsented,
)
