"""R9 continued: research under approval, proxies, the dead, and what the answer says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import (
    Audience,
    ConsentLevel,
    Form,
    GiverType,
    Purpose,
    PurposeGroup,
)
from orthanc_plugin.policy.consent import Standing, standing
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import (
    Anonymisable,
    AuthorityType,
    Capacity,
    Consent,
    Effect,
    Image,
    Obligation,
    Patient,
    Request,
)
from orthanc_plugin.policy.model import Tests as ThreeTests
from orthanc_plugin.policy.secondary import secondary
from tests.unit.policy.building import (
    ADULT,
    CHILD,
    DEAD,
    GMC17,
    PASSED,
    PHOTO,
    TODAY,
    UNABLE,
    XRAY,
    authority,
    case,
    consent,
    refusal,
    request,
)
from tests.unit.policy.test_secondary import (
    AGAIN,
    ANON,
    ANONYMISED,
    DENY,
    IDENT,
    PARENT,
    PUBLICATION,
    RESEARCH,
    REVIEW,
    SEEK,
    TEACHING,
    published,
)

APPROVED = authority(AuthorityType.SECTION_251)
OPTED_OUT = replace(ADULT, national_data_opt_out=True)
IDENTIFIABLE_RESEARCH = request(RESEARCH)


def test_section_251_opens_identifiable_research_unless_opted_out() -> None:
    decision = decide(case(authorities=(APPROVED,), asked=IDENTIFIABLE_RESEARCH))
    assert decision.effect is IDENT
    assert set(decision.obligations) == {
        Obligation.MINIMUM_NECESSARY,
        Obligation.RECORD_DISCLOSURE,
        Obligation.TAG_PURPOSE,
        Obligation.SECURE_CHANNEL,
    }
    out = decide(case(patient=OPTED_OUT, authorities=(APPROVED,), asked=IDENTIFIABLE_RESEARCH))
    assert (out.effect, out.obligations) == (DENY, (Obligation.APPLY_OPT_OUT,))


def test_the_opt_out_does_not_touch_consented_or_anonymised_research() -> None:
    own = decide(case(consent(RESEARCH), patient=OPTED_OUT, authorities=(APPROVED,), asked=IDENTIFIABLE_RESEARCH))
    assert own.effect is IDENT
    anonymised = request(RESEARCH, anonymised=True)
    assert decide(case(image=XRAY, patient=OPTED_OUT, asked=anonymised)).effect is ANON


def test_section_251_overrides_no_refusal_and_nothing_unverified_helps() -> None:
    refused = decide(case(refusal(RESEARCH), authorities=(APPROVED,), asked=IDENTIFIABLE_RESEARCH))
    assert refused.effect is DENY
    for weak in (replace(APPROVED, verified=False), replace(APPROVED, covers_image=False)):
        assert decide(case(authorities=(weak,), asked=IDENTIFIABLE_RESEARCH)).effect is DENY
    assert decide(case(authorities=(APPROVED,))).effect is DENY


def test_own_consent_to_anonymised_research_keeps_section_251_out() -> None:
    limited = consent(RESEARCH, form=Form.ANONYMISED)
    assert decide(case(limited, authorities=(APPROVED,), asked=IDENTIFIABLE_RESEARCH)).effect is ANON


S30 = authority(AuthorityType.MCA_S30_APPROVAL)


@pytest.mark.parametrize(
    ("giver", "tests", "approved", "effect"),
    [
        (GiverType.CONSULTEE, None, True, IDENT),
        (GiverType.CONSULTEE, None, False, DENY),
        (GiverType.LPA_HW, PASSED, True, IDENT),
        (GiverType.LPA_HW, PASSED, False, DENY),
        (GiverType.LPA_HW, None, True, DENY),
        (GiverType.DEPUTY, ThreeTests(necessary=True, best_interests=False, no_less_restrictive=True), True, DENY),
        (GiverType.BEST_INTERESTS, PASSED, True, DENY),
    ],
)
def test_research_with_someone_unable_to_decide_needs_approval(
    giver: GiverType, tests: ThreeTests | None, approved: bool, effect: Effect
) -> None:
    given = consent(RESEARCH, by=giver, tests=tests)
    authorities = (S30,) if approved else ()
    assert decide(case(given, patient=UNABLE, authorities=authorities, asked=IDENTIFIABLE_RESEARCH)).effect is effect


@pytest.mark.parametrize("patient", [CHILD, UNABLE, replace(UNABLE, dob=None)])
@pytest.mark.parametrize("tests", [None, PASSED])
def test_a_consultees_advice_needs_approval_at_every_age(patient: Patient, tests: ThreeTests | None) -> None:
    advised = consent(RESEARCH, by=GiverType.CONSULTEE, tests=tests)
    assert decide(case(advised, patient=patient, asked=IDENTIFIABLE_RESEARCH)).effect is DENY
    approved = decide(case(advised, patient=patient, authorities=(S30,), asked=IDENTIFIABLE_RESEARCH))
    assert approved.effect is (REVIEW if patient.dob is None else IDENT)


@pytest.mark.parametrize("missing", ["necessary", "best_interests", "no_less_restrictive"])
def test_all_three_tests_must_hold(missing: str) -> None:
    tests = replace(PASSED, **{missing: False})
    for giver in (GiverType.LPA_HW, GiverType.DEPUTY, GiverType.COURT):
        assert decide(case(consent(by=giver, tests=tests), patient=UNABLE)).effect is DENY
        assert decide(case(consent(by=giver, tests=PASSED), patient=UNABLE)).effect is IDENT
    assert decide(case(consent(by=GiverType.PR_HOLDER, tests=tests), patient=CHILD)).effect is DENY


EXECUTOR = authority(AuthorityType.EXECUTOR)
JOURNAL = request(PUBLICATION, recipient_id="bmj-77")
LIFETIME = published(publication="bmj-77")


def test_the_dead_are_taught_with_as_they_wished_and_the_family_is_thought_of() -> None:
    decision = decide(case(consent(), patient=DEAD))
    assert decision.effect is IDENT
    assert Obligation.CONSIDER_FAMILY in decision.obligations
    assert decide(case(refusal(TEACHING), patient=DEAD, asked=ANONYMISED)).effect is DENY


@pytest.mark.parametrize(
    ("patient", "on", "worth"),
    [
        (ADULT, date(1980, 6, 14), Standing.NO_AUTHORITY),
        (ADULT, date(1980, 6, 15), Standing.IN_FORCE),
        (DEAD, date(2026, 2, 2), Standing.IN_FORCE),
        (DEAD, date(2026, 2, 3), Standing.NO_AUTHORITY),
    ],
)
def test_nobody_agrees_before_birth_or_after_death_but_a_refusal_counts(
    patient: Patient, on: date, worth: Standing
) -> None:
    assert standing(consent(on=on), TEACHING, patient, TODAY) is worth
    assert decide(case(consent(on=on), patient=patient)).permits is (worth is Standing.IN_FORCE)
    assert standing(refusal(TEACHING, decided_on=on), TEACHING, patient, TODAY) is Standing.REFUSED


def test_publication_after_death_needs_the_executor_beside_the_lifetime_consent() -> None:
    alone = decide(case(LIFETIME, patient=DEAD, asked=JOURNAL))
    assert (alone.effect, alone.obligations) == (REVIEW, (Obligation.CONSULT_FAMILY,))
    assert decide(case(LIFETIME, patient=DEAD, authorities=(EXECUTOR,), asked=JOURNAL)).effect is IDENT
    recorded = replace(LIFETIME, id="C2", giver=replace(LIFETIME.giver, type=GiverType.EXECUTOR))
    assert decide(case(LIFETIME, recorded, patient=DEAD, asked=JOURNAL)).effect is IDENT
    unverified = replace(EXECUTOR, verified=False)
    assert decide(case(LIFETIME, patient=DEAD, authorities=(unverified,), asked=JOURNAL)).effect is REVIEW


@pytest.mark.parametrize(
    ("asked", "image", "effect", "owed"),
    [
        (JOURNAL, PHOTO, DENY, Obligation.IG_REVIEW),
        (request(PUBLICATION, anonymised=True), PHOTO, DENY, Obligation.IG_REVIEW),
        (request(), PHOTO, DENY, Obligation.IG_REVIEW),
        (ANONYMISED, PHOTO, REVIEW, Obligation.CONSULT_FAMILY),
        (ANONYMISED, XRAY, ANON, Obligation.ANONYMISE),
        (ANONYMISED, replace(XRAY, anonymisable=Anonymisable.NO), DENY, Obligation.IG_REVIEW),
        (request(PUBLICATION, anonymised=True), XRAY, ANON, Obligation.SECURE_CHANNEL),
        (request(PUBLICATION), replace(XRAY, familial=True), REVIEW, Obligation.CONSULT_FAMILY),
        (ANONYMISED, replace(XRAY, familial=True), ANON, Obligation.ANONYMISE),
    ],
)
def test_without_known_wishes_the_dead_are_protected(
    asked: object, image: Image, effect: Effect, owed: Obligation
) -> None:
    decision = decide(case(patient=DEAD, image=image, authorities=(EXECUTOR,), asked=asked))  # type: ignore[arg-type]
    assert decision.effect is effect
    assert owed in decision.obligations
    assert not {SEEK, AGAIN} & set(decision.obligations)


def test_gmc17_reaches_the_dead_too() -> None:
    assert decide(case(patient=DEAD, asked=ANONYMISED, switches=GMC17)).effect is ANON


def test_a_familial_picture_is_not_published_after_death_without_the_family() -> None:
    anonymised = replace(LIFETIME, max_form=Form.ANONYMISED)
    decision = decide(case(anonymised, patient=DEAD, image=replace(PHOTO, familial=True), asked=JOURNAL))
    assert (decision.effect, decision.obligations) == (REVIEW, (Obligation.CONSULT_FAMILY,))


@pytest.mark.parametrize(
    ("given", "died_at_17", "effect", "owed"),
    [
        (PARENT, True, REVIEW, {AGAIN, Obligation.CONSULT_FAMILY}),
        (consent(by=GiverType.LPA_HW, tests=PASSED), False, DENY, {AGAIN, Obligation.IG_REVIEW}),
    ],
)
def test_a_consent_that_was_due_for_renewal_at_death_is_told_as_such(
    given: Consent, died_at_17: bool, effect: Effect, owed: set[Obligation]
) -> None:
    patient = replace(DEAD, dob=date(2008, 6, 1)) if died_at_17 else DEAD
    decision = decide(case(given, patient=patient))
    assert (decision.effect, set(decision.obligations)) == (effect, owed)


@pytest.mark.parametrize(
    ("ended", "owed"),
    [
        ((), {SEEK}),
        ((replace(LIFETIME, valid_to=date(2026, 1, 1), id="C2"),), {SEEK, AGAIN}),
        ((replace(LIFETIME, valid_to=date(2026, 1, 1), named_publication="lancet-1", id="C2"),), {SEEK}),
    ],
)
def test_beside_a_consent_with_a_defect_an_expired_one_is_asked_for_again(
    ended: tuple[Consent, ...], owed: set[Obligation]
) -> None:
    decision = decide(case(published(), *ended, asked=JOURNAL))
    assert (decision.effect, set(decision.obligations)) == (DENY, owed)


def test_a_parents_older_named_consent_outlives_a_newer_unnamed_one() -> None:
    by_parent = replace(LIFETIME, giver=PARENT.giver)
    newer = replace(by_parent, named_publication=None, decided_on=date(2026, 1, 1), id="C2")
    decision = decide(case(by_parent, newer, patient=CHILD, asked=JOURNAL))
    assert (decision.effect, decision.consents) == (IDENT, ("C1",))


@pytest.mark.parametrize(
    ("level", "effect"), [(ConsentLevel.IMAGE, IDENT), (ConsentLevel.SERIES, ANON), (ConsentLevel.PATIENT, ANON)]
)
def test_an_intimate_image_of_the_implicit_class_is_shown_as_it_is_only_by_a_consent_for_itself(
    level: ConsentLevel, effect: Effect
) -> None:
    assert decide(case(consent(level=level), image=replace(XRAY, intimate=True))).effect is effect


@pytest.mark.parametrize("asked", [request(TEACHING, Audience.JOURNAL), request(PUBLICATION)])
def test_no_defect_opens_an_xray_that_a_consent_due_for_renewal_keeps_closed(asked: Request) -> None:
    parents = consent(TEACHING, PUBLICATION, by=GiverType.PR_HOLDER)
    patient = Patient(id="P1", dob=date(2010, 11, 20))
    decision = decide(case(parents, patient=patient, image=XRAY, asked=asked))
    assert (decision.effect, decision.obligations) == (REVIEW, (AGAIN,))
    anonymised = replace(asked, identifiable=False)
    assert decide(case(parents, patient=patient, image=XRAY, asked=anonymised)).effect is ANON


def test_a_child_who_died_never_turns_18() -> None:
    patient = Patient(id="P1", dob=date(2004, 1, 1), death_date=date(2014, 1, 1), capacity=Capacity.NA)
    image = replace(PHOTO, made_on=date(2013, 1, 1))
    decision = decide(case(replace(PARENT, decided_on=date(2013, 1, 1)), patient=patient, image=image))
    assert decision.effect is IDENT
    assert Obligation.CONSIDER_FAMILY in decision.obligations


def test_a_patient_who_dies_tomorrow_is_still_asked() -> None:
    decision = decide(case(patient=replace(ADULT, death_date=date(2026, 11, 21))))
    assert decision.obligations == (SEEK,)


def test_the_answer_says_why_a_near_miss_does_not_count() -> None:
    decision = decide(case(published(publication="lancet-1"), asked=JOURNAL))
    assert "for lancet-1, not for bmj-77" in decision.reasons[0]
    expired = decide(case(consent(until=date(2026, 1, 1))))
    assert "expired" in expired.reasons[0]


def test_a_group_of_purposes_covers_its_members() -> None:
    assert decide(case(consent(PurposeGroup.ALL_SECONDARY))).effect is IDENT
    assert decide(case(consent(PurposeGroup.ALL))).effect is IDENT
    asked = request(Purpose.DIRECT_CARE)
    assert decide(case(consent(PurposeGroup.ALL_SECONDARY), asked=asked)).effect is REVIEW


def test_care_is_no_business_of_this_rule() -> None:
    assert secondary(case(asked=request(Purpose.DIRECT_CARE))) is None
