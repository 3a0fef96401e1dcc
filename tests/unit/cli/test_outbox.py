"""``consentgate route queue | retry``."""

from __future__ import annotations

from pathlib import Path

import pytest

from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.outbox import State
from tests.fakes.queued import AT, wanted
from tests.fakes.world import make_world
from tests.unit.cli.conftest import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a world in which a send is dead, one is cancelled and one waits."""
    world = make_world(tmp_path)
    with world.services.database.writing() as connection:
        outbox.queue(connection, [wanted("1.1"), wanted("1.2")], AT)
        rows = outbox.claim(connection, "courier", AT, AT, 2)
        for row, state in zip(rows, (State.DEAD, State.CANCELLED), strict=True):
            outbox.ended(connection, row, state, AT, reason="the peer said no")
        outbox.queue(connection, [wanted("1.3", route="other")], AT)
    return Shell(world=world)


def test_the_queue_says_where_each_send_stands_and_why(shell: Shell) -> None:
    rows = shell.json("route", "queue")
    assert {(row["sop_instance_uid"], row["state"]) for row in rows} == {
        ("1.1", "DEAD"),
        ("1.2", "CANCELLED"),
        ("1.3", "WAITING"),
    }
    (dead,) = shell.json("route", "queue", "--state", "DEAD")
    assert dead["reason"] == "the peer said no"
    (other,) = shell.json("route", "queue", "--route", "other")
    assert other["state"] == "WAITING"
    header, *lines = shell("route", "queue").stdout.splitlines()
    assert header.split("\t")[:4] == ["outbox_id", "route", "recipient", "state"]
    assert len(lines) == 3


def test_the_queue_is_counted(shell: Shell) -> None:
    assert shell.json("route", "queue", "--counts")["DEAD"] == 1
    assert "WAITING 1" in shell("route", "queue", "--counts").stdout


@pytest.mark.parametrize(
    ("chosen", "waiting"),
    [(("--all-dead",), {1, 3}), (("--route", "to-teaching"), {1, 3}), (("--route", "other"), {3}), (("2",), {2, 3})],
)
def test_what_gave_up_waits_again_when_a_person_says_so(
    chosen: tuple[str, ...], waiting: set[int], shell: Shell
) -> None:
    again = shell.json("route", "retry", *chosen, "--by", "clerk")
    assert again == {"waiting": len(waiting) - 1}
    assert {row["outbox_id"] for row in shell.json("route", "queue", "--state", "WAITING")} == waiting
    told = [(entry["actor"], entry["effect"]) for entry in shell.world.trail()]
    assert told == ([("clerk", "SENDS_RETRIED")] if again["waiting"] else [])


@pytest.mark.parametrize("chosen", [(), ("1", "--all-dead"), ("--route", "other", "--all-dead")])
def test_whoever_retries_names_one_thing(chosen: tuple[str, ...], shell: Shell) -> None:
    assert "--all-dead" in shell.fails("route", "retry", *chosen, "--by", "clerk", code=2)


def test_what_waits_already_or_is_unknown_is_not_retried(shell: Shell) -> None:
    for number in ("3", "99"):
        assert "consentgate route queue" in shell.fails("route", "retry", number, "--by", "clerk")
