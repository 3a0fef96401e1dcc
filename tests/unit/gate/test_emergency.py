"""Emergency access at the gate: it opens what is shut otherwise, to one account, of one patient, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from dicomwrap.terms import Audience, Purpose
from orthanc_plugin.gate import AccessRequest, Answer, Requester
from orthanc_plugin.policy.model import Effect, Obligation
from orthanc_plugin.registry import breakglass
from orthanc_plugin.registry.breakglass import Grant
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.release import unmet
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World

OBLIGED = (
    Obligation.NOTIFY_IG,
    Obligation.NOTIFY_PATIENT,
    Obligation.RECORD_JUSTIFICATION,
    Obligation.RETROSPECTIVE_REVIEW,
)


def request(world: World, **changes: object) -> AccessRequest:
    """Return a clinician's request for a picture that teaching can't have, as the HTTP door makes it."""
    of_teaching = replace(world.requester("teacher"), audience=Audience.TRUST_CLINICIAN, signed_in=True)
    requester: Requester = replace(of_teaching, **changes)  # type: ignore[arg-type]
    return AccessRequest(requester=requester, sop_instance_uid=UID, door="test")


def grant(world: World, **changes: object) -> Grant:
    given = Grant(
        grant_id=world.services.ids(),
        patient_id="P1",
        issuer="HOSP",
        account="teacher",
        reason="Unconscious in resus.",
        granted_at=world.clock(),
        granted_by="ward sister",
        ends_at=world.clock() + timedelta(minutes=10),
    )
    made = replace(given, **changes)  # type: ignore[arg-type]
    with world.services.database.writing() as connection:
        breakglass.record(connection, made)
    return made


def asked(world: World, **changes: object) -> Answer:
    return world.services.gate.authorize(request(world, **changes))


def test_a_live_grant_opens_what_is_shut_otherwise(world: World) -> None:
    world.file(CARE)
    assert asked(world).decision.effect is Effect.DENY
    given = grant(world)
    answer = asked(world)
    assert (answer.decision.effect, answer.decision.obligations) == (Effect.PERMIT_IDENTIFIABLE, OBLIGED)
    assert (answer.grant, answer.purpose) == (given, Purpose.EMERGENCY_CARE)


def test_the_recorded_decision_shows_both_what_was_decided_and_what_would_have_been(world: World) -> None:
    world.file(CARE)
    given = grant(world)
    entry = world.services.trail.find(asked(world).decision_id)
    assert (entry["effect"], entry["purpose"], entry["rules"]) == ("PERMIT_IDENTIFIABLE", "EMERGENCY_CARE", ["R7"])
    said = str(entry["detail"])
    assert f"emergency access {given.grant_id}: PERMIT_IDENTIFIABLE (R7" in said
    assert "without it: DENY (R9" in said
    assert "resus" not in str(entry)


def test_a_grant_ends_by_the_clock_at_the_moment_of_the_decision(world: World) -> None:
    world.file(CARE)
    grant(world)
    world.clock.advance(minutes=9, seconds=59)
    assert asked(world).decision.permits
    world.clock.advance(seconds=1)
    assert not asked(world).decision.permits


class Busy(Database):
    """A database whose write lock one has to wait for."""

    def __init__(self, world: World) -> None:
        super().__init__(world.services.database.engine)
        self.clock = world.clock

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as connection:
            self.clock.advance(minutes=10)
            yield connection


def test_a_grant_that_ended_while_the_request_waited_for_its_turn_opens_nothing(world: World) -> None:
    world.file(CARE)
    grant(world)
    world.services.gate.database = Busy(world)
    assert not asked(world).decision.permits


def test_a_grant_that_has_not_begun_opens_nothing(world: World) -> None:
    world.file(CARE)
    grant(world, granted_at=world.clock() + timedelta(seconds=1))
    assert not asked(world).decision.permits


@pytest.mark.parametrize(
    "changes",
    [{"account": "other"}, {"patient_id": "P2"}, {"issuer": "ELSEWHERE"}, {"account": "Teacher"}, {"account": ""}],
)
def test_a_grant_is_for_one_account_and_one_patient(changes: dict[str, object], world: World) -> None:
    world.file(CARE)
    grant(world, **changes)
    assert not asked(world).decision.permits


def test_a_node_that_bears_an_account_s_name_gets_nothing_by_its_grant(world: World) -> None:
    world.file(CARE)
    grant(world)
    assert not asked(world, signed_in=False).decision.permits


def test_somebody_who_is_no_clinician_gets_nothing_by_a_grant(world: World) -> None:
    world.file(CARE)
    given = grant(world)
    answer = asked(world, audience=Audience.TRUST_STUDENTS)
    assert (answer.decision.permits, answer.grant, answer.purpose) == (False, None, "TEACHING")
    assert f"emergency access {given.grant_id}: DENY (R7" in str(world.trail()[-1]["detail"])


def test_a_grant_given_before_a_capable_patient_refused_opens_nothing_after(world: World) -> None:
    world.file(CARE)
    grant(world)
    assert asked(world).decision.permits
    world.withdraw()
    assert not asked(world).decision.permits


def test_what_is_permitted_anyway_is_no_emergency(world: World) -> None:
    world.file(CARE)
    given = grant(world, account="derm")
    answer = world.services.gate.authorize(replace(world.request(), requester=world.requester()))
    assert (answer.decision.permits, answer.emergency) == (True, None)
    assert given.grant_id not in str(world.trail()[-1])
    assert world.tasks() == []


@pytest.mark.parametrize(
    "fate",
    [
        "UPDATE images SET status = 'QUARANTINED'",
        "UPDATE images SET status = 'DISPOSED'",
        "UPDATE images SET covert = 1",
        "UPDATE patients SET death_date = '2026-11-21'",
    ],
)
def test_what_nobody_may_have_is_not_opened_by_a_grant(fate: str, world: World) -> None:
    world.file(CARE)
    grant(world)
    world.sql(fate)
    assert not asked(world).decision.permits


def test_a_closed_gate_stays_closed_in_an_emergency(world: World) -> None:
    world.file(CARE)
    grant(world)
    world.services.gate.close("because of a test")
    assert asked(world).decision.rules == ("GATE_CLOSED",)


def test_its_obligations_are_met_by_the_grant_and_the_open_tasks(world: World) -> None:
    world.file(CARE)
    given = grant(world)
    answer = asked(world)
    assert {(task["kind"], task["subject"]) for task in world.tasks()} == {
        (kind, given.grant_id) for kind in OBLIGED if kind is not Obligation.RECORD_JUSTIFICATION
    }
    binding = world.binding("teacher")
    assert unmet(answer.decision, world.services.context(answer, binding)) == ()
    world.sql("DELETE FROM tasks")
    told = unmet(answer.decision, world.services.context(answer, binding))
    assert told == (
        "nobody has been asked to tell the patient",
        "nobody has been asked to review this emergency access",
    )


def test_many_pictures_are_one_emergency_and_the_one_who_asked_does_not_review_it(world: World) -> None:
    world.file(CARE)
    world.file(uid="2.25.4")
    grant(world)
    for uid in (UID, "2.25.4", UID):
        assert world.services.gate.authorize(replace(request(world), sop_instance_uid=uid)).decision.permits
    assert sorted(str(task["kind"]) for task in world.tasks()) == [
        "NOTIFY_IG",
        "NOTIFY_PATIENT",
        "RETROSPECTIVE_REVIEW",
    ]
    assert {task["not_by"] for task in world.tasks()} == {"teacher"}


def test_an_unknown_picture_is_unknown_in_an_emergency_too(world: World) -> None:
    grant(world)
    assert asked(world).decision.rules == ("UNKNOWN_IMAGE",)
