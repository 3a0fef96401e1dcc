"""Copies that are out when numbers are merged or parted, or a birth date is put right: which come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting, people
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Cause, Method
from orthanc_plugin.registry import ledger, recalls
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT
from tests.unit.lifecycle.steps import acting, effects, leave, listed
from tests.unit.lifecycle.steps import recalls as standings

P1, P9 = ("P1", "HOSP"), ("P9", "HOSP")
THEIRS, THEIR_PICTURE = "urn:x:theirs", "2.25.9"
BORN = date(1981, 7, 16)


@pytest.fixture
def two(either_world: World) -> World:
    """Give P1, who agrees to care and teaching, and P9, who agrees to care, each with a photograph."""
    world = either_world
    world.file(CARE, TEACHING)
    theirs = consent(CARE, id=THEIRS, patient_id="P9")
    world.record(theirs)
    taken = photograph(uid=THEIR_PICTURE, patient=replace(PATIENT, id="P9"), refers_to=theirs)
    assert world.receive(encoded(taken)).reasons == ()
    return world


def merge(world: World, who: tuple[str, str] = P1, into: tuple[str, str] = P9) -> str:
    with acting(world) as (connection, act):
        return people.merge(connection, act, who, into, "same person")


def unmerge(world: World, who: tuple[str, str] = P1) -> str:
    with acting(world) as (connection, act):
        return people.unmerge(connection, act, who, "two people after all")


def opened(world: World) -> dict[str, tuple[Method, Cause, str]]:
    """Return how, why and after what each recipient is asked."""
    with world.services.database.reading() as connection:
        found = recalls.listed(connection)
    return {each.recipient: (each.method, each.cause, each.subject) for each in found}


def test_a_merge_asks_for_copies_that_say_the_number_given_up(two: World) -> None:
    leave(two, "D1")
    leave(two, "D2", recipient="workstation", purpose="DIRECT_CARE")
    leave(two, "D3", uid=THEIR_PICTURE, recipient="teacher", purpose="DIRECT_CARE", under=(THEIRS,))
    leave(two, "D4", effect=Effect.PERMIT_ANONYMISED)
    leave(two, "D5", recipient="patient", purpose="SUBJECT_ACCESS")
    leave(two, "D6", outcome=Delivery.FAILED)
    change = merge(two)
    assert standings(two) == {"D1": "OPEN", "D2": "OPEN", "D3": "NONE", "D4": "NONE", "D5": "NONE", "D6": "NONE"}
    assert opened(two) == {
        "teaching-archive": (Method.KOS, Cause.IDENTITY, change),
        "workstation": (Method.LETTER, Cause.IDENTITY, change),  # no note takes a picture from who treats the patient
    }
    assert listed(two) == {("CONFIRM_RECALL", "D1"), ("CONFIRM_RECALL", "D2")}
    assert effects(two)[-3:] == ["RECALL_OPENED", "RECALL_OPENED", "PATIENTS_MERGED"]


def test_what_was_merged_into_the_number_before_says_it_too(two: World) -> None:
    merge(two, P9, P1)
    leave(two, "D1", uid=THEIR_PICTURE)
    with acting(two) as (connection, act):
        people.feed(connection, act, Told(who=("P5", "HOSP"), facts={}, reason="new"))
    merge(two, P1, ("P5", "HOSP"))
    assert standings(two) == {"D1": "OPEN"}


def test_a_feed_that_tells_of_a_merge_asks_once(two: World) -> None:
    leave(two, "D1")
    told = Told(who=P1, facts={}, reason="feed", merged_into=P9)
    for _ in range(2):
        with acting(two) as (connection, act):
            people.feed(connection, act, told)
        leave(two, f"D{len(two.disclosures()) + 1}")
    assert standings(two) == {"D1": "OPEN", "D2": "NONE", "D3": "NONE"}


@pytest.mark.parametrize(("corrects", "standing"), [(True, "OPEN"), (False, "NONE")])
def test_a_birth_date_that_is_put_right_asks_for_copies_that_say_the_wrong_one(
    corrects: bool, standing: str, two: World
) -> None:
    leave(two, "D1")
    leave(two, "D2", effect=Effect.PERMIT_ANONYMISED)
    facts = {"birth_date": BORN} if corrects else {"national_data_opt_out": True}
    with acting(two) as (connection, act):
        people.tell(connection, act, Told(who=P1, facts=facts, reason="birth certificate", corrects=corrects))
    assert standings(two) == {"D1": standing, "D2": "NONE"}


def test_a_birth_date_that_was_right_asks_for_nothing(two: World) -> None:
    leave(two, "D1")
    with acting(two) as (connection, act):
        same = Told(who=P1, facts={"birth_date": PATIENT.birth_date}, reason="looked again", corrects=True)
        people.tell(connection, act, same)
    assert standings(two) == {"D1": "NONE"}


def test_copies_that_left_under_the_consent_of_somebody_else_come_back(two: World) -> None:
    merge(two)
    leave(two, "D1", effect=Effect.PERMIT_ANONYMISED)
    leave(two, "D2", uid=THEIR_PICTURE, effect=Effect.PERMIT_ANONYMISED)  # by P1's consent alone
    leave(two, "D3", uid=THEIR_PICTURE, purpose="DIRECT_CARE", recipient="workstation", under=(THEIRS,))
    change = unmerge(two)
    assert standings(two) == {"D1": "NONE", "D2": "OPEN", "D3": "NONE"}
    assert opened(two) == {"teaching-archive": (Method.KOS, Cause.IDENTITY, change)}
    assert ("IG_REVIEW", change) in listed(two)


def test_a_refusal_under_one_number_takes_the_other_s_copies_back_when_they_turn_out_to_be_one_person(
    two: World,
) -> None:
    two.clock.advance(days=1)
    with acting(two) as (connection, act):
        no = consent(TEACHING, id="urn:x:no", patient_id="P9", state="REFUSED", decided_on=act.day.isoformat())
        consenting.record(connection, act, no)
    leave(two, "D1", effect=Effect.PERMIT_ANONYMISED)
    leave(two, "D2", effect=Effect.PERMIT_ANONYMISED)
    with two.services.database.writing() as connection:
        ledger.publish(connection, "D2")
    merge(two, P9, P1)
    assert standings(two) == {"D1": "OPEN", "D2": "NOT_RECALLABLE"}
    assert listed(two) >= {("CONFIRM_RECALL", "D1"), ("TELL_PATIENT_NOT_RECALLABLE", "D2")}


def test_a_merge_that_can_t_be_asks_for_nothing(two: World) -> None:
    leave(two, "D1")
    with pytest.raises(IllegalTransitionError, match="merged into itself"):
        merge(two, P1, P1)
    assert standings(two) == {"D1": "NONE"}
