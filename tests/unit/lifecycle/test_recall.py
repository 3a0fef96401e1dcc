"""Copies that left, and what becomes of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.lifecycle import duties, recall, withdrawal
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import tasks
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, effects, leave, listed, recalls


@pytest.fixture
def recalled(world: World) -> World:
    """Give a world in which two copies, one of them anonymised, are being recalled."""
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED)
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    return world


def test_a_confirmed_recall_is_done(recalled: World) -> None:
    with acting(recalled, "ig") as (connection, act):
        recall.confirm(connection, act, "D1", "letter of the college")
    assert recalls(recalled) == {"D1": "CONFIRMED", "D2": "OPEN"}
    assert listed(recalled) == {("CONFIRM_RECALL", "D2")}
    with recalled.services.database.reading() as connection:
        closed = next(task for task in tasks.listed(connection, everything=True) if task["subject"] == "D1")
    assert (closed["closed_by"], closed["note"]) == ("ig", "letter of the college")
    assert effects(recalled)[-2:] == ["RECALL_CONFIRMED", "RECALL_ACKNOWLEDGED"]


@pytest.mark.parametrize(("name", "how"), [("D1", " "), ("D3", "seen")])
def test_a_recall_is_confirmed_by_something_and_only_while_it_is_open(name: str, how: str, recalled: World) -> None:
    leave(recalled, "D3")
    with pytest.raises(IllegalTransitionError), acting(recalled) as (connection, act):
        recall.confirm(connection, act, name, how)


def test_a_recall_is_confirmed_once(recalled: World) -> None:
    for expected in (None, IllegalTransitionError):
        with acting(recalled) as (connection, act):
            if expected is None:
                recall.confirm(connection, act, "D1", "letter")
            else:
                with pytest.raises(expected):
                    recall.confirm(connection, act, "D1", "letter")


def test_a_recall_is_not_confirmed_by_closing_its_task(recalled: World) -> None:
    task = next(task for task in recalled.tasks() if task["subject"] == "D1")
    with (
        pytest.raises(IllegalTransitionError, match="consentgate disclosure recalled"),
        acting(recalled) as (connection, act),
    ):
        duties.close(connection, act, str(task["task_id"]), "done")
    assert recalls(recalled)["D1"] == "OPEN"


def test_a_wrong_recipient_opens_a_recall_and_a_breach_due_in_72_hours(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world) as (connection, act):
        found = recall.wrong_recipient(connection, act, "D1", "sent to the wrong college")
    assert (found.recalls, recalls(world)) == (("D1",), {"D1": "OPEN"})
    assert {kind for kind, _ in listed(world)} == {"CONFIRM_RECALL", "BREACH_ASSESSMENT", "CANDOUR_CHECK", "NOTIFY_IG"}
    breach = next(task for task in world.tasks() if task["kind"] == "BREACH_ASSESSMENT")
    assert breach["due_at"] == (world.clock() + timedelta(hours=72)).isoformat()
    assert effects(world)[-1] == "WRONG_RECIPIENT"


def test_a_wrong_recipient_told_twice_is_one_breach(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    for _ in range(2):
        with acting(world) as (connection, act):
            recall.wrong_recipient(connection, act, "D1", "sent to the wrong college")
    assert len(world.tasks()) == 4


def test_a_published_copy_in_the_wrong_hands_is_not_recallable(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world) as (connection, act):
        recall.published(connection, act, "D1")
        recall.wrong_recipient(connection, act, "D1", "published in another journal")
    assert recalls(world) == {"D1": "NOT_RECALLABLE"}
    assert ("TELL_PATIENT_NOT_RECALLABLE", "D1") in listed(world)


def test_a_copy_that_is_published_while_it_is_recalled_is_told_to_the_patient(recalled: World) -> None:
    with acting(recalled) as (connection, act):
        recall.published(connection, act, "D1")
    assert recalls(recalled) == {"D1": "NOT_RECALLABLE", "D2": "OPEN"}
    assert listed(recalled) == {("TELL_PATIENT_NOT_RECALLABLE", "D1"), ("CONFIRM_RECALL", "D2")}


def test_only_an_anonymised_copy_has_a_key(recalled: World) -> None:
    with pytest.raises(IllegalTransitionError, match="no key"), acting(recalled) as (connection, act):
        recall.key_destroyed(connection, act, "D1")
    with acting(recalled) as (connection, act):
        recall.key_destroyed(connection, act, "D2")
    assert recalls(recalled) == {"D1": "OPEN", "D2": "NOT_RECALLABLE"}


def test_a_mark_on_a_copy_that_nobody_recalls_opens_no_task(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", effect=Effect.PERMIT_ANONYMISED)
    with acting(world) as (connection, act):
        recall.key_destroyed(connection, act, "D1")
    assert (recalls(world), world.tasks()) == ({"D1": "NONE"}, [])


@pytest.mark.parametrize("step", ["confirm", "wrong_recipient", "published", "key_destroyed"])
def test_an_unknown_disclosure_is_told(step: str, world: World) -> None:
    words = ("why",) if step in ("confirm", "wrong_recipient") else ()
    with pytest.raises(UnknownRecordError), acting(world) as (connection, act):
        getattr(recall, step)(connection, act, "none", *words)
