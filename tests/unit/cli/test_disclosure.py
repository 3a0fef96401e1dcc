"""``consentgate disclosure``."""

from __future__ import annotations

import pytest

from orthanc_plugin.policy.model import Effect
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import leave, recalls


@pytest.fixture
def left(shell: Shell) -> Shell:
    """Give a world in which two copies left for teaching, the second without identity."""
    shell.world.file(CARE, TEACHING)
    leave(shell.world, "D1")
    leave(shell.world, "D2", effect=Effect.PERMIT_ANONYMISED)
    return shell


def test_what_left_is_listed(left: Shell) -> None:
    rows = left.json("disclosure", "list")
    assert [(row["disclosure_id"], row["recipient"], row["recall"]) for row in rows] == [
        ("D1", "teaching-archive", "NONE"),
        ("D2", "teaching-archive", "NONE"),
    ]
    assert len(left.json("disclosure", "list", "--image", UID)) == 2
    assert left("disclosure", "list", "--image", "2.25.404").stderr == "Nothing has left.\n"
    assert left.json("disclosure", "list", "--recall", "OPEN") == []


def test_a_withdrawal_opens_recalls_that_are_confirmed_one_by_one(left: Shell) -> None:
    said = left("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--by", "nurse").stdout
    assert said.endswith("(version 2).\n2 disclosure(s) to recall.\n")
    assert [row["disclosure_id"] for row in left.json("disclosure", "list", "--recall", "OPEN")] == ["D1", "D2"]
    result = left("disclosure", "recalled", "D1", "--how", "letter on file", "--by", "ig")
    assert result.stdout == "Recorded: the copy is gone. The recall is closed.\n"
    assert recalls(left.world) == {"D1": "CONFIRMED", "D2": "OPEN"}


def test_a_wrong_recipient_is_told_with_what_is_to_be_done(left: Shell) -> None:
    said = left("disclosure", "wrong-recipient", "D1", "--reason", "wrong college", "--by", "ig").stdout
    assert "72 hours" in said
    assert {row["kind"] for row in left.json("task", "list")} >= {"CONFIRM_RECALL", "BREACH_ASSESSMENT"}


def test_what_is_published_or_cut_off_is_marked(left: Shell) -> None:
    assert left.json("disclosure", "published", "D1", "--by", "ig")["kind"] == "PUBLISHED"
    assert left.json("disclosure", "key-destroyed", "D2", "--by", "ig")["key_destroyed"] == 1
    said = left("consent", "withdraw", CONSENT_ID, "--by", "nurse").stdout
    assert "2 that can't be recalled: the patient is to be told." in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recalled", "D1", "--how", "letter"), "disclosure list --recall OPEN"),
        (("key-destroyed", "D1"), "Recall the copy instead."),
        (("published", "D9"), "consentgate disclosure list"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(arguments: tuple[str, ...], words: str, left: Shell) -> None:
    assert words in left.fails("disclosure", *arguments, "--by", "ig")
