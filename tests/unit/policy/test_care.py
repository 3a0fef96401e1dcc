"""R8: care, second opinions, the team's own audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import Audience, Competence, ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import (
    Anonymisable,
    Capacity,
    Consent,
    Effect,
    Image,
    ImageSource,
    ImageType,
    Obligation,
    Patient,
    Request,
)
from tests.unit.policy.building import (
    ADULT,
    AGE_UNKNOWN,
    CHILD,
    COMPETENT_CHILD,
    INTIMATE,
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

IDENT, ANON, REVIEW, DENY = Effect.PERMIT_IDENTIFIABLE, Effect.PERMIT_ANONYMISED, Effect.NEEDS_REVIEW, Effect.DENY
CARE = request(Purpose.DIRECT_CARE)
OPINION = request(Purpose.SECOND_OPINION)
AUDIT = request(Purpose.LOCAL_AUDIT)
SENT_IN = replace(PHOTO, source=ImageSource.PATIENT_SUPPLIED)
BOTH = (Purpose.DIRECT_CARE, Purpose.SECOND_OPINION)
PARENT = consent(*BOTH, by=GiverType.PR_HOLDER)
ATTORNEY = consent(*BOTH, by=GiverType.LPA_HW)
UNABLE_AGE_UNKNOWN = replace(AGE_UNKNOWN, capacity=Capacity.LACKS)
NOW_16 = Patient(id="P1", dob=date(2010, 11, 20))
NOW_18 = Patient(id="P1", dob=date(2008, 11, 20))
LEAP_17 = Patient(id="P1", dob=date(2008, 2, 29))
EXPIRED = consent(*BOTH, until=date(2026, 11, 19))
WITHDRAWN = consent(*BOTH, state=ConsentState.WITHDRAWN, withdrawn=gone(date(2026, 1, 1), *BOTH))


@pytest.mark.parametrize("kind", sorted(set(ImageType) - {ImageType.CLINICAL_PHOTO, ImageType.KEY_OBJECT}))
@pytest.mark.parametrize("asked", [CARE, OPINION, AUDIT])
def test_images_of_the_implicit_list_need_no_consent_for_care(kind: ImageType, asked: object) -> None:
    assert decide(case(image=replace(PHOTO, type=kind), asked=asked)).effect is IDENT  # type: ignore[arg-type]


TABLE: list[tuple[str, tuple[Consent, ...], Patient, Effect, Effect, Obligation | None]] = [
    ("covered", (consent(*BOTH),), ADULT, IDENT, IDENT, None),
    ("covered on its last day", (consent(*BOTH, until=TODAY),), ADULT, IDENT, IDENT, None),
    ("nothing", (), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("another purpose", (consent(Purpose.TEACHING),), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("not yet", (consent(*BOTH, valid_from=date(2026, 11, 21)),), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("superseded", (consent(*BOTH, state=ConsentState.SUPERSEDED),), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("in error", (consent(*BOTH, state=ConsentState.ENTERED_IN_ERROR),), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("implied", (consent(*BOTH, evidence="IMPLIED"),), ADULT, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("proposed", (consent(*BOTH, state=ConsentState.PROPOSED),), ADULT, DENY, DENY, Obligation.SEEK_CONSENT),
    ("expired", (EXPIRED,), ADULT, REVIEW, REVIEW, Obligation.SEEK_RECONSENT),
    ("stored expired", (consent(*BOTH, state=ConsentState.EXPIRED),), ADULT, REVIEW, REVIEW, Obligation.SEEK_RECONSENT),
    ("refused", (refusal(*BOTH),), ADULT, DENY, DENY, None),
    ("withdrawn", (WITHDRAWN,), ADULT, DENY, DENY, None),
    (
        "withdrawal recorded ahead",
        (replace(WITHDRAWN, withdrawn=gone(date(2027, 1, 1), *BOTH)),),
        ADULT,
        DENY,
        DENY,
        None,
    ),
    ("withdrawal not stored yet", (consent(*BOTH, withdrawn=gone(TODAY, *BOTH)),), ADULT, DENY, DENY, None),
    ("withdrawal to come", (consent(*BOTH, withdrawn=gone(date(2026, 11, 21), *BOTH)),), ADULT, IDENT, IDENT, None),
    ("parent's", (PARENT,), CHILD, IDENT, IDENT, None),
    ("parent's, now 16", (PARENT,), NOW_16, IDENT, IDENT, Obligation.SEEK_RECONSENT),
    ("parent's, competent", (PARENT,), COMPETENT_CHILD, IDENT, IDENT, Obligation.SEEK_RECONSENT),
    ("parent's, now 18", (PARENT,), NOW_18, IDENT, IDENT, Obligation.SEEK_RECONSENT),
    (
        "parent's, stored lapsed",
        (replace(PARENT, state=ConsentState.EXPIRED),),
        NOW_18,
        IDENT,
        IDENT,
        Obligation.SEEK_RECONSENT,
    ),
    ("parent's, age unknown", (PARENT,), AGE_UNKNOWN, IDENT, IDENT, Obligation.SEEK_RECONSENT),
    ("attorney's", (ATTORNEY,), UNABLE, IDENT, IDENT, None),
    ("attorney's, able again", (ATTORNEY,), ADULT, IDENT, IDENT, Obligation.SEEK_RECONSENT),
    ("attorney's, age unknown", (ATTORNEY,), UNABLE_AGE_UNKNOWN, REVIEW, REVIEW, Obligation.RECONCILE_IDENTITY),
    ("attorney's, able again, age unknown", (ATTORNEY,), AGE_UNKNOWN, REVIEW, REVIEW, Obligation.RECONCILE_IDENTITY),
    ("best interests", (consent(*BOTH, by=GiverType.BEST_INTERESTS),), UNABLE, IDENT, IDENT, None),
    (
        "best interests, able",
        (consent(*BOTH, by=GiverType.BEST_INTERESTS),),
        ADULT,
        IDENT,
        IDENT,
        Obligation.SEEK_RECONSENT,
    ),
    (
        "relative's",
        (consent(*BOTH, by=GiverType.RELATIVE_NO_AUTHORITY),),
        UNABLE,
        REVIEW,
        DENY,
        Obligation.SEEK_CONSENT,
    ),
    ("executor's", (consent(*BOTH, by=GiverType.EXECUTOR),), UNABLE, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("consultee's", (consent(*BOTH, by=GiverType.CONSULTEE),), UNABLE, REVIEW, DENY, Obligation.SEEK_CONSENT),
    ("own, before capacity was lost", (consent(*BOTH),), UNABLE, IDENT, IDENT, None),
    ("own, unable then", (consent(*BOTH, competence=Competence.NO),), UNABLE, REVIEW, DENY, Obligation.SEEK_CONSENT),
    (
        "child's, unassessed",
        (consent(*BOTH, competence=Competence.NOT_ASSESSED),),
        CHILD,
        REVIEW,
        REVIEW,
        Obligation.ASSESS_COMPETENCE,
    ),
    (
        "somebody's, unassessed, age unknown",
        (consent(*BOTH, competence=Competence.NA),),
        AGE_UNKNOWN,
        REVIEW,
        REVIEW,
        Obligation.ASSESS_COMPETENCE,
    ),
    ("adult's, presumed able", (consent(*BOTH, competence=Competence.NA),), ADULT, IDENT, IDENT, None),
    ("competent child's", (consent(*BOTH),), COMPETENT_CHILD, IDENT, IDENT, Obligation.ENCOURAGE_PARENT_INVOLVEMENT),
]


@pytest.mark.parametrize(
    ("consents", "patient", "direct", "opinion", "owed"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_a_consent_amounts_to_in_care(
    consents: tuple[Consent, ...], patient: Patient, direct: Effect, opinion: Effect, owed: Obligation | None
) -> None:
    for asked, effect in ((CARE, direct), (OPINION, opinion)):
        decision = decide(case(*consents, patient=patient, asked=asked))
        assert decision.effect is effect
        assert owed is None or owed in decision.obligations
        plain = set(decision.obligations) <= {
            Obligation.MINIMUM_NECESSARY,
            Obligation.SECURE_CHANNEL,
            Obligation.RECORD_DISCLOSURE,
        }
        assert owed is not None or effect is DENY or plain


def test_a_second_opinion_gets_no_more_pictures_than_it_needs() -> None:
    assert Obligation.MINIMUM_NECESSARY in decide(case(consent(*BOTH), asked=OPINION)).obligations
    assert Obligation.MINIMUM_NECESSARY in decide(case(image=XRAY, asked=OPINION)).obligations


def test_care_after_a_refusal_is_quarantined_and_after_a_withdrawal_reviewed() -> None:
    assert decide(case(refusal(*BOTH), asked=CARE)).obligations == (Obligation.QUARANTINE,)
    assert decide(case(WITHDRAWN, asked=CARE)).obligations == (Obligation.IG_REVIEW,)
    both = {Obligation.IG_REVIEW, Obligation.QUARANTINE}
    assert set(decide(case(refusal(*BOTH), WITHDRAWN, asked=CARE)).obligations) == both
    agreed_since = consent(*BOTH, on=date(2026, 6, 1), id="C2")
    assert decide(case(refusal(*BOTH), WITHDRAWN, agreed_since, asked=CARE)).effect is IDENT


@pytest.mark.parametrize("asked", [CARE, OPINION])
def test_an_expired_and_an_unassessed_consent_are_both_followed_up(asked: Request) -> None:
    unassessed = consent(*BOTH, competence=Competence.NOT_ASSESSED, id="C2")
    decision = decide(case(EXPIRED, unassessed, patient=CHILD, asked=asked))
    assert decision.effect is REVIEW
    assert {Obligation.ASSESS_COMPETENCE, Obligation.SEEK_RECONSENT} <= set(decision.obligations)
    assert {"C1", "C2"} == set(decision.consents)


def test_an_executors_consent_that_ran_out_is_no_consent_of_the_patient() -> None:
    spent = consent(*BOTH, by=GiverType.EXECUTOR, until=date(2026, 11, 19))
    decision = decide(case(spent, asked=CARE))
    assert (decision.effect, decision.obligations) == (REVIEW, (Obligation.SEEK_CONSENT,))


@pytest.mark.parametrize("later_form", list(Form))
def test_of_two_consents_that_lapsed_at_18_the_later_one_is_followed(later_form: Form) -> None:
    earlier_form = Form.ANONYMISED if later_form is Form.IDENTIFIABLE else Form.IDENTIFIABLE
    earlier = replace(PARENT, max_form=earlier_form, decided_on=date(2024, 1, 1), id="C2")
    later = replace(PARENT, max_form=later_form)
    for ordered in ((earlier, later), (later, earlier)):
        decision = decide(case(*ordered, patient=NOW_18, asked=OPINION))
        assert decision.effect is (IDENT if later_form is Form.IDENTIFIABLE else ANON)


@pytest.mark.parametrize("image", [PHOTO, XRAY, SENT_IN, replace(PHOTO, legacy=True)])
@pytest.mark.parametrize("asked", [CARE, OPINION, AUDIT])
def test_a_refusal_stands_for_every_kind_of_picture(image: Image, asked: object) -> None:
    assert decide(case(refusal(PurposeGroup.ALL), image=image, asked=asked)).effect is DENY  # type: ignore[arg-type]


@pytest.mark.parametrize("image", [SENT_IN, replace(PHOTO, legacy=True)])
def test_pictures_sent_in_or_from_before_serve_care_while_consent_is_asked(image: Image) -> None:
    decision = decide(case(image=image, asked=CARE))
    assert (decision.effect, decision.obligations) == (IDENT, (Obligation.SEEK_CONSENT,))
    assert decide(case(image=image, asked=OPINION)).effect is DENY


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        (Purpose.DIRECT_CARE, Audience.TRUST_CLINICIAN),
        (Purpose.DIRECT_CARE, Audience.PATIENT),
        (Purpose.SECOND_OPINION, Audience.CARE_TEAM),
        (Purpose.SECOND_OPINION, Audience.EXTERNAL_AUDIENCE),
    ],
)
def test_other_recipients_have_no_part_in_care(purpose: Purpose, kind: Audience) -> None:
    assert decide(case(consent(PurposeGroup.ALL), image=XRAY, asked=request(purpose, kind))).effect is DENY


def test_a_second_opinion_goes_to_the_colleague_named_and_care_to_the_team() -> None:
    named = consent(*BOTH, recipients=("dr-quinn",), audience=(Audience.CARE_TEAM, Audience.NAMED_COLLEAGUE))
    assert decide(case(named, asked=request(Purpose.SECOND_OPINION, recipient_id="dr-quinn"))).effect is IDENT
    other = decide(case(named, asked=request(Purpose.SECOND_OPINION, recipient_id="dr-other")))
    assert (other.effect, other.obligations) == (DENY, (Obligation.SEEK_CONSENT,))
    assert "names other recipients" in other.reasons[0]
    assert decide(case(named, asked=CARE)).effect is IDENT


def test_the_team_audits_its_own_work_unless_denied() -> None:
    assert decide(case(asked=AUDIT)).effect is IDENT
    assert decide(case(EXPIRED, asked=AUDIT)).effect is IDENT
    assert decide(case(refusal(PurposeGroup.ALL_SECONDARY), asked=AUDIT)).effect is DENY
    assert decide(case(asked=request(Purpose.LOCAL_AUDIT, Audience.TRUST_CLINICIAN))).effect is DENY


@pytest.mark.parametrize(
    ("state", "effect"), [(Anonymisable.YES, ANON), (Anonymisable.NO, REVIEW), (Anonymisable.UNKNOWN, REVIEW)]
)
def test_an_anonymised_picture_for_care_is_checked_by_a_person(state: Anonymisable, effect: Effect) -> None:
    image = replace(PHOTO, anonymisable=state)
    asked = decide(case(consent(*BOTH), image=image, asked=request(Purpose.DIRECT_CARE, anonymised=True)))
    limited = decide(case(consent(*BOTH, form=Form.ANONYMISED), image=image, asked=OPINION))
    for decision in (asked, limited):
        assert decision.effect is effect
        assert Obligation.VERIFY_RESIDUAL_ID in decision.obligations
        assert (Obligation.ANONYMISE in decision.obligations) is (effect is ANON)


def test_a_consent_to_care_limited_to_anonymised_still_serves_the_team() -> None:
    assert decide(case(consent(*BOTH, form=Form.ANONYMISED), asked=CARE)).effect is IDENT


def test_an_intimate_picture_is_shown_to_named_roles_only() -> None:
    decision = decide(case(consent(*BOTH), image=INTIMATE, asked=CARE))
    assert (decision.effect, decision.obligations) == (IDENT, (Obligation.RESTRICT_VIEW,))


@pytest.mark.parametrize(
    ("patient", "made_on", "effect"),
    [
        (CHILD, date(2025, 3, 1), REVIEW),
        (NOW_18, date(2026, 11, 19), REVIEW),
        (NOW_18, date(2026, 11, 20), IDENT),
        (LEAP_17, date(2026, 2, 28), REVIEW),
        (LEAP_17, date(2026, 3, 1), IDENT),
        (CHILD, None, REVIEW),
        (ADULT, None, REVIEW),
        (AGE_UNKNOWN, date(2025, 3, 1), REVIEW),
    ],
)
def test_a_childs_own_intimate_picture_goes_to_safeguarding_first(
    patient: Patient, made_on: date | None, effect: Effect
) -> None:
    image = replace(INTIMATE, source=ImageSource.PATIENT_SUPPLIED, made_on=made_on)
    decision = decide(case(consent(*BOTH), patient=patient, image=image, asked=CARE))
    assert decision.effect is effect
    assert (Obligation.SAFEGUARDING_REVIEW in decision.obligations) is (effect is REVIEW)
    assert Obligation.RESTRICT_VIEW in decision.obligations


def test_parents_who_disagree_about_care_bring_in_governance() -> None:
    mother = consent(*BOTH, by=GiverType.PR_HOLDER, giver_id="mother", on=date(2026, 1, 1))
    father = replace(refusal(*BOTH, by=GiverType.PR_HOLDER), giver=replace(mother.giver, id="father"))
    decision = decide(case(mother, father, patient=CHILD, asked=CARE))
    assert (decision.effect, decision.obligations) == (REVIEW, (Obligation.IG_REVIEW,))
    assert "entered in error" in decision.reasons[0]
    grown = decide(case(mother, father, patient=NOW_18, asked=CARE))
    assert (grown.effect, grown.obligations) == (DENY, (Obligation.QUARANTINE,))


@pytest.mark.parametrize(
    ("agreed", "effect", "owed"),
    [
        (date(2025, 1, 1), DENY, Obligation.QUARANTINE),
        (date(2025, 3, 1), DENY, Obligation.QUARANTINE),
        (date(2026, 1, 1), REVIEW, Obligation.IG_REVIEW),
    ],
)
def test_a_parent_who_said_both_is_followed_in_the_no_and_asked_about_a_later_yes(
    agreed: date, effect: Effect, owed: Obligation
) -> None:
    parents_no = refusal(*BOTH, by=GiverType.PR_HOLDER)
    decision = decide(case(replace(PARENT, decided_on=agreed), parents_no, patient=CHILD, asked=CARE))
    assert (decision.effect, decision.obligations) == (effect, (owed,))


@pytest.mark.parametrize(("has_pr", "effect"), [(True, IDENT), (None, IDENT), (False, REVIEW)])
def test_who_was_found_to_hold_no_parental_responsibility_agrees_to_nothing(
    has_pr: bool | None, effect: Effect
) -> None:
    agreed = replace(PARENT, giver=replace(PARENT.giver, has_pr=has_pr))
    assert decide(case(agreed, patient=CHILD, asked=CARE)).effect is effect


def test_capacity_recorded_for_a_child_does_not_end_a_best_interests_decision() -> None:
    child = replace(CHILD, capacity=Capacity.HAS)
    decision = decide(case(consent(*BOTH, by=GiverType.BEST_INTERESTS), patient=child, asked=CARE))
    assert (decision.effect, decision.obligations) == (IDENT, ())
