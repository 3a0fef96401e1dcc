"""Recalls as rows: one for each recipient, sealed, claimed under a lease, silent about destroyed pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.eventmodel import Recall
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import Cause, Method, Standing
from orthanc_plugin.registry import ledger, recalls, recalltables, recallturns, remnants
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.recalls import Opening
from orthanc_plugin.registry.recallturns import Turn
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World
from tests.unit.lifecycle.steps import leave

METHODS = {"teaching-archive": Method.KOS, "ward": Method.DELETE}
LEASE = timedelta(minutes=5)


def opening(world: World) -> Opening:
    return Opening(
        cause=Cause.WITHDRAWN,
        subject="C1",
        by="nurse",
        at=world.clock(),
        ids=world.services.ids,
        method=lambda recipient: METHODS.get(recipient, Method.LETTER),
    )


def opened(world: World, *names: str, lost: tuple[str, ...] = ()) -> dict[str, recalls.Recalled]:
    """Recall copies; return the recalls by recipient."""
    with world.services.database.writing() as connection:
        made = recalls.open_(connection, opening(world), names, lost)
        found = [recalls.get(connection, recall_id) for recall_id, _ in made]
    return {each.recipient: each for each in found}


def claim(world: World, courier: str = "one") -> tuple[Turn, ...]:
    with world.services.database.writing() as connection:
        return recallturns.claim(connection, courier, world.clock(), world.clock() + LEASE, 8)


def change(world: World, recall_id: str, **values: object) -> str:
    with world.services.database.writing() as connection:
        return recalls.change(connection, recall_id, **values)


def noticed(world: World, recall: recalls.Recalled) -> list[recallturns.Noticed]:
    with world.services.database.reading() as connection:
        return recallturns.noticed(connection, recall)


@pytest.fixture
def left(world: World) -> World:
    """Give a world in which copies of one picture left to three recipients."""
    world.file(CARE, TEACHING)
    for name, recipient in (("D1", "teaching-archive"), ("D2", "ward"), ("D3", "lecturer"), ("D4", "lecturer")):
        leave(world, name, recipient=recipient)
    return world


def test_each_recipient_is_asked_once_in_the_way_it_can_be(left: World) -> None:
    found = opened(left, "D1", "D2", "D3", "D4")
    assert {name: each.method for name, each in found.items()} == {**METHODS, "lecturer": Method.LETTER}
    assert {each.standing for each in found.values()} == {Standing.OPEN}
    with left.services.database.reading() as connection:
        assert set(recalls.standings(connection, found["lecturer"].recall_id)) == {"D3", "D4"}
        assert recalls.of_copy(connection, "D3") == found["lecturer"].recall_id
        assert recalls.of_copy(connection, "D9") is None
        assert {each.recall_id for each in recalls.of_subjects(connection, ("C1", "C9"))} == {
            each.recall_id for each in found.values()
        }


def test_what_can_t_be_had_back_says_why(left: World) -> None:
    leave(left, "D5", effect=Effect.PERMIT_ANONYMISED)
    with left.services.database.writing() as connection:
        ledger.publish(connection, "D1")
        ledger.destroy_key(connection, "D5")
        made = recalls.open_(connection, opening(left), (), ("D1", "D5"))
        found = [recalls.get(connection, recall_id) for recall_id, _ in made]
    assert {each.standing for each in found} == {Standing.NOT_RECALLABLE}
    assert sorted(each.how for each in found) == ["published", "the key that tied it to the patient is destroyed"]
    assert {row["recall"] for row in left.disclosures() if row["disclosure_id"] in ("D1", "D5")} == {"NOT_RECALLABLE"}
    assert claim(left) == ()


def test_copies_that_together_would_tell_of_one_patient_are_recalled_apart(left: World) -> None:
    for name, effect in (("I", Effect.PERMIT_IDENTIFIABLE), ("A1", Effect.PERMIT_ANONYMISED)):
        leave(left, name, effect=effect)
    for name in ("A2", "A3"):
        leave(left, name, effect=Effect.PERMIT_ANONYMISED)
    left.sql("UPDATE disclosures SET profile = 'another' WHERE disclosure_id IN ('A2', 'A3')")
    with left.services.database.writing() as connection:
        made = recalls.open_(connection, opening(left), ("I", "A1", "A2", "A3", "D1"))
        groups = {frozenset(recalls.standings(connection, recall_id)) for recall_id, _ in made}
        assert {recalls.get(connection, recall_id).method for recall_id, _ in made} == {Method.LETTER}
    assert claim(left) == ()
    assert groups == {frozenset({"I", "D1"}), frozenset({"A1"}), frozenset({"A2", "A3"})}


def test_many_copies_are_one_recall(left: World) -> None:
    names = tuple(f"M{number}" for number in range(1200))
    row = next(row for row in left.disclosures() if row["disclosure_id"] == "D1")
    rows = ({**row, "disclosure_id": name} for name in names)
    with left.services.database.writing() as connection:
        connection.execute(ledger.disclosures.insert(), list(rows))
    (found,) = opened(left, *names).values()
    with left.services.database.reading() as connection:
        assert set(recalls.standings(connection, found.recall_id).values()) == {Recall.OPEN}
        assert len(recalls.copies(connection, found.recall_id)) == len(names)


def test_nobody_knows_a_recall_that_is_none(world: World) -> None:
    with world.services.database.reading() as connection, pytest.raises(UnknownRecordError, match="recall list"):
        recalls.get(connection, "R1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE recalls SET standing = 'ACKNOWLEDGED'",
        "UPDATE recalls SET recipient = 'nobody'",
        "UPDATE recalls SET due_at = '2036-01-01T00:00:00+00:00'",
        "DELETE FROM recall_copies",
    ],
)
def test_a_row_that_was_changed_does_not_fit_its_seal(statement: str, left: World) -> None:
    (found,) = opened(left, "D1").values()
    with left.services.database.reading() as connection:
        before = recalls.seal(connection, found.recall_id)
        assert list(recalls.seals(connection)) == [before]
    left.sql(statement)
    with left.services.database.reading() as connection:
        assert list(recalls.seals(connection)) != [before]


def test_an_attempt_changes_no_seal(left: World) -> None:
    (found,) = opened(left, "D1").values()
    with left.services.database.reading() as connection:
        before = recalls.seal(connection, found.recall_id)
    (turn,) = claim(left)
    with left.services.database.writing() as connection:
        recallturns.later(connection, turn, left.clock() + LEASE, "away")
        assert recalls.seal(connection, found.recall_id) == before


def test_a_notice_is_in_one_courier_s_hands_until_its_lease_runs_out(left: World) -> None:
    opened(left, "D1", "D2", "D3")
    first = claim(left)
    assert {turn.recall.recipient for turn in first} == {"teaching-archive", "ward"}  # a letter goes out by no courier
    assert claim(left, "two") == ()
    left.clock.advance(minutes=6)
    second = claim(left, "two")
    assert len(second) == 2
    with left.services.database.writing() as connection:
        assert [recallturns.holds(connection, turn) for turn in (*first, *second)] == [False, False, True, True]
        for turn in first:
            recallturns.later(connection, turn, left.clock(), "too late to say")
        assert not recallturns.due(connection, left.clock())
    assert {turn.recall.attempts for turn in second} == {2}


def test_a_row_that_can_t_be_read_holds_up_no_other_notice(left: World) -> None:
    opened(left, "D1", "D2")
    left.sql("UPDATE recalls SET cause = 'A NEWER WORD' WHERE recipient = 'ward'")
    assert [turn.recall.recipient for turn in claim(left)] == ["teaching-archive"]
    assert claim(left) == ()
    with left.services.database.reading() as connection:
        told = select(recalltables.recalls.c.problem).where(recalltables.recalls.c.recipient == "ward")
        assert "can't read" in str(connection.execute(told).scalar())


def test_what_failed_is_due_again_when_it_was_said_to_be(left: World) -> None:
    opened(left, "D1")
    (turn,) = claim(left)
    with left.services.database.writing() as connection:
        recallturns.later(connection, turn, left.clock() + timedelta(minutes=2), "away")
    assert claim(left) == ()
    left.clock.advance(minutes=2)
    (again,) = claim(left)
    assert (again.recall.attempts, again.recall.problem) == (2, "away")


@pytest.mark.parametrize("values", [{"standing": Standing.ACKNOWLEDGED, "next_try": None}, {"next_try": None}])
def test_what_somebody_has_answered_is_no_courier_s_any_more(values: dict[str, object], left: World) -> None:
    opened(left, "D1")
    (turn,) = claim(left)
    change(left, turn.recall.recall_id, **values)
    with left.services.database.reading() as connection:
        assert not recallturns.holds(connection, turn)


def test_a_notice_speaks_of_what_may_be_there_and_is_still_asked_for(left: World) -> None:
    leave(left, "D5", outcome=Delivery.BEGUN)
    (found,) = opened(left, "D1", "D5").values()
    assert [(each.disclosure_id, each.begun_at is not None) for each in noticed(left, found)] == [
        ("D1", False),
        ("D5", True),
    ]
    with left.services.database.writing() as connection:
        ledger.deliver(connection, "D5", Delivery.FAILED)
        ledger.set_recalls(connection, ("D1",), Recall.CONFIRMED)
    assert noticed(left, found) == []


@pytest.mark.parametrize(("outcome", "needed"), [(Delivery.DELIVERED, True), (Delivery.FAILED, False)])
def test_a_copy_that_still_stands_for_another_reason_is_told(outcome: Delivery, needed: bool, left: World) -> None:
    leave(left, "D5", outcome=outcome)
    (found,) = opened(left, "D1").values()
    assert [each.needed for each in noticed(left, found)] == [needed]


def forget(world: World) -> None:
    with world.services.database.writing() as connection:
        recalls.remember(connection, (UID,))
        remnants.forget(connection, UID, "link", by="clerk", at=world.clock().isoformat(), note="destroyed")


def kept(world: World) -> list[tuple[object, ...]]:
    return world.sql("SELECT patient_id, issuer, study_instance_uid, series_instance_uid FROM recall_copies")


def test_where_a_destroyed_picture_was_filed_is_known_until_its_notice_is_out(left: World) -> None:
    row = left.row()
    found = opened(left, "D1", "D3")
    forget(left)
    (copy,) = noticed(left, found["teaching-archive"])
    assert (copy.patient_id, copy.study_instance_uid, copy.orthanc_instance) == (
        row.patient_id,
        row.study_instance_uid,
        "",
    )
    (nameless,) = noticed(left, found["lecturer"])
    assert (nameless.patient_id, nameless.issuer, nameless.study_instance_uid) == ("", "", "")
    change(left, found["teaching-archive"].recall_id, standing=Standing.NOTIFIED, next_try=None)
    assert set(kept(left)) == {("", "", "", "")}


def by_letter(world: World, recall_id: str) -> None:
    change(world, recall_id, method=Method.LETTER, next_try=None)


@pytest.mark.parametrize(
    "step", [by_letter, lambda world, name: change(world, name, standing=Standing.REFUSED)], ids=["letter", "answered"]
)
def test_nothing_is_kept_that_no_note_needs(step: Callable[[World, str], object], left: World) -> None:
    leave(left, "D5", recipient="school", effect=Effect.PERMIT_ANONYMISED)
    with left.services.database.writing() as connection:
        every = recalls.open_(connection, replace(opening(left), method=lambda _name: Method.KOS), ("D1", "D5"))
    forget(left)
    assert sum(row != ("", "", "", "") for row in kept(left)) == 1  # of the copy without identity nothing
    for recall_id, _ in every:
        step(left, recall_id)
    assert set(kept(left)) == {("", "", "", "")}
