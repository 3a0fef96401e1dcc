"""What goes with a patient's facts: copies that left under a stranger's consent, a birth date told in passing."""

from __future__ import annotations

from datetime import date

import pytest

from orthanc_plugin.lifecycle import people
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, leave, listed

P1, P9 = ("P1", "HOSP"), ("P9", "HOSP")
THEIRS = "urn:x:theirs"
BORN = date(1980, 6, 15)


def parted(world: World, *, taken_out: patients.Key, kept: patients.Key) -> str:
    with acting(world) as (connection, act):
        people.merge(connection, act, taken_out, kept, "same person")
    with acting(world) as (connection, act):
        return people.unmerge(connection, act, taken_out, "two people after all")


@pytest.mark.parametrize(("taken_out", "kept"), [(P9, P1), (P1, P9)])
@pytest.mark.parametrize(
    ("under", "outcome", "asked"),
    [
        (THEIRS, Delivery.DELIVERED, True),
        (THEIRS, Delivery.BEGUN, True),
        (THEIRS, Delivery.SENT, True),
        (THEIRS, Delivery.FAILED, False),
        (CONSENT_ID, Delivery.DELIVERED, False),
    ],
)
def test_copies_that_left_under_the_consent_of_another_patient_are_looked_into(
    under: str, outcome: Delivery, asked: bool, taken_out: patients.Key, kept: patients.Key, world: World
) -> None:
    world.file(CARE)
    world.record(consent(TEACHING, id=THEIRS, patient_id="P9"))
    leave(world, under=(under,), outcome=outcome)
    change = parted(world, taken_out=taken_out, kept=kept)
    # The copy says P1: when that number is given up, it is asked back (test_identity.py).
    back = {("CONFIRM_RECALL", "D1")} if taken_out == P1 and outcome is not Delivery.FAILED else set()
    assert listed(world) == back | ({("IG_REVIEW", change)} if asked else set())


@pytest.mark.parametrize(
    ("before", "told", "known"),
    [
        (None, BORN, BORN),
        (BORN, date(1999, 9, 9), BORN),
        (BORN, None, BORN),
        (None, date(2099, 1, 1), None),
    ],
)
def test_a_birth_date_told_in_passing_is_filled_in_with_its_change_and_its_entry(
    before: date | None, told: date | None, known: date | None, world: World
) -> None:
    with acting(world) as (connection, act):
        people.know(connection, act, P1, before, "first seen")
        assert people.know(connection, act, P1, told, "a picture says so").dob == known
        changes = [each["reason"] for each in patients.changes(connection, P1)]
    filled = ["a picture says so"] if known != before else []
    assert (changes, [entry["effect"] for entry in world.trail()]) == (filled, ["PATIENT_FACTS"] * len(filled))
