"""What happens to pictures is queued for the routes that match, and cancelled with what it rested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import ConsentState, Purpose, WithdrawalPhase
from orthanc_plugin.lifecycle import consenting, people, refusal, routing, withdrawal
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.policy.reviewing import Shown
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry import images, patients
from tests.fakes.clinic import way_in
from tests.fakes.looking import confirmed
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent, encoded, photograph
from tests.fakes.routed import ROUTED, WARD, sends
from tests.fakes.world import World, make_world
from tests.unit.lifecycle.steps import acting

OTHER = "2.25.4"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a world with a route for teaching, and one to the ward for dermatology's pictures of the arm."""
    return make_world(tmp_path, policy=ROUTED)


def stable(world: World) -> int:
    with acting(world, "consentgate") as (connection, act):
        return routing.queue_stable(connection, act, world.row().orthanc_series)


def test_a_stable_series_is_queued_once_for_each_route_that_matches(world: World) -> None:
    world.file(CARE)
    assert stable(world) == 1
    assert stable(world) == 0
    assert sends(world) == {(UID, "to-teaching"): "WAITING"}


def test_a_picture_of_the_route_s_department_and_body_site_is_queued_for_it(world: World) -> None:
    row = world.file(CARE)
    with acting(world) as (connection, act):
        images.change(connection, UID, {"department": "Dermatology", "body_site": "371311000"})
        rows = images.find(connection, images.Subject.STUDY, (row.orthanc_study,))
        assert routing.queue_for(connection, act, rows, Trigger.STABLE) == 2
    assert sends(world) == {(UID, "to-teaching"): "WAITING", (UID, "to-ward"): "WAITING"}
    assert world.sql("SELECT recipient, purpose, priority, cause FROM outbox ORDER BY route") == [
        ("teaching-archive", "TEACHING", 0, "STABLE"),
        (WARD, "DIRECT_CARE", 5, "STABLE"),
    ]


@pytest.mark.parametrize("status", [each for each in ImageStatus if each is not ImageStatus.ACTIVE])
def test_what_is_not_active_is_not_queued(status: ImageStatus, world: World) -> None:
    world.file(CARE)
    with acting(world) as (connection, _):
        images.change(connection, UID, {"status": status})
    assert stable(world) == 0


def test_a_policy_without_routes_queues_nothing(tmp_path: Path) -> None:
    bare = make_world(tmp_path)
    bare.file(CARE)
    assert stable(bare) == 0
    with acting(bare) as (connection, act):
        assert routing.catch_up(connection, act) == 0
    assert bare.sql("SELECT count(*) FROM marks") == [(0,)]


def catch_up(world: World) -> int:
    with acting(world, "consentgate") as (connection, act):
        return routing.catch_up(connection, act)


def test_what_became_stable_while_nobody_looked_is_queued_at_the_next_start(world: World) -> None:
    world.file(CARE)
    assert catch_up(world) == 0  # the first start of all: what the archive has had for years stays
    world.clock.advance(hours=20)
    world.receive(encoded(photograph(uid=OTHER)))
    assert catch_up(world) == 2
    world.clock.advance(hours=20)
    assert catch_up(world) == 0
    world.sql("DELETE FROM outbox")
    world.clock.advance(hours=1)
    assert catch_up(world) == 1
    assert sends(world) == {(OTHER, "to-teaching"): "WAITING"}


def test_a_picture_released_from_quarantine_is_queued(world: World) -> None:
    world.receive()
    (held,) = world.held()
    world.record(consent(CARE))
    assert way_in(world).file(held, world.services.act("clerk", "test"))
    assert sends(world) == {(held.sop_instance_uid, "to-teaching"): "WAITING"}


@pytest.mark.parametrize("proposed", [False, True], ids=["recorded as given", "proposed, then given"])
def test_what_a_consent_covers_is_queued_when_it_is_given(proposed: bool, world: World) -> None:
    world.file(CARE)
    later = consent(TEACHING, id="urn:x:later")
    with acting(world) as (connection, act):
        consenting.record(connection, act, replace(later, state=ConsentState.PROPOSED) if proposed else later)
    if proposed:
        assert sends(world) == {}
        with acting(world) as (connection, act):
            consenting.give(connection, act, later.id)
    assert sends(world) == {(UID, "to-teaching"): "WAITING"}


@pytest.mark.parametrize(("face", "after"), [(Shown.NOT_SHOWN, 1), (Shown.IDENTIFIES, 0)])
def test_a_picture_that_may_leave_is_queued_once_that_is_confirmed(face: Shown, after: int, world: World) -> None:
    world.file(CARE)
    confirmed(world, profile="", face=face)
    assert len(sends(world)) == after


def withdraw(world: World, *purposes: Purpose) -> None:
    note = Withdrawal(by="patient", phase=WithdrawalPhase.LATER, reason="no", how_received="letter")
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, purposes, on=act.day, note=note)


def refuse(world: World) -> None:
    with acting(world) as (connection, act):
        refusal.of_pictures(connection, act, (world.row().patient_id, world.row().issuer), (UID,))


def enter_in_error(world: World) -> None:
    with acting(world, "somebody-else") as (connection, act):
        consenting.enter_in_error(connection, act, CONSENT_ID, "another patient's")


def merge(world: World) -> None:
    row = world.row()
    with acting(world) as (connection, act):
        patients.ensure(connection, "P9", row.issuer, None)
        people.merge(connection, act, (row.patient_id, row.issuer), ("P9", row.issuer), "one person")


def merged_by_a_feed(world: World) -> None:
    row = world.row()
    with acting(world) as (connection, act):
        into = ("P9", row.issuer)
        told = Told(who=(row.patient_id, row.issuer), facts={}, reason="feed", as_of=act.at, merged_into=into)
        people.feed(connection, act, told)


def correct(world: World) -> None:
    row = world.row()
    facts = {"birth_date": date(1980, 1, 1)}
    with acting(world) as (connection, act):
        who = (row.patient_id, row.issuer)
        people.tell(connection, act, Told(who=who, facts=facts, reason="wrong", corrects=True))


ENDS = {
    "withdrawn": withdraw,
    "withdrawn for this": lambda world: withdraw(world, Purpose.TEACHING),
    "refused": refuse,
    "in error": enter_in_error,
    "merged": merge,
    "merged by a feed": merged_by_a_feed,
    "corrected": correct,
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_what_is_queued_is_cancelled_with_what_it_rested_on(ends: Callable[[World], None], world: World) -> None:
    world.file(CARE, TEACHING)
    stable(world)
    ends(world)
    assert sends(world) == {(UID, "to-teaching"): "CANCELLED"}
    assert stable(world) == 0
    ((reason,),) = world.sql("SELECT reason FROM outbox")
    assert world.row().patient_id not in str(reason)


def test_a_withdrawal_for_another_purpose_leaves_what_is_queued(world: World) -> None:
    world.file(CARE, TEACHING, {**TEACHING, "purpose": "RESEARCH"})
    stable(world)
    withdraw(world, Purpose.RESEARCH)
    assert sends(world) == {(UID, "to-teaching"): "WAITING"}


def test_a_new_consent_asks_again_for_what_was_cancelled(world: World) -> None:
    world.file(CARE, TEACHING)
    stable(world)
    withdraw(world)
    world.clock.advance(days=1)
    later = replace(consent(CARE, TEACHING, id="urn:x:later"), decided_on=(world.clock() + timedelta(0)).date())
    with acting(world) as (connection, act):
        consenting.record(connection, act, later)
    assert sends(world) == {(UID, "to-teaching"): "WAITING"}
