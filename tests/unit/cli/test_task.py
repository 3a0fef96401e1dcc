"""``consentgate task list | close``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orthanc_plugin.policy.eventmodel import TaskKind
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import tasks
from tests.unit.cli.conftest import Shell

LONG_AGO = datetime(2020, 1, 1, 9, 30, tzinfo=UTC)


def opened(shell: Shell, task_id: str, kind: str, *, at: datetime = LONG_AGO, not_by: str | None = None) -> None:
    with shell.world.services.database.writing() as connection:
        tasks.open_task(connection, task_id=task_id, kind=kind, subject="2.25.3", reason="why", at=at, not_by=not_by)


@pytest.fixture
def busy(shell: Shell) -> Shell:
    """Give a world with three tasks, the second of them due first, and not by dr-a."""
    opened(shell, "T1", Obligation.SEEK_CONSENT)
    opened(shell, "T2", TaskKind.BREACH_ASSESSMENT, not_by="dr-a")
    opened(shell, "T3", Obligation.VERIFY_RESIDUAL_ID)
    return shell


def test_the_most_urgent_task_comes_first(busy: Shell) -> None:
    rows = busy.json("task", "list")
    assert [row["task_id"] for row in rows] == ["T2", "T3", "T1"]
    assert (rows[0]["owner"], rows[0]["due_at"]) == ("INFORMATION_GOVERNANCE", "2020-01-04T09:30:00+00:00")
    header, first, *_ = busy("task", "list").stdout.splitlines()
    assert header.split("\t")[:4] == ["task_id", "kind", "subject", "owner"]
    assert first.split("\t")[:3] == ["T2", "BREACH_ASSESSMENT", "2.25.3"]


def test_a_role_sees_its_own(busy: Shell) -> None:
    assert [row["task_id"] for row in busy.json("task", "list", "--owner", "CARE_TEAM")] == ["T1"]
    assert busy("task", "list", "--owner", "LEGAL").stderr == "Nothing is to be done.\n"


def test_what_is_overdue_is_known(busy: Shell) -> None:
    opened(busy, "T4", Obligation.RETROSPECTIVE_REVIEW, at=datetime(2120, 1, 1, tzinfo=UTC))
    assert "T4" in {row["task_id"] for row in busy.json("task", "list")}
    assert [row["task_id"] for row in busy.json("task", "list", "--overdue")] == ["T2", "T3", "T1"]


def test_a_task_is_closed_with_who_and_what_and_a_trail(busy: Shell) -> None:
    result = busy("task", "close", "T1", "--note", "asked, agreed", "--by", "nurse")
    assert (result.exit_code, result.stdout) == (0, "Closed: SEEK_CONSENT on 2.25.3.\n")
    assert [row["task_id"] for row in busy.json("task", "list")] == ["T2", "T3"]
    closed = next(row for row in busy.json("task", "list", "--all") if row["task_id"] == "T1")
    assert (closed["closed_by"], closed["note"]) == ("nurse", "asked, agreed")
    entry = busy.world.trail()[-1]
    assert (entry["actor"], entry["effect"], entry["subject"]) == ("nurse", "TASK_CLOSED", "T1")
    assert entry["reasons"] == ["SEEK_CONSENT on 2.25.3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("T2", "--note", "fine", "--by", "dr-a"), "Have somebody else look at it"),
        (("T2", "--note", "fine", "--by", "DR-A"), "Have somebody else look at it"),
        (("T3", "--note", "fine", "--by", "nurse"), "consentgate review confirm"),
        (("T1", "--note", " ", "--by", "nurse"), "Say what was done or found."),
        (("T9", "--note", "fine", "--by", "nurse"), "consentgate task list"),
    ],
)
def test_a_task_that_may_not_be_closed_so_stays_open(arguments: tuple[str, ...], words: str, busy: Shell) -> None:
    assert words in busy.fails("task", "close", *arguments)
    assert (len(busy.world.tasks()), busy.world.trail()) == (3, [])


def test_an_emergency_access_is_reviewed_where_the_finding_is_kept(busy: Shell) -> None:
    opened(busy, "T4", Obligation.RETROSPECTIVE_REVIEW)
    said = busy.fails("task", "close", "T4", "--note", "fine", "--by", "ig")
    assert "consentgate break-glass review" in said


def test_a_task_is_closed_once(busy: Shell) -> None:
    busy("task", "close", "T1", "--note", "done", "--by", "nurse")
    assert "closed already" in busy.fails("task", "close", "T1", "--note", "done", "--by", "nurse")


@pytest.mark.parametrize(
    "arguments", [("list", "--overdue", "--all"), ("list", "--owner", "NOBODY"), ("close", "T1", "--by", "nurse")]
)
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], busy: Shell) -> None:
    assert "Usage:" in busy.fails("task", *arguments, code=2)
