"""R9: audit by others, teaching, research, publication, media; and the anonymised path."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import (
    Audience,
    Competence,
    ConsentLevel,
    ConsentState,
    Form,
    GiverType,
    Purpose,
)
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import (
    Anonymisable,
    Capacity,
    Consent,
    Effect,
    Image,
    ImageSource,
    MadeFor,
    Obligation,
    Patient,
)
from tests.unit.policy.building import (
    ADULT,
    AGE_UNKNOWN,
    CHILD,
    COMPETENT_CHILD,
    DEAD,
    GMC17,
    INTIMATE,
    PASSED,
    PHOTO,
    TODAY,
    UNABLE,
    XRAY,
    case,
    consent,
    gone,
    refusal,
    request,
)

IDENT, ANON = Effect.PERMIT_IDENTIFIABLE, Effect.PERMIT_ANONYMISED
REVIEW, DENY = Effect.NEEDS_REVIEW, Effect.DENY
TEACHING, RESEARCH, PUBLICATION = Purpose.TEACHING, Purpose.RESEARCH, Purpose.PUBLICATION
ANONYMISED = request(anonymised=True)
PATH = {Obligation.ANONYMISE, Obligation.VERIFY_RESIDUAL_ID, Obligation.RECORD_DISCLOSURE}
SEEK, AGAIN = Obligation.SEEK_CONSENT, Obligation.SEEK_RECONSENT
NOW_16 = Patient(id="P1", dob=date(2010, 11, 20))
ALMOST_16 = Patient(id="P1", dob=date(2010, 11, 21), capacity=Capacity.NA)
NOW_18 = Patient(id="P1", dob=date(2008, 11, 20))
ALMOST_18 = Patient(id="P1", dob=date(2008, 11, 21))
PARENT = consent(by=GiverType.PR_HOLDER)
ATTORNEY = consent(by=GiverType.LPA_HW, tests=PASSED)
BEST = consent(by=GiverType.BEST_INTERESTS)
OLD_SLIDE = replace(PHOTO, made_on=date(1994, 6, 1), made_for=MadeFor.SECONDARY, legacy=True)


# Who consented, how it stands, the patient; then the answers to identifiable and anonymised requests, under the strict
# policy, and to an identifiable request under GMC17 and for an x-ray (requirements 2.7); then what is owed at strict.
TABLE: list[tuple[str, tuple[Consent, ...], Patient, Effect, Effect, Effect, Effect, Obligation | None]] = [
    ("covers identifiable", (consent(),), ADULT, IDENT, ANON, IDENT, IDENT, None),
    ("on its last day", (consent(until=TODAY),), ADULT, IDENT, ANON, IDENT, IDENT, None),
    ("covers anonymised", (consent(form=Form.ANONYMISED),), ADULT, ANON, ANON, ANON, ANON, None),
    ("none", (), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("other purpose", (consent(RESEARCH),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("other audience", (consent(audience=(Audience.JOURNAL,)),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("other recipient", (consent(recipients=("dr-quinn",)),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("nobody named", (consent(recipients=()),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("not yet", (consent(valid_from=date(2027, 1, 1)),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("proposed", (consent(state=ConsentState.PROPOSED),), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("expired", (consent(until=date(2026, 11, 19)),), ADULT, DENY, DENY, ANON, ANON, AGAIN),
    ("stored expired", (consent(state=ConsentState.EXPIRED),), ADULT, DENY, DENY, ANON, ANON, AGAIN),
    ("refused", (refusal(TEACHING),), ADULT, DENY, DENY, DENY, DENY, None),
    (
        "withdrawn",
        (consent(state=ConsentState.WITHDRAWN, withdrawn=gone(TODAY, TEACHING)),),
        ADULT,
        DENY,
        DENY,
        DENY,
        DENY,
        None,
    ),
    ("parent's", (PARENT,), CHILD, IDENT, ANON, IDENT, IDENT, None),
    ("parent's, day before 16", (PARENT,), ALMOST_16, IDENT, ANON, IDENT, IDENT, None),
    ("parent's, 16", (PARENT,), NOW_16, REVIEW, ANON, REVIEW, REVIEW, AGAIN),
    ("parent's, day before 18", (PARENT,), ALMOST_18, REVIEW, ANON, REVIEW, REVIEW, AGAIN),
    ("parent's, competent", (PARENT,), COMPETENT_CHILD, REVIEW, ANON, REVIEW, REVIEW, AGAIN),
    ("parent's, 18", (PARENT,), NOW_18, DENY, DENY, ANON, ANON, AGAIN),
    ("parent's, age unknown", (PARENT,), AGE_UNKNOWN, REVIEW, REVIEW, REVIEW, ANON, Obligation.RECONCILE_IDENTITY),
    ("best interests", (BEST,), UNABLE, DENY, DENY, ANON, ANON, SEEK),
    ("best interests, able again", (BEST,), ADULT, DENY, DENY, ANON, ANON, SEEK),
    ("attorney's", (ATTORNEY,), UNABLE, IDENT, ANON, IDENT, IDENT, None),
    ("attorney's, able again", (ATTORNEY,), ADULT, DENY, DENY, DENY, ANON, AGAIN),
    ("attorney's, untested", (replace(ATTORNEY, tests=None),), UNABLE, DENY, DENY, DENY, ANON, SEEK),
    (
        "attorney's, capacity unknown",
        (ATTORNEY,),
        replace(ADULT, capacity=Capacity.UNKNOWN),
        REVIEW,
        REVIEW,
        REVIEW,
        ANON,
        Obligation.ASSESS_COMPETENCE,
    ),
    (
        "attorney's, age unknown",
        (ATTORNEY,),
        replace(AGE_UNKNOWN, capacity=Capacity.LACKS),
        REVIEW,
        REVIEW,
        REVIEW,
        ANON,
        Obligation.RECONCILE_IDENTITY,
    ),
    ("attorney's for a child", (ATTORNEY,), CHILD, DENY, DENY, ANON, ANON, SEEK),
    ("relative's", (consent(by=GiverType.RELATIVE_NO_AUTHORITY),), UNABLE, DENY, DENY, ANON, ANON, SEEK),
    ("consultee's", (consent(by=GiverType.CONSULTEE),), UNABLE, DENY, DENY, ANON, ANON, SEEK),
    (
        "child's, unassessed",
        (consent(competence=Competence.NOT_ASSESSED),),
        CHILD,
        REVIEW,
        REVIEW,
        REVIEW,
        ANON,
        Obligation.ASSESS_COMPETENCE,
    ),
    ("child's, not competent", (consent(competence=Competence.NO),), CHILD, DENY, DENY, ANON, ANON, SEEK),
    (
        "competent child's",
        (consent(),),
        COMPETENT_CHILD,
        IDENT,
        ANON,
        IDENT,
        IDENT,
        Obligation.ENCOURAGE_PARENT_INVOLVEMENT,
    ),
    ("own, since unable", (consent(),), UNABLE, IDENT, ANON, IDENT, IDENT, None),
]


@pytest.mark.parametrize(
    ("consents", "patient", "identifiable", "anonymised", "gmc17", "xray", "owed"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_teaching_follows_the_decision_table(
    consents: tuple[Consent, ...],
    patient: Patient,
    identifiable: Effect,
    anonymised: Effect,
    gmc17: Effect,
    xray: Effect,
    owed: Obligation | None,
) -> None:
    strict = decide(case(*consents, patient=patient))
    assert strict.effect is identifiable
    assert owed is None or owed in strict.obligations
    assert decide(case(*consents, patient=patient, asked=ANONYMISED)).effect is anonymised
    assert decide(case(*consents, patient=patient, switches=GMC17)).effect is gmc17
    assert decide(case(*consents, patient=patient, image=XRAY)).effect is xray


def test_an_identifiable_release_is_recorded_and_stamped() -> None:
    decision = decide(case(consent()))
    assert set(decision.obligations) == {Obligation.RECORD_DISCLOSURE, Obligation.TAG_PURPOSE}
    assert decision.consents == ("C1",)


@pytest.mark.parametrize(
    ("state", "effect", "owed"),
    [
        (Anonymisable.YES, ANON, PATH),
        (Anonymisable.NO, DENY, {SEEK}),
        (Anonymisable.UNKNOWN, REVIEW, {Obligation.VERIFY_RESIDUAL_ID}),
    ],
)
def test_the_anonymised_path_rests_on_a_persons_check(
    state: Anonymisable, effect: Effect, owed: set[Obligation]
) -> None:
    for image, consents in ((PHOTO, (consent(form=Form.ANONYMISED),)), (XRAY, ())):
        decision = decide(case(*consents, image=replace(image, anonymisable=state)))
        assert (decision.effect, set(decision.obligations)) == (effect, owed)


@pytest.mark.parametrize("patient", [COMPETENT_CHILD, NOW_18, DEAD])
def test_an_intimate_picture_of_a_child_never_leaves_care(patient: Patient) -> None:
    made_on = date(1960, 1, 1) if patient is DEAD else date(2025, 3, 1)
    image = replace(INTIMATE, made_on=made_on)
    for switches in (None, GMC17):
        decision = decide(case(consent(), patient=patient, image=image, asked=ANONYMISED, switches=switches))
        assert (decision.effect, decision.obligations) == (DENY, ())


@pytest.mark.parametrize(("patient", "made_on"), [(AGE_UNKNOWN, TODAY), (ADULT, None)])
def test_an_intimate_picture_without_dates_is_looked_at(patient: Patient, made_on: date | None) -> None:
    decision = decide(case(consent(), patient=patient, image=replace(INTIMATE, made_on=made_on)))
    assert decision.effect is REVIEW
    assert "AGE" in decision.rules


@pytest.mark.parametrize("level", list(ConsentLevel))
def test_an_intimate_picture_needs_a_consent_for_itself(level: ConsentLevel) -> None:
    fits = level is ConsentLevel.IMAGE
    for switches in (None, GMC17):
        decision = decide(case(consent(level=level), image=INTIMATE, switches=switches))
        assert decision.effect is (IDENT if fits else DENY)
        assert fits or decision.obligations == (SEEK,)


def test_gmc17_does_not_open_an_intimate_picture_without_consent() -> None:
    assert decide(case(image=INTIMATE, asked=ANONYMISED, switches=GMC17)).effect is DENY


@pytest.mark.parametrize("purpose", [PUBLICATION, Purpose.PUBLIC_MEDIA])
def test_gmc17_never_reaches_publication(purpose: Purpose) -> None:
    assert decide(case(asked=request(purpose, anonymised=True), switches=GMC17)).effect is DENY
    journal = request(TEACHING, Audience.JOURNAL, anonymised=True)
    assert decide(case(asked=journal, switches=GMC17)).effect is DENY


def test_gmc17_does_not_reach_pictures_made_for_other_than_care() -> None:
    image = replace(PHOTO, made_for=MadeFor.SECONDARY)
    assert decide(case(image=image, asked=ANONYMISED, switches=GMC17)).effect is DENY


@pytest.mark.parametrize(
    ("image", "asked", "effect"),
    [
        (OLD_SLIDE, ANONYMISED, ANON),
        (OLD_SLIDE, request(), ANON),
        (replace(OLD_SLIDE, anonymisable=Anonymisable.NO), request(), DENY),
        (replace(OLD_SLIDE, made_on=date(1996, 12, 31)), ANONYMISED, ANON),
        (replace(OLD_SLIDE, made_on=date(1997, 1, 1)), ANONYMISED, DENY),
        (replace(OLD_SLIDE, made_on=None), ANONYMISED, DENY),
        (replace(OLD_SLIDE, legacy=False), ANONYMISED, DENY),
        (replace(OLD_SLIDE, made_for=MadeFor.CARE), ANONYMISED, DENY),
        (replace(OLD_SLIDE, source=ImageSource.PATIENT_SUPPLIED), ANONYMISED, DENY),
        (OLD_SLIDE, request(PUBLICATION, anonymised=True), DENY),
        (OLD_SLIDE, request(TEACHING, Audience.EXTERNAL_AUDIENCE, anonymised=True), DENY),
    ],
)
def test_the_old_teaching_collection_goes_on_anonymised_in_the_trust(
    image: Image, asked: object, effect: Effect
) -> None:
    patient = Patient(id="P1", dob=date(1950, 1, 1))
    assert decide(case(image=image, patient=patient, asked=asked)).effect is effect  # type: ignore[arg-type]


def published(
    form: Form = Form.IDENTIFIABLE, publication: str | None = None, recipients: tuple[str, ...] | None = None
) -> Consent:
    return consent(PUBLICATION, Purpose.PUBLIC_MEDIA, form=form, publication=publication, recipients=recipients)


@pytest.mark.parametrize(
    ("given", "publication", "publication_anonymised", "media_anonymised"),
    [
        (published(publication="bmj-77"), IDENT, ANON, ANON),
        (published(recipients=("bmj-77",)), IDENT, ANON, ANON),
        (published(publication="lancet-1"), DENY, DENY, DENY),
        (published(), DENY, ANON, DENY),
        (published(Form.ANONYMISED, "bmj-77"), ANON, ANON, ANON),
        (published(Form.ANONYMISED), DENY, ANON, DENY),
    ],
)
def test_a_publication_is_named(
    given: Consent, publication: Effect, publication_anonymised: Effect, media_anonymised: Effect
) -> None:
    asked = request(PUBLICATION, recipient_id="bmj-77")
    assert decide(case(given, asked=asked)).effect is publication
    asked = request(PUBLICATION, recipient_id="bmj-77", anonymised=True)
    assert decide(case(given, asked=asked)).effect is publication_anonymised
    asked = request(Purpose.PUBLIC_MEDIA, recipient_id="bmj-77", anonymised=True)
    assert decide(case(given, asked=asked)).effect is media_anonymised


def test_a_consent_for_another_publication_does_not_outrank_a_refusal() -> None:
    other = replace(published(publication="lancet-1"), decided_on=date(2026, 1, 1))
    decision = decide(case(refusal(PUBLICATION), other, image=XRAY, asked=request(PUBLICATION)))
    assert decision.effect is DENY


@pytest.mark.parametrize(
    ("asked", "patient", "effect"),
    [
        (request(PUBLICATION, recipient_id="bmj-77"), COMPETENT_CHILD, REVIEW),
        (request(PUBLICATION, recipient_id="bmj-77"), AGE_UNKNOWN, REVIEW),
        (request(PUBLICATION, recipient_id="bmj-77"), ADULT, IDENT),
        (request(PUBLICATION, recipient_id="bmj-77", anonymised=True), COMPETENT_CHILD, ANON),
        (request(TEACHING), COMPETENT_CHILD, IDENT),
    ],
)
def test_a_child_who_agrees_to_publication_against_a_parent_talks_first(
    asked: object, patient: Patient, effect: Effect
) -> None:
    own = consent(PUBLICATION, TEACHING, publication="bmj-77", on=date(2024, 1, 1))
    parent = refusal(PUBLICATION, TEACHING, by=GiverType.PR_HOLDER)
    decision = decide(case(own, parent, patient=patient, asked=asked))  # type: ignore[arg-type]
    assert decision.effect is effect
    if patient is not ADULT:
        assert Obligation.ENCOURAGE_PARENT_INVOLVEMENT in decision.obligations
