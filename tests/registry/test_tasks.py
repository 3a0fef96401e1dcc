"""Tasks as rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.eventmodel import TaskKind
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import tasks
from orthanc_plugin.registry.tasks import DEMANDED, KINDS, Owner
from tests.fakes.world import World

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def opened(
    world: World, task_id: str, kind: str = Obligation.SEEK_CONSENT, subject: str = "2.25.3", **more: object
) -> None:
    fields = {"reason": "why", "at": AT, **more}
    with world.services.database.writing() as connection:
        tasks.open_task(connection, task_id=task_id, kind=kind, subject=subject, **fields)  # type: ignore[arg-type]


def closed(world: World, task_id: str, by: str = "nurse", note: str = "done") -> tasks.Row:
    with world.services.database.writing() as connection:
        return tasks.close(connection, task_id, by=by, at=AT, note=note)


def ids(world: World, **which: object) -> list[object]:
    with world.services.database.reading() as connection:
        return [row["task_id"] for row in tasks.listed(connection, **which)]  # type: ignore[arg-type]


def test_every_kind_that_a_decision_or_an_event_opens_has_an_owner() -> None:
    assert DEMANDED | set(TaskKind) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_has_a_role_that_does_it_and_a_time_by_when(kind: str, world: World) -> None:
    opened(world, "T1", kind)
    (task,) = world.tasks()
    assert task["owner"] in set(Owner)
    assert AT < datetime.fromisoformat(str(task["due_at"])) <= AT + timedelta(days=28)


def test_a_kind_says_who_does_it_by_when(world: World) -> None:
    opened(world, "T1", TaskKind.BREACH_ASSESSMENT)
    (task,) = world.tasks()
    assert (task["owner"], task["due_at"]) == (Owner.INFORMATION_GOVERNANCE, (AT + timedelta(hours=72)).isoformat())


def test_whoever_opens_a_task_may_say_otherwise(world: World) -> None:
    opened(world, "T1", owner=Owner.LEGAL, due_at=AT + timedelta(hours=1), not_by="dr-a")
    (task,) = world.tasks()
    assert (task["owner"], task["due_at"], task["not_by"]) == ("LEGAL", "2026-11-22T10:30:00+00:00", "dr-a")


def test_the_same_task_is_open_once_and_may_be_opened_again_when_it_is_done(world: World) -> None:
    opened(world, "T1")
    opened(world, "T2")
    assert ids(world) == ["T1"]
    closed(world, "T1")
    opened(world, "T3")
    assert (ids(world), ids(world, everything=True)) == (["T3"], ["T1", "T3"])


def test_what_was_asked_for_a_reason_is_known_when_it_is_done_too(world: World) -> None:
    opened(world, "T1", reason="16th birthday")

    def asked(reason: str, subject: str = "2.25.3") -> bool:
        with world.services.database.reading() as connection:
            return tasks.asked_before(connection, kind=Obligation.SEEK_CONSENT, subject=subject, reason=reason)

    assert (asked("another reason"), asked("16th birthday", "2.25.4")) == (True, False)
    closed(world, "T1")
    assert (asked("another reason"), asked("16th birthday")) == (False, True)


def test_the_kinds_open_on_a_subject_are_known(world: World) -> None:
    opened(world, "T1")
    opened(world, "T2", Obligation.NOTIFY_IG)
    opened(world, "T3", Obligation.IG_REVIEW, subject="2.25.4")
    closed(world, "T1")
    with world.services.database.reading() as connection:
        assert tasks.open_kinds(connection, "2.25.3") == {Obligation.NOTIFY_IG}


def test_what_was_asked_for_and_done_closes_every_task_of_its_kind(world: World) -> None:
    opened(world, "T1")
    opened(world, "T2", subject="2.25.4")
    with world.services.database.writing() as connection:
        tasks.close_tasks(connection, kind=Obligation.SEEK_CONSENT, subject="2.25.3", by="nurse", at=AT, note="agreed")
    assert ids(world) == ["T2"]
    with world.services.database.reading() as connection:
        assert tasks.get(connection, "T1")["note"] == "agreed"
        assert tasks.open_tasks(connection, Obligation.NOTIFY_IG) == []


def test_the_most_urgent_comes_first(world: World) -> None:
    opened(world, "T1")
    opened(world, "T2", subject="b", due_at=AT + timedelta(hours=9))
    opened(world, "T3", subject="c", due_at=AT + timedelta(hours=1))
    assert ids(world) == ["T3", "T2", "T1"]
    assert ids(world, overdue_at=AT + timedelta(hours=2)) == ["T3"]
    assert ids(world, owner=Owner.LEGAL) == []


@pytest.mark.parametrize("by", ["dr-a", "DR-A", " dr-a ", "dr-\u200ba"])
def test_somebody_else_must_close_what_a_person_may_not(by: str, world: World) -> None:
    opened(world, "T1", not_by="dr-a")
    with pytest.raises(IllegalTransitionError, match="somebody else"):
        closed(world, "T1", by=by)
    assert closed(world, "T1", by="dr-b")["closed_by"] == "dr-b"


def test_a_closed_task_stays_as_it_was_closed(world: World) -> None:
    opened(world, "T1")
    closed(world, "T1", note="first")
    with pytest.raises(IllegalTransitionError, match="closed already"):
        closed(world, "T1", note="second")
    with world.services.database.reading() as connection:
        assert tasks.get(connection, "T1")["note"] == "first"


def test_a_task_without_a_note_stays_open(world: World) -> None:
    opened(world, "T1")
    with pytest.raises(IllegalTransitionError, match="note"):
        closed(world, "T1", note="  ")


def test_an_unknown_task_is_told(world: World) -> None:
    with pytest.raises(UnknownRecordError, match="consentgate task list"):
        closed(world, "T1")
