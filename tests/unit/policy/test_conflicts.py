"""R6: what stands when several statements speak of the same use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import Audience, Competence, ConsentLevel, ConsentState, Form, GiverType, Purpose, PurposeGroup
from orthanc_plugin.policy.conflicts import weigh
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Consent, Effect, Patient
from tests.unit.policy.building import (
    ADULT,
    AGE_UNKNOWN,
    CHILD,
    COMPETENT_CHILD,
    GMC17,
    PASSED,
    TODAY,
    UNABLE,
    case,
    consent,
    gone,
    refusal,
    request,
)

OLD, LATE = date(2024, 1, 1), date(2026, 1, 1)
NAMED, GROUP = Purpose.TEACHING, PurposeGroup.ALL_SECONDARY
PATIENT, PARENT, ATTORNEY = GiverType.PATIENT, GiverType.PR_HOLDER, GiverType.LPA_HW
IMAGE, ALL_IMAGES = ConsentLevel.IMAGE, ConsentLevel.PATIENT


def yes(
    on: date = LATE,
    purpose: Purpose | PurposeGroup = NAMED,
    level: ConsentLevel = IMAGE,
    by: GiverType = PATIENT,
    who: str = "",
) -> Consent:
    return consent(purpose, on=on, level=level, by=by, giver_id=who, tests=PASSED, id=f"yes {on} {who}")


def no(
    on: date = LATE,
    purpose: Purpose | PurposeGroup = NAMED,
    level: ConsentLevel = IMAGE,
    by: GiverType = PATIENT,
    who: str = "",
) -> Consent:
    return replace(yes(on, purpose, level, by, who), state=ConsentState.REFUSED, id=f"no {on} {who}")


@pytest.mark.parametrize(
    ("statements", "patient", "permitted"),
    [
        ((no(OLD), yes(LATE)), ADULT, True),
        ((yes(OLD), no(LATE)), ADULT, False),
        ((yes(LATE), no(LATE)), ADULT, False),
        ((no(OLD), yes(LATE, level=ALL_IMAGES)), ADULT, False),
        ((no(OLD), yes(LATE, level=ConsentLevel.SERIES)), ADULT, False),
        ((no(LATE, level=ALL_IMAGES), yes(OLD)), ADULT, True),
        ((no(LATE, level=ConsentLevel.STUDY), yes(OLD, level=ConsentLevel.SERIES)), ADULT, True),
        ((no(OLD), yes(LATE, GROUP)), ADULT, False),
        ((no(LATE, GROUP), yes(OLD)), ADULT, True),
        ((no(LATE, GROUP), yes(OLD, PurposeGroup.ALL)), ADULT, False),
        ((no(OLD, level=ALL_IMAGES), yes(LATE, GROUP)), ADULT, True),
        ((yes(OLD), no(LATE, by=ATTORNEY)), UNABLE, True),
        ((yes(OLD, level=ALL_IMAGES), no(LATE, by=ATTORNEY)), UNABLE, True),
        ((no(OLD), yes(LATE, by=ATTORNEY)), UNABLE, False),
        ((no(OLD, level=ALL_IMAGES), yes(LATE, by=ATTORNEY)), UNABLE, False),
        ((no(OLD, by=ATTORNEY), yes(LATE, by=ATTORNEY)), UNABLE, True),
        ((no(LATE, by=ATTORNEY), yes(LATE, by=GiverType.DEPUTY)), UNABLE, False),
        ((no(by=GiverType.RELATIVE_NO_AUTHORITY), yes(OLD)), ADULT, True),
        ((no(by=GiverType.RELATIVE_NO_AUTHORITY), yes(OLD, by=ATTORNEY)), UNABLE, True),
        ((no(OLD, by=PARENT, who="father"), yes(LATE, by=PARENT, who="mother")), CHILD, False),
        ((no(OLD, level=ALL_IMAGES, by=PARENT, who="father"), yes(LATE, by=PARENT, who="mother")), CHILD, False),
        ((no(OLD, by=PARENT, who="mother"), yes(LATE, by=PARENT, who="mother")), CHILD, False),
        ((no(OLD, level=ALL_IMAGES, by=PARENT, who="mother"), yes(LATE, by=PARENT, who="mother")), CHILD, False),
        ((replace(no(OLD, by=PARENT), state=ConsentState.ENTERED_IN_ERROR), yes(LATE, by=PARENT)), CHILD, True),
        ((no(OLD, by=PARENT), yes(LATE, by=GiverType.COURT)), CHILD, True),
        ((yes(OLD), no(LATE, by=PARENT)), COMPETENT_CHILD, True),
        ((no(OLD, by=GiverType.COURT), yes(LATE, by=PARENT)), CHILD, True),
        ((no(OLD, by=GiverType.COURT), yes(LATE, by=PARENT)), AGE_UNKNOWN, False),
    ],
)
def test_level_then_purpose_then_date_and_the_patient_before_all(
    statements: tuple[Consent, ...], patient: Patient, permitted: bool
) -> None:
    for ordered in (statements, statements[::-1]):
        assert decide(case(*ordered, patient=patient)).permits is permitted


@pytest.mark.parametrize(
    ("who_agrees", "agreed", "who_denies", "denied", "disagree"),
    [
        ("mother", OLD, "father", LATE, True),
        ("mother", LATE, "father", OLD, True),
        ("mother", OLD, "mother", LATE, False),
        ("mother", LATE, "mother", LATE, False),
        ("mother", LATE, "mother", OLD, True),
        ("", OLD, "", LATE, True),
        ("", LATE, "mother", OLD, True),
        ("mother", OLD, "", LATE, True),
    ],
)
def test_a_parents_no_beats_a_parents_yes_at_any_date(
    who_agrees: str, agreed: date, who_denies: str, denied: date, disagree: bool
) -> None:
    pair = [
        replace(each, giver=replace(each.giver, id=who))
        for each, who in ((yes(agreed, by=PARENT), who_agrees), (no(denied, by=PARENT), who_denies))
    ]
    for ordered in (pair, pair[::-1]):
        position = weigh(case(*ordered, patient=CHILD), NAMED)
        assert (position.denials, position.permits) == (position.denials[:1], ())
        assert position.parents_disagree is disagree
        decision = decide(case(*ordered, patient=CHILD))
        assert decision.effect is Effect.DENY
        assert ("entered in error" in " ".join(decision.reasons)) is disagree


def test_a_yes_between_two_nos_of_one_parent_is_no_disagreement() -> None:
    turns = (no(OLD, by=PARENT), yes(date(2025, 1, 1), by=PARENT), no(LATE, by=PARENT))
    assert not weigh(case(*turns, patient=CHILD), NAMED).parents_disagree


@pytest.mark.parametrize("who", ["mother", "father"])
@pytest.mark.parametrize(("born", "disagree"), [(date(2008, 11, 21), True), (date(2008, 11, 20), False)])
def test_a_parents_yes_that_lapsed_at_18_is_no_yes(born: date, who: str, disagree: bool) -> None:
    statements = (no(OLD, by=PARENT, who="mother"), yes(LATE, by=PARENT, who=who))
    position = weigh(case(*statements, patient=Patient(id="P1", dob=born)), NAMED)
    assert position.denial is not None
    assert position.parent_objection is position.denial
    assert position.parents_disagree is disagree


def test_any_childs_refusal_counts_competent_or_not() -> None:
    distress = no(OLD)
    distress = replace(distress, giver=replace(distress.giver, competent_at_decision=Competence.NO))
    assert not decide(case(distress, yes(LATE, by=PARENT), patient=CHILD)).permits
    assert decide(case(distress, yes(LATE), patient=COMPETENT_CHILD)).permits


def withdrawn(on: date, *purposes: Purpose | PurposeGroup, state: ConsentState = ConsentState.WITHDRAWN) -> Consent:
    both = (Purpose.TEACHING, Purpose.RESEARCH)
    return consent(*both, state=state, on=OLD, withdrawn=gone(on, *(purposes or both)), id="W1")


UNDATED = replace(withdrawn(LATE), withdrawn=())


@pytest.mark.parametrize(
    ("statement", "teaching", "research"),
    [
        (withdrawn(LATE), False, False),
        (UNDATED, False, False),
        (withdrawn(LATE, Purpose.TEACHING), False, True),
        (withdrawn(LATE, PurposeGroup.ALL_SECONDARY), False, False),
        (withdrawn(LATE, Purpose.PUBLICATION), True, True),
        (withdrawn(LATE, Purpose.TEACHING, state=ConsentState.GIVEN), False, True),
        (withdrawn(LATE, Purpose.TEACHING, state=ConsentState.EXPIRED), False, False),
        (withdrawn(date(2027, 1, 1)), False, False),
        (withdrawn(date(2027, 1, 1), state=ConsentState.GIVEN), True, True),
    ],
)
def test_a_withdrawal_denies_what_it_names_and_the_rest_survives(
    statement: Consent, teaching: bool, research: bool
) -> None:
    assert decide(case(statement)).permits is teaching
    assert decide(case(statement, asked=request(Purpose.RESEARCH))).permits is research


def test_an_earlier_consent_does_not_revive_and_a_later_one_counts() -> None:
    earlier = yes(date(2023, 1, 1))
    assert not decide(case(earlier, withdrawn(date(2025, 1, 1)))).permits
    assert decide(case(yes(LATE), withdrawn(date(2025, 1, 1)))).permits
    assert not decide(case(yes(LATE), withdrawn(LATE))).permits
    assert not decide(case(yes(LATE), UNDATED)).permits


@pytest.mark.parametrize("state", [ConsentState.GIVEN, ConsentState.WITHDRAWN, ConsentState.SUPERSEDED])
def test_each_use_is_withdrawn_from_its_own_day(state: ConsentState) -> None:
    steps = (*gone(date(2024, 1, 1), Purpose.TEACHING), *gone(date(2026, 1, 1), Purpose.RESEARCH))
    stepwise = consent(Purpose.TEACHING, Purpose.RESEARCH, state=state, on=OLD, withdrawn=steps, id="W1")
    between = date(2025, 1, 1)
    assert decide(case(stepwise, yes(between))).permits
    assert not decide(case(stepwise, yes(between, Purpose.RESEARCH), asked=request(Purpose.RESEARCH))).permits


@pytest.mark.parametrize("group_on", [OLD, date(2026, 1, 1)])
def test_of_two_withdrawals_of_one_use_the_one_that_ranks_first_counts(group_on: date) -> None:
    steps = (*gone(group_on, PurposeGroup.ALL_SECONDARY), *gone(date(2024, 1, 1), Purpose.TEACHING))
    twice = consent(PurposeGroup.ALL, on=OLD, withdrawn=steps, id="W1")
    assert not decide(case(twice, yes(date(2023, 1, 1)))).permits
    assert decide(case(twice, yes(date(2025, 1, 1)))).permits
    assert not decide(case(twice, yes(date(2025, 1, 1), PurposeGroup.ALL))).permits


def test_a_permit_for_another_audience_does_not_outrank_a_refusal() -> None:
    elsewhere = replace(yes(LATE), audience=(Audience.RESEARCH_TEAM,))
    assert decide(case(no(OLD), elsewhere)).rules == ("R9.b",)


@pytest.mark.parametrize(
    "spent",
    [
        replace(yes(LATE), valid_to=LATE),
        replace(yes(LATE), state=ConsentState.SUPERSEDED),
        replace(yes(LATE), state=ConsentState.PROPOSED),
        replace(yes(LATE), valid_from=date(2027, 1, 1)),
    ],
)
def test_a_consent_that_does_not_count_today_does_not_outrank_a_refusal(spent: Consent) -> None:
    assert decide(case(no(OLD), spent)).rules == ("R9.b",)


@pytest.mark.parametrize("state", [ConsentState.SUPERSEDED, ConsentState.ENTERED_IN_ERROR])
def test_a_replaced_refusal_denies_nothing(state: ConsentState) -> None:
    error = replace(refusal(NAMED), state=state, decided_on=LATE)
    assert decide(case(error, yes(OLD))).permits


@pytest.mark.parametrize(
    ("on", "later", "permitted"),
    [(LATE, (), False), (LATE, (yes(OLD),), False), (TODAY, (yes(LATE),), False), (OLD, (yes(LATE),), True)],
)
def test_what_its_successor_no_longer_covers_is_denied_by_a_replaced_consent(
    on: date, later: tuple[Consent, ...], permitted: bool
) -> None:
    dropped = consent(Purpose.DIRECT_CARE, NAMED, state=ConsentState.SUPERSEDED, withdrawn=gone(on, NAMED), on=OLD)
    renewed = consent(Purpose.DIRECT_CARE, on=LATE, id="new")
    assert decide(case(dropped, renewed, *later, switches=GMC17)).permits is permitted
    assert decide(case(dropped, renewed, asked=request(Purpose.DIRECT_CARE))).permits


def test_what_is_dated_after_the_patient_s_death_is_not_the_patient_s_word() -> None:
    died = replace(ADULT, death_date=OLD)
    assert decide(case(yes(OLD), patient=died)).permits
    assert not decide(case(yes(LATE), patient=died)).permits


def test_the_later_narrower_consent_is_the_best_one() -> None:
    narrow = replace(yes(LATE), max_form=Form.ANONYMISED)
    position = weigh(case(yes(OLD), narrow), Purpose.TEACHING)
    assert [each.consent for each in position.permits] == [narrow, yes(OLD)]
    assert weigh(case(narrow, yes(OLD)), Purpose.TEACHING) == position
    same_day = replace(yes(OLD), max_form=Form.ANONYMISED, id="a")
    assert weigh(case(yes(OLD), same_day), Purpose.TEACHING).permits[0].consent is same_day


def test_at_an_unknown_age_the_patients_unassessed_word_is_settled_before_any_other_counts() -> None:
    unassessed = yes(LATE)
    unassessed = replace(unassessed, giver=replace(unassessed.giver, competent_at_decision=Competence.NOT_ASSESSED))
    assert decide(case(yes(OLD), unassessed, patient=AGE_UNKNOWN)).rules == ("R9.e.unassessed",)
    assert decide(case(yes(OLD), unassessed, patient=ADULT)).permits
