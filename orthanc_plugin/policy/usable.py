"""R9 (e): what keeps a consent from being used beyond care.

Knows the defects of one consent: regained capacity, intimate pictures, unnamed publication, proxies without the tests.
Must not know other consents nor what is given instead.

Sources: requirements 2.6 R9 (e), 000-14, 000-33b, 000-33c, 003-62a; GMC recordings 28 to 32; Mental Capacity Act 2005.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.terms import ConsentLevel, GiverType, Purpose
from orthanc_plugin.policy.answers import deny, review
from orthanc_plugin.policy.care import RENEWALS
from orthanc_plugin.policy.citations import Rule
from orthanc_plugin.policy.conflicts import Statement
from orthanc_plugin.policy.consent import Standing
from orthanc_plugin.policy.dates import PRESUMED_CAPABLE
from orthanc_plugin.policy.facts import (
    age,
    ask_or_refer,
    deceased,
    has_authority,
    is_public,
    purpose_of,
)
from orthanc_plugin.policy.model import AuthorityType, Capacity, Case, Decision, Obligation

TESTED_PROXIES: Final = frozenset({GiverType.LPA_HW, GiverType.DEPUTY, GiverType.COURT, GiverType.CONSULTEE})
# Publication once done cannot be undone, so the place must be named; the media are named even for anonymised pictures.
UNNAMED: Final = "The consent does not say where the picture may be published."
FAILED_TESTS: Final = (
    "Whoever agreed for the patient did not show that it is necessary, in their interest and without another way."
)


def defect(case: Case, statement: Statement) -> Decision | None:
    """Return the answer to a consent that can't be used beyond care, None when nothing keeps it from that."""
    consents = (statement.consent,)
    if statement.standing is Standing.REGAINED:
        asked = (Obligation.SEEK_RECONSENT, *((Obligation.IG_REVIEW,) if deceased(case) else ()))
        return deny(Rule.CONSENT_DEFECT, RENEWALS[Standing.REGAINED], *asked, consents=consents)
    if case.image.intimate and statement.consent.level is not ConsentLevel.IMAGE:
        reason = "An intimate picture needs a consent for this very picture."
        return deny(Rule.CONSENT_DEFECT, reason, ask_or_refer(case), consents=consents)
    if (gap := _unnamed(case, statement) or _proxys_gap(case, statement)) is not None:
        return deny(Rule.CONSENT_DEFECT, gap, ask_or_refer(case), consents=consents)
    if statement.standing is Standing.AGE_UNKNOWN:
        reason = "Someone else agreed, and without a birth date nobody can tell whether that counts."
        return review(Rule.AGE_UNKNOWN, reason, Obligation.RECONCILE_IDENTITY, consents=consents)
    if statement.giver in TESTED_PROXIES and _capacity_unclear(case):
        reason = "Someone agreed for the patient, and nobody recorded that the patient is unable to decide."
        return review(Rule.CONSENT_DEFECT, reason, Obligation.ASSESS_COMPETENCE, consents=consents)
    return None


def _unnamed(case: Case, statement: Statement) -> str | None:
    """Tell whether a publication is not named (requirements 2.2, 2.7 "identifiable if named"; 000-14 for the media)."""
    consent = statement.consent
    if not is_public(case.request) or consent.named_publication is not None or consent.named_recipients is not None:
        return None
    must_be_named = case.request.identifiable or purpose_of(case.request) is Purpose.PUBLIC_MEDIA
    return UNNAMED if must_be_named else None


def _proxys_gap(case: Case, statement: Statement) -> str | None:
    """Tell what a proxy's consent lacks (requirements 000-33b, 000-33c, RES-10, RES-11).

    For research on an adult the Mental Capacity Act's approval is needed, beside a consultee's advice or the tests; a
    consultee advises on nothing without it, whatever the patient's age (requirements 2.3).
    """
    tests = statement.consent.tests
    if statement.giver is GiverType.PR_HOLDER:
        return FAILED_TESTS if tests is not None and not tests.passed else None
    if statement.giver not in TESTED_PROXIES:
        return None
    years = age(case)
    adult, consultee = years is None or years >= PRESUMED_CAPABLE, statement.giver is GiverType.CONSULTEE
    if purpose_of(case.request) is Purpose.RESEARCH and (adult or consultee):
        if not has_authority(case, AuthorityType.MCA_S30_APPROVAL):
            return "Research with someone who cannot decide needs a verified approval under the Mental Capacity Act."
        if consultee:
            return None
    return None if tests is not None and tests.passed else FAILED_TESTS


def _capacity_unclear(case: Case) -> bool:
    years = age(case)
    return case.patient.capacity is not Capacity.LACKS and (years is None or years >= PRESUMED_CAPABLE)
