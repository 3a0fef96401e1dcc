"""``consentgate recall``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orthanc_plugin.policy.model import Effect
from tests.fakes.leaving import leave as release
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import leave


@pytest.fixture
def recalled(shell: Shell) -> Shell:
    """Give the command line of a world in which a withdrawal recalls copies from two recipients."""
    shell.world.file(CARE, TEACHING)
    leave(shell.world, "D1")
    leave(shell.world, "D2", recipient="teacher")
    shell("consent", "withdraw", CONSENT_ID, "--by", "nurse")
    return shell


def rows(shell: Shell, *arguments: str) -> dict[str, dict[str, Any]]:
    return {row["recipient"]: row for row in shell.json("recall", "list", *arguments)}


def name(shell: Shell, recipient: str = "teacher") -> str:
    return str(rows(shell)[recipient]["recall_id"])


def test_who_is_asked_for_what_is_listed(recalled: Shell) -> None:
    found = rows(recalled)
    assert {recipient: (row["method"], row["state"], row["copies"]) for recipient, row in found.items()} == {
        "teaching-archive": ("KOS", "OPEN", 1),
        "teacher": ("LETTER", "OPEN", 1),
    }
    assert set(rows(recalled, "--recipient", "teacher")) == {"teacher"}
    assert rows(recalled, "--state", "ACKNOWLEDGED") == {}
    assert recalled("recall", "list", "--state", "REFUSED").stderr == "Nothing is recalled.\n"


def test_one_recall_is_shown_with_its_copies(recalled: Shell) -> None:
    said = recalled.json("recall", "show", name(recalled))
    assert [each["disclosure_id"] for each in said["disclosures"]] == ["D2"]
    text = recalled("recall", "show", name(recalled)).stdout
    assert "recipient: teacher\n" in text
    assert "D2" in text


def test_a_letter_is_written_once_for_its_reader_alone(recalled: Shell, tmp_path: Path) -> None:
    out, page = tmp_path / "letter.txt", tmp_path / "letter.html"
    said = recalled("recall", "letter", name(recalled), "--out", out, "--by", "ig").stdout
    assert said.startswith("Written, about 1 copies.")
    assert "Recall of clinical photographs" in out.read_text()
    assert out.stat().st_mode & 0o077 == 0
    recalled("recall", "letter", name(recalled), "--out", page, "--by", "ig")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "there already" in recalled.fails("recall", "letter", name(recalled), "--out", out, "--by", "ig")
    nowhere = tmp_path / "nowhere" / "letter.txt"
    assert "can't be written" in recalled.fails("recall", "letter", name(recalled), "--out", nowhere, "--by", "ig")


def test_a_letter_that_was_sent_is_answered_at_last(recalled: Shell) -> None:
    assert "letter" in recalled.fails("recall", "send", name(recalled), "--by", "ig")
    sent = recalled.json("recall", "send", name(recalled), "--how", "recorded delivery", "--by", "ig")
    assert (sent["state"], sent["method"]) == ("NOTIFIED", "LETTER")
    recalled.world.sql("UPDATE recalls SET due_at = '2020-01-01T00:00:00+00:00'")
    assert set(rows(recalled, "--state", "OVERDUE")) == {"teacher", "teaching-archive"}
    assert "courier" in recalled("recall", "send", name(recalled, "teaching-archive"), "--by", "ig").stdout


def test_an_answer_settles_a_recall_and_its_copies(recalled: Shell) -> None:
    said = recalled("recall", "acknowledge", name(recalled), "--how", "letter", "--refused", "--by", "ig").stdout
    assert said == "Recorded: the recipient refuses; its copies count as held.\n"
    assert recalled("recall", "acknowledge", name(recalled), "--how", "letter", "--by", "ig").stdout == (
        "Recorded: the copies are gone.\n"
    )
    assert [row["disclosure_id"] for row in recalled.json("disclosure", "list", "--recall", "CONFIRMED")] == ["D2"]


def test_the_two_commands_tell_one_truth(recalled: Shell) -> None:
    recalled("disclosure", "recalled", "D2", "--how", "letter", "--by", "ig")
    assert rows(recalled)["teacher"]["state"] == "ACKNOWLEDGED"
    assert "settled" in recalled.fails("recall", "acknowledge", name(recalled), "--how", "letter", "--by", "ig")


def test_what_can_t_be_had_back_is_said_plainly(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    leave(shell.world, "D1")
    leave(shell.world, "D2", effect=Effect.PERMIT_ANONYMISED)
    shell("disclosure", "published", "D1", "--by", "ig")
    shell("disclosure", "key-destroyed", "D2", "--by", "ig")
    shell("consent", "withdraw", CONSENT_ID, "--by", "nurse")
    found = shell.json("recall", "list", "--state", "NOT_RECALLABLE")
    assert sorted(row["how"] for row in found) == ["published", "the key that tied it to the patient is destroyed"]


def test_reminders_that_are_due_are_sent_together(recalled: Shell) -> None:
    recalled("recall", "send", name(recalled), "--how", "post", "--by", "ig")
    assert recalled("recall", "remind", "--due", "--by", "ig").stderr == "Nobody has to be reminded now.\n"
    recalled.world.sql("UPDATE recalls SET due_at = '2020-01-01T00:00:00+00:00'")
    (reminded,) = recalled.json("recall", "remind", "--due", "--by", "ig")
    assert (reminded["recipient"], reminded["reminders"]) == ("teacher", 1)
    (again,) = recalled.json("recall", "remind", name(recalled), "--by", "ig")
    assert again["reminders"] == 2


@pytest.mark.parametrize("arguments", [("remind",), ("remind", "R1", "--due")])
def test_a_reminder_says_of_which(arguments: tuple[str, ...], shell: Shell) -> None:
    assert "Name recalls, or give --due." in shell.fails("recall", *arguments, "--by", "ig", code=2)


def test_who_has_not_answered_is_reported(recalled: Shell) -> None:
    recalled.world.sql("UPDATE recalls SET due_at = '2020-01-01T00:00:00+00:00' WHERE recipient = 'teacher'")
    assert [(row["recipient"], row["copies"], row["overdue"]) for row in recalled.json("recall", "report")] == [
        ("teacher", 1, 1),
        ("teaching-archive", 1, 0),
    ]
    for recipient in ("teacher", "teaching-archive"):
        recalled("recall", "acknowledge", name(recalled, recipient), "--how", "letter", "--by", "ig")
    assert recalled("recall", "report").stderr == "Every recipient has answered.\n"


@pytest.mark.parametrize(
    "statement", ["UPDATE recalls SET standing = 'ACKNOWLEDGED'", "DELETE FROM recalls", "DELETE FROM recall_copies"]
)
def test_the_trail_notices_a_recall_that_was_changed(statement: str, shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    disclosure = release(shell.world, UID, "workstation")
    shell("disclosure", "wrong-recipient", disclosure, "--reason", "wrong ward", "--by", "ig")
    shell("recall", "send", name(shell, "workstation"), "--by", "ig")
    shell.world.sql("DELETE FROM consents")  # which the world records without telling the trail
    assert shell.json("audit", "verify")["whole"] is True
    shell.world.sql(statement)
    problem = shell.json("audit", "verify", code=1)["problem"]
    assert problem == "1 recall record(s) are not as the trail has them"


def test_the_trail_names_no_patient_in_a_recall(recalled: Shell, world: World) -> None:
    recalled("recall", "acknowledge", name(recalled), "--how", "letter", "--by", "ig")
    told = [str(entry) for entry in world.trail() if str(entry["effect"]).startswith("RECALL")]
    assert told
    assert not any(world.row().patient_id in entry.split("'") for entry in told)
