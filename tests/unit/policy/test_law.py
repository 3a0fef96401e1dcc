"""R1 to R5 and R7: law, public interest, access, records, covert pictures, emergencies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import Audience, ConsentState, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import (
    Authority,
    AuthorityType,
    BreakGlass,
    Capacity,
    Content,
    Effect,
    Gillick,
    Obligation,
    Patient,
)
from tests.unit.policy.building import (
    ADULT,
    AGE_UNKNOWN,
    CHILD,
    COMPETENT_CHILD,
    DEAD,
    PHOTO,
    UNABLE,
    authority,
    case,
    consent,
    gone,
    refusal,
    request,
)

ORDER = AuthorityType.COURT_ORDER
LEGAL = request(Purpose.LEGAL_DISCLOSURE)
INTEREST = request(Purpose.PUBLIC_INTEREST)
ACCESS = request(Purpose.SUBJECT_ACCESS)
ACCESS_BY_PARENT = request(Purpose.SUBJECT_ACCESS, Audience.PR_HOLDER)
ACCESS_BY_EXECUTOR = request(Purpose.SUBJECT_ACCESS, Audience.EXECUTOR)
REASON = BreakGlass(reason="airway swelling", by_clinician=True)
EMERGENCY = request(Purpose.EMERGENCY_CARE, break_glass=REASON)


@pytest.mark.parametrize("kind", [ORDER, AuthorityType.STATUTE, AuthorityType.CORONER])
def test_a_verified_order_that_covers_the_picture_overrides_refusal(kind: AuthorityType) -> None:
    decision = decide(case(refusal(PurposeGroup.ALL), authorities=(authority(kind),), asked=LEGAL))
    assert decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert {Obligation.MINIMUM_NECESSARY, Obligation.NOTIFY_PATIENT} <= set(decision.obligations)


@pytest.mark.parametrize(
    ("orders", "effect"),
    [
        ((), Effect.NEEDS_REVIEW),
        ((authority(ORDER, verified=False),), Effect.NEEDS_REVIEW),
        ((authority(ORDER, covers=False),), Effect.DENY),
        ((authority(ORDER, covers=False), authority(ORDER, verified=False)), Effect.NEEDS_REVIEW),
        ((authority(AuthorityType.EXECUTOR),), Effect.NEEDS_REVIEW),
    ],
)
def test_anything_less_goes_to_the_lawyers(orders: tuple[Authority, ...], effect: Effect) -> None:
    decision = decide(case(consent(PurposeGroup.ALL), authorities=orders, asked=LEGAL))
    assert (decision.effect, decision.obligations) == (effect, (Obligation.LEGAL_REVIEW,))


@pytest.mark.parametrize(("patient", "silent"), [(ADULT, True), (DEAD, False)])
def test_nobody_is_told_who_is_dead_or_may_not_know(patient: Patient, silent: bool) -> None:
    decision = decide(case(patient=patient, authorities=(authority(ORDER, silent=silent),), asked=LEGAL))
    assert decision.permits
    assert Obligation.NOTIFY_PATIENT not in decision.obligations


def test_public_interest_needs_an_independent_approver() -> None:
    decision = decide(case(authorities=(authority(AuthorityType.PUBLIC_INTEREST),), asked=INTEREST))
    assert decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert {
        Obligation.MINIMUM_NECESSARY,
        Obligation.RECORD_JUSTIFICATION,
        Obligation.NOTIFY_PATIENT,
        Obligation.SECURE_CHANNEL,
    } <= set(decision.obligations)


@pytest.mark.parametrize(
    "claim",
    [
        None,
        authority(AuthorityType.PUBLIC_INTEREST, approved_by="requester-1"),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by="someone-1"),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by=" Requester-1"),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by="SOMEONE-1"),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by="\u200b"),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by=None),
        authority(AuthorityType.PUBLIC_INTEREST, approved_by=" "),
        authority(AuthorityType.PUBLIC_INTEREST, requested_by=None),
        authority(AuthorityType.PUBLIC_INTEREST, verified=False),
        authority(AuthorityType.PUBLIC_INTEREST, covers=False),
    ],
)
def test_otherwise_the_caldicott_guardian_decides(claim: Authority | None) -> None:
    decision = decide(case(authorities=(claim,) if claim else (), asked=INTEREST))
    assert (decision.effect, decision.obligations) == (Effect.NEEDS_REVIEW, (Obligation.CALDICOTT_REVIEW,))


def test_patients_see_their_own_pictures_though_they_withdrew() -> None:
    whole = gone(date(2026, 10, 1), PurposeGroup.ALL)
    withdrawn = consent(PurposeGroup.ALL, state=ConsentState.WITHDRAWN, withdrawn=whole)
    decision = decide(case(withdrawn, asked=ACCESS))
    assert decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert set(decision.obligations) == {Obligation.REDACT_THIRD_PARTIES, Obligation.SERIOUS_HARM_CHECK}


def test_identity_is_proven_first() -> None:
    decision = decide(case(asked=request(Purpose.SUBJECT_ACCESS, verified=False)))
    assert (decision.effect, decision.obligations) == (Effect.NEEDS_REVIEW, (Obligation.VERIFY_IDENTITY,))


@pytest.mark.parametrize(
    ("patient", "effect"),
    [
        (CHILD, Effect.PERMIT_IDENTIFIABLE),
        (replace(CHILD, gillick=Gillick.NA), Effect.PERMIT_IDENTIFIABLE),
        (replace(CHILD, gillick=Gillick.NOT_ASSESSED), Effect.NEEDS_REVIEW),
        (replace(COMPETENT_CHILD, gillick=Gillick.NA), Effect.NEEDS_REVIEW),
        (COMPETENT_CHILD, Effect.NEEDS_REVIEW),
        (Patient(id="P1", dob=date(2010, 11, 20)), Effect.NEEDS_REVIEW),
        (ADULT, Effect.NEEDS_REVIEW),
        (AGE_UNKNOWN, Effect.NEEDS_REVIEW),
    ],
)
def test_a_parent_sees_the_pictures_of_a_child_who_cannot_decide(patient: Patient, effect: Effect) -> None:
    decision = decide(case(patient=patient, asked=ACCESS_BY_PARENT))
    assert decision.effect is effect
    assert decision.permits or Obligation.SEEK_CONSENT in decision.obligations


def test_a_young_person_may_agree_to_a_parents_access() -> None:
    agreed = consent(Purpose.SUBJECT_ACCESS, audience=(Audience.PR_HOLDER,))
    assert decide(case(agreed, patient=COMPETENT_CHILD, asked=ACCESS_BY_PARENT)).permits
    other = consent(Purpose.SUBJECT_ACCESS, audience=(Audience.PATIENT,))
    assert not decide(case(other, patient=COMPETENT_CHILD, asked=ACCESS_BY_PARENT)).permits


def test_after_death_the_executor_sees_what_the_patient_did_not_close() -> None:
    assert decide(case(patient=DEAD, asked=ACCESS_BY_EXECUTOR)).effect is Effect.PERMIT_IDENTIFIABLE
    closed = decide(case(refusal(Purpose.SUBJECT_ACCESS), patient=DEAD, asked=ACCESS_BY_EXECUTOR))
    assert (closed.effect, closed.obligations) == (Effect.DENY, (Obligation.IG_REVIEW,))
    claim = authority(AuthorityType.EXECUTOR, verified=False)
    assert not decide(case(patient=DEAD, authorities=(claim,), asked=ACCESS_BY_EXECUTOR)).permits


@pytest.mark.parametrize("kind", [Audience.PATIENT, Audience.PR_HOLDER, Audience.POLICE])
def test_after_death_others_are_looked_at(kind: Audience) -> None:
    decision = decide(case(patient=DEAD, asked=request(Purpose.SUBJECT_ACCESS, kind)))
    assert (decision.effect, decision.obligations) == (Effect.NEEDS_REVIEW, (Obligation.IG_REVIEW,))


@pytest.mark.parametrize("kind", [Audience.POLICE, Audience.EXECUTOR, Audience.CARE_TEAM])
def test_nobody_else_has_access_to_the_record_of_the_living(kind: Audience) -> None:
    assert decide(case(asked=request(Purpose.SUBJECT_ACCESS, kind))).effect is Effect.DENY


@pytest.mark.parametrize(
    ("content", "effect"), [(Content.METADATA, Effect.PERMIT_IDENTIFIABLE), (Content.PIXELS, Effect.DENY)]
)
def test_a_records_officer_sees_what_is_kept_and_never_the_picture(content: Content, effect: Effect) -> None:
    decision = decide(case(asked=request(Purpose.RECORDS_MANAGEMENT, content=content)))
    assert (decision.effect, decision.obligations) == (effect, (Obligation.METADATA_ONLY,))


def test_only_a_records_officer_manages_records() -> None:
    asked = request(Purpose.RECORDS_MANAGEMENT, Audience.CARE_TEAM, content=Content.METADATA)
    assert decide(case(asked=asked)).effect is Effect.DENY


@pytest.mark.parametrize("purpose", [Purpose.DIRECT_CARE, Purpose.TEACHING, Purpose.EMERGENCY_CARE])
def test_a_covert_picture_without_authorisation_is_used_for_nothing(purpose: Purpose) -> None:
    asked = request(purpose, break_glass=REASON if purpose is Purpose.EMERGENCY_CARE else None)
    hidden = replace(PHOTO, covert=True)
    unverified = authority(AuthorityType.COVERT_AUTHORISATION, verified=False)
    decision = decide(case(consent(PurposeGroup.ALL), image=hidden, authorities=(unverified,), asked=asked))
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation.NOTIFY_IG, Obligation.QUARANTINE))
    allowed = authority(AuthorityType.COVERT_AUTHORISATION)
    assert decide(case(consent(PurposeGroup.ALL), image=hidden, authorities=(allowed,), asked=asked)).permits


@pytest.mark.parametrize("patient", [ADULT, UNABLE, CHILD, COMPETENT_CHILD, AGE_UNKNOWN])
def test_a_clinician_with_a_reason_breaks_the_glass(patient: Patient) -> None:
    decision = decide(case(patient=patient, asked=EMERGENCY))
    assert decision.effect is Effect.PERMIT_IDENTIFIABLE
    assert set(decision.obligations) == {
        Obligation.RECORD_JUSTIFICATION,
        Obligation.RETROSPECTIVE_REVIEW,
        Obligation.NOTIFY_IG,
        Obligation.NOTIFY_PATIENT,
    }


@pytest.mark.parametrize(
    "asked",
    [
        request(Purpose.EMERGENCY_CARE),
        request(Purpose.EMERGENCY_CARE, break_glass=BreakGlass(reason=" ", by_clinician=True)),
        request(Purpose.EMERGENCY_CARE, break_glass=BreakGlass(reason="bleeding", by_clinician=False)),
        request(Purpose.EMERGENCY_CARE, break_glass=REASON, verified=False),
        request(Purpose.EMERGENCY_CARE, Audience.TRUST_STUDENTS, break_glass=REASON),
        request(Purpose.DIRECT_CARE, break_glass=REASON),
        request(Purpose.TEACHING, break_glass=REASON),
    ],
)
def test_emergency_access_without_ground_is_denied_and_told(asked: object) -> None:
    decision = decide(case(consent(PurposeGroup.ALL), asked=asked))  # type: ignore[arg-type]
    assert (decision.effect, decision.obligations) == (Effect.DENY, (Obligation.NOTIFY_IG,))


@pytest.mark.parametrize("purpose", [Purpose.DIRECT_CARE, Purpose.EMERGENCY_CARE, PurposeGroup.ALL])
def test_an_emergency_does_not_override_a_capable_refusal(purpose: Purpose | PurposeGroup) -> None:
    no = refusal(purpose)
    assert decide(case(no, asked=EMERGENCY)).effect is Effect.DENY
    assert decide(case(no, patient=COMPETENT_CHILD, asked=EMERGENCY)).effect is Effect.DENY
    assert decide(case(no, patient=UNABLE, asked=EMERGENCY)).permits
    assert decide(case(no, patient=replace(ADULT, capacity=Capacity.UNKNOWN), asked=EMERGENCY)).permits


def test_a_later_agreement_to_care_ends_a_refusal_of_care_but_not_one_that_named_emergencies() -> None:
    later = consent(Purpose.DIRECT_CARE, on=date(2026, 1, 1), audience=(Audience.CARE_TEAM,))
    assert decide(case(refusal(Purpose.DIRECT_CARE), later, asked=EMERGENCY)).permits
    assert not decide(case(refusal(Purpose.EMERGENCY_CARE), later, asked=EMERGENCY)).permits


def test_somebody_elses_refusal_does_not_stop_an_emergency() -> None:
    assert decide(case(refusal(Purpose.DIRECT_CARE, by=GiverType.LPA_HW), asked=EMERGENCY)).permits
    assert decide(case(refusal(Purpose.TEACHING), asked=EMERGENCY)).permits


def test_there_is_no_emergency_for_the_dead() -> None:
    assert decide(case(patient=DEAD, asked=EMERGENCY)).effect is Effect.DENY
