"""What time has done to a consent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import ConsentState, GiverType, Purpose
from orthanc_plugin.policy.eventmodel import Happening
from orthanc_plugin.policy.model import Capacity, Consent, Gillick, Patient
from orthanc_plugin.policy.renewal import passed
from tests.unit.policy.building import ADULT, PASSED, UNABLE, consent, gone

LEAP = Patient(id="P1", dob=date(2008, 2, 29), capacity=Capacity.NA, gillick=Gillick.NOT_COMPETENT)
PARENTS = consent(Purpose.DIRECT_CARE, by=GiverType.PR_HOLDER, on=date(2020, 1, 1))
OWN = consent(Purpose.DIRECT_CARE, until=date(2026, 11, 20))
PROXY = consent(Purpose.DIRECT_CARE, by=GiverType.LPA_HW, tests=PASSED)


def happened(scopes: tuple[Consent, ...], patient: Patient, day: date) -> list[Happening]:
    return [each.happening for each in passed(scopes, patient, day)]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2024, 2, 28), []),
        (date(2024, 2, 29), [Happening.BIRTHDAY_16]),
        (date(2026, 2, 28), [Happening.BIRTHDAY_16]),
        (date(2026, 3, 1), [Happening.BIRTHDAY_18]),
    ],
)
def test_a_parent_s_consent_is_due_at_16_and_over_at_18_with_leap_days(day: date, expected: list[Happening]) -> None:
    assert happened((PARENTS,), LEAP, day) == expected


@pytest.mark.parametrize(
    ("scopes", "patient", "expected"),
    [
        ((PARENTS,), replace(LEAP, dob=date(2016, 3, 1), gillick=Gillick.COMPETENT), [Happening.COMPETENCE_FOUND]),
        ((PARENTS,), replace(LEAP, dob=date(2016, 3, 1)), []),
        ((PARENTS,), replace(LEAP, dob=None), []),
        ((PROXY,), UNABLE, []),
        ((PROXY,), ADULT, [Happening.CAPACITY_REGAINED]),
        ((OWN,), ADULT, []),
    ],
)
def test_whoever_can_decide_now_is_asked(
    scopes: tuple[Consent, ...], patient: Patient, expected: list[Happening]
) -> None:
    assert happened(scopes, patient, date(2026, 11, 20)) == expected


def test_a_consent_is_over_on_the_day_after_its_last_one() -> None:
    assert happened((OWN,), ADULT, date(2026, 11, 20)) == []
    (found,) = passed((OWN,), ADULT, date(2026, 11, 21))
    assert (found.happening, found.outcome.consent) == (Happening.EXPIRY, ConsentState.EXPIRED)


def test_a_consent_is_over_only_when_all_of_it_is() -> None:
    open_ended = consent(Purpose.TEACHING)
    assert happened((OWN, open_ended), ADULT, date(2026, 11, 21)) == []
    withdrawn = replace(open_ended, withdrawn=gone(date(2026, 1, 1), Purpose.TEACHING))
    assert happened((OWN, withdrawn), ADULT, date(2026, 11, 21)) == [Happening.EXPIRY]


@pytest.mark.parametrize("state", [state for state in ConsentState if state is not ConsentState.GIVEN])
def test_time_does_nothing_to_a_consent_that_is_not_in_force(state: ConsentState) -> None:
    assert passed((replace(OWN, state=state),), ADULT, date(2030, 1, 1)) == ()
    assert passed((replace(PARENTS, state=state),), LEAP, date(2030, 1, 1)) == ()


def test_of_the_dead_nobody_asks_but_the_family_is_thought_of() -> None:
    dead = replace(LEAP, death_date=date(2024, 1, 1))
    assert happened((PARENTS,), dead, date(2030, 1, 1)) == [Happening.DEATH]
    assert happened((OWN,), replace(ADULT, death_date=date(2026, 1, 1)), date(2026, 11, 21)) == []


def test_a_consent_that_covers_nothing_is_left_alone() -> None:
    assert passed((), ADULT, date(2026, 11, 20)) == ()
