"""The one door: a decision that can't be taken or written down is a denial."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dicomwrap.terms import Form
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.registry import reviews
from orthanc_plugin.registry.tasks import DEMANDED
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import World


def effect(world: World, name: str = "derm", uid: str = UID) -> Effect:
    return world.services.gate.authorize(world.request(name, uid)).decision.effect


def test_consent_to_care_opens_the_door_to_the_care_team(world: World) -> None:
    world.file(CARE)
    answer = world.services.gate.authorize(world.request())
    assert answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
    entry = world.services.trail.find(answer.decision_id)
    assert (entry["effect"], entry["subject"], entry["actor"]) == ("PERMIT_IDENTIFIABLE", UID, "derm")
    assert (entry["policy"], entry["outcome"]) == (world.services.policy.sha256, "0")


def test_consent_to_care_opens_no_door_to_teaching(world: World) -> None:
    world.file(CARE)
    assert not world.services.gate.authorize(world.request("teacher")).decision.permits


def test_after_a_withdrawal_nothing_is_permitted(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    assert effect(world, "teacher") is Effect.PERMIT_ANONYMISED
    world.withdraw()
    assert not world.services.gate.authorize(world.request("teacher")).decision.permits


def test_a_decision_that_can_t_be_recorded_is_a_denial(world: World) -> None:
    world.file(CARE)
    world.stop_the_trail()
    answer = world.services.gate.authorize(world.request())
    assert (answer.decision.effect, answer.decision.rules, answer.decision_id) == (Effect.DENY, ("FAIL_CLOSED",), "")


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize(
    "damage", ["UPDATE consents SET record = replace(record, 'GIVEN', 'NEWSTATE')", "UPDATE images SET covert = 7"]
)
def test_a_denial_because_a_fact_can_t_be_read_is_on_record(damage: str, signed_in: bool, world: World) -> None:
    world.file(CARE)
    world.sql(damage)
    asked = world.request()
    who = replace(asked.requester, signed_in=signed_in)
    answer = world.services.gate.authorize(replace(asked, requester=who))
    assert (answer.decision.effect, answer.decision.rules) == (Effect.DENY, ("UNREADABLE",))
    assert world.services.trail.find(answer.decision_id)["effect"] == "DENY"


def test_without_a_database_everything_is_denied(world: World) -> None:
    world.file(CARE)
    world.lose_the_database()
    assert effect(world) is Effect.DENY


def test_a_clock_that_fails_denies(world: World) -> None:
    world.file(CARE)

    def broken() -> None:
        raise OSError

    world.services.gate.clock = broken  # type: ignore[assignment]
    assert effect(world) is Effect.DENY


def test_an_unknown_image_is_denied_and_recorded(world: World) -> None:
    assert effect(world, uid="2.25.999") is Effect.DENY
    assert world.last_rules() == ["UNKNOWN_IMAGE"]


def test_a_gate_that_is_closed_twice_opens_only_when_both_reasons_are_gone(world: World) -> None:
    gate = world.services.gate
    gate.close("one")
    gate.close("two")
    gate.open("two")
    assert gate.closed == "one"
    gate.open("one")
    assert gate.closed is None


def test_a_closed_gate_denies_and_says_why(world: World) -> None:
    world.file(CARE)
    world.services.gate.close("because of a test")
    assert effect(world) is Effect.DENY
    assert world.last_rules() == ["GATE_CLOSED"]
    assert "because of a test" in str(world.trail()[-1]["reasons"])
    world.services.gate.open("because of a test")
    assert effect(world) is Effect.PERMIT_IDENTIFIABLE


def test_one_failing_request_denies_the_whole_lot_and_writes_none_of_it(world: World) -> None:
    world.file(CARE)
    before = len(world.trail())
    world.stop_the_trail()
    answers = world.services.gate.authorize_all([world.request(), world.request(uid="2.25.999")])
    assert [answer.decision.effect for answer in answers] == [Effect.DENY, Effect.DENY]
    assert len(world.trail()) == before


def test_a_picture_nobody_has_looked_at_opens_one_task_however_often_it_is_asked_for(world: World) -> None:
    world.file(CARE, TEACHING)
    assert [effect(world, "teacher") for _ in range(3)] == [Effect.NEEDS_REVIEW] * 3
    looks = [task for task in world.tasks() if task["kind"] == Obligation.VERIFY_RESIDUAL_ID]
    assert [task["subject"] for task in looks] == [UID]


def test_a_permit_in_anonymised_form_opens_no_task(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    assert effect(world, "teacher") is Effect.PERMIT_ANONYMISED
    assert world.tasks() == []


def test_a_permit_in_anonymised_form_opens_the_task_that_it_demands_of_people(world: World) -> None:
    parents = {"type": "PR_HOLDER", "id": "mother", "has_pr": True, "relationship": "mother"}
    told = ["WHY", "USE", "STORAGE", "AUDIENCE", "RETENTION"]
    world.record(consent(CARE, TEACHING, giver=parents, explained=told), birth_date=date(2010, 1, 1))
    assert world.receive(encoded(photograph(PatientBirthDate="20100101"))).reasons == ()
    world.review()
    assert effect(world, "teacher") is Effect.PERMIT_ANONYMISED
    assert [(task["kind"], task["subject"]) for task in world.tasks()] == [(Obligation.SEEK_RECONSENT, UID)]


def test_a_review_of_other_bytes_counts_for_nothing(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    world.sql("UPDATE images SET sha256 = 'other'")
    assert effect(world, "teacher") is Effect.NEEDS_REVIEW


def test_a_note_that_can_t_be_written_says_so_and_a_refusal_then_does_not_raise(world: World) -> None:
    world.stop_the_trail()
    assert world.services.gate.note() is True
    world.services.gate.refuse(world.requester(), "door", "reason", rule="RULE")
    assert world.trail() == []


@pytest.mark.parametrize("obligation", sorted(DEMANDED))
def test_tasks_are_for_people_and_never_for_what_the_release_does_itself(obligation: Obligation) -> None:
    assert obligation not in {Obligation.ANONYMISE, Obligation.RECORD_DISCLOSURE, Obligation.SECURE_CHANNEL}


def test_whoever_is_given_a_copy_in_place_of_the_original_has_asked_for_it(world: World) -> None:
    world.file(CARE, TEACHING)
    world.review()
    request = replace(world.request("teacher"), requester=replace(world.requester("teacher"), form=Form.IDENTIFIABLE))
    answer = world.services.gate.authorize(request)
    assert answer.decision.effect is Effect.PERMIT_ANONYMISED
    with world.services.database.reading() as connection:
        (asked,) = reviews.requests(connection, UID)
    assert (asked.requester, asked.purpose) == ("teacher", "TEACHING")
