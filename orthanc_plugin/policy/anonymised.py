"""The anonymised path, and the grounds on which it is open without consent.

Knows when a picture that shows nothing identifying may be given. Must not know consents.

Sources: requirements 2.6 (anonymised path, R9 (f)), 001-20c, 002-58, G-10, G-17, G-22; GMC recordings 10 to 12, 17, 22.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.policy.answers import answer, deny, joined, review
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.facts import ask_or_refer, deceased, is_public, is_specific, purpose_of
from orthanc_plugin.policy.model import (
    Anonymisable,
    Case,
    Decision,
    Effect,
    ImageSource,
    MadeFor,
    Obligation,
    SecondaryUseRule,
)
from orthanc_plugin.policy.others import unconfirmed

TEACHING_IN_THE_TRUST: Final = frozenset({Audience.TRUST_STUDENTS, Audience.TRUST_CLINICIAN, Audience.CARE_TEAM})
CONSENT_NEEDED_SINCE: Final = 1997


def anonymised(case: Case, basis: Decision) -> Decision:
    """The anonymised path: release only what a person found to show nothing identifying (requirements 001-20c, 002-58).

    Args:
        case: the case.
        basis: why an anonymised picture may be given at all; its reasons and obligations are kept.
    """
    return joined(basis, _anonymised(case))


def _anonymised(case: Case) -> Decision:
    downgraded = " The identifiable picture that was asked for is not given." if case.request.identifiable else ""
    state = case.image.anonymisable
    if state is Anonymisable.NO:
        reason = f"The picture shows who the patient is, whatever is removed.{downgraded}"
        return deny(Rule.ANONYMISED, reason, ask_or_refer(case))
    if deceased(case) and case.image.familial and is_public(case.request):
        reason = "The patient has died and the picture may tell of a condition in the family."
        return review(Rule.DECEASED_UNCONSENTED, reason, Obligation.CONSULT_FAMILY)
    if state is Anonymisable.UNKNOWN:
        reason = unconfirmed(case, "Nobody has yet checked whether the picture shows who the patient is.")
        return review(Rule.ANONYMISED, f"{reason}{downgraded}", Obligation.VERIFY_RESIDUAL_ID)
    return answer(
        Effect.PERMIT_ANONYMISED,
        Rule.ANONYMISED,
        f"An anonymised picture may be given.{downgraded}",
        Obligation.ANONYMISE,
        Obligation.VERIFY_RESIDUAL_ID,
        Obligation.RECORD_DISCLOSURE,
    )


def ground_without_consent(case: Case) -> tuple[Rule, str] | None:
    """Return why an anonymised picture may be given without consent, None when nothing allows it."""
    if not is_specific(case):
        return Rule.IMPLICIT_ANONYMISED, "An image of this kind may be used anonymised without a separate consent."
    if case.image.intimate:
        return None  # requirements 003-62a: only a consent for this very picture
    if _old_teaching_collection(case):
        return Rule.OLD_TEACHING_COLLECTION, "The picture is from the trust's teaching collection of before 1997."
    switch = case.switches.anonymised_secondary_use_of_care_photographs
    if switch is SecondaryUseRule.GMC17 and case.image.made_for is MadeFor.CARE and not is_public(case.request):
        return Rule.GMC17_SWITCH, "This hospital allows anonymised pictures made for care to be used beyond care."
    return None


def _old_teaching_collection(case: Case) -> bool:
    """Tell whether the picture belongs to a teaching collection begun before consent was usual (GMC recordings 22)."""
    image, request = case.image, case.request
    in_collection = image.legacy and image.made_for is MadeFor.SECONDARY and image.source is ImageSource.DEPARTMENT
    old = image.made_on is not None and image.made_on.year < CONSENT_NEEDED_SINCE
    taught = purpose_of(request) is Purpose.TEACHING and request.recipient.type in TEACHING_IN_THE_TRUST
    return in_collection and old and taught
