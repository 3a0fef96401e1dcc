"""The audit finds who had asked for copies, when that was changed: whoever asked neither looks nor settles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.lifecycle import linkage
from orthanc_plugin.registry import reviews
from orthanc_plugin.registry.trail import append
from tests.fakes.looking import LOOKING, opened
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.fakes.world import World, make_world
from tests.unit.cli.conftest import Shell
from tests.unit.lifecycle.steps import acting


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Shell]:
    """Give a registry in which two asked for a picture, and were refused."""
    world = make_world(tmp_path, policy=LOOKING)
    world.file(CARE, TEACHING)
    asked(world)
    world.services.sign_head()
    world.sql("DELETE FROM consents")  # which the world records without telling the trail
    yield Shell(world=world)
    world.close()


def asked(world: World) -> None:
    for name in ("teacher", "teaching-archive", "teacher"):
        world.services.gate.authorize(world.request(name))
    opened(world)
    with acting(world) as (connection, act):
        for recipient in ("teacher", "lecturer", "teacher"):
            linkage.ask(connection, act.ids, UID, "teacher", recipient, act.at)


def test_who_asked_is_as_the_trail_has_it(told: Shell) -> None:
    assert told("audit", "verify").exit_code == 0
    assert len(told.world.sql("SELECT * FROM review_requests")) == 2
    assert len(told.world.sql("SELECT * FROM linkage_requests")) == 2


def test_a_request_under_another_profile_and_under_the_first_again_is_whole(told: Shell) -> None:
    world = told.world
    for profile in ("publication", "teaching"):
        with acting(world) as (connection, act):
            asked_again = reviews.Asked(UID, "teacher", "teacher", "TEACHING", profile, act.at.isoformat())
            seal = reviews.ask(connection, asked_again)
            append(connection, [act.event(EventType.APPLICATION_ACTIVITY, "", subject=UID, detail=str(seal))])
        assert told("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        *((f"UPDATE review_requests SET {name} = 'other' WHERE requester = 'teacher'", "review request")  # noqa: S608
          for name in ("sop_instance_uid", "requester", "recipient", "purpose", "profile", "asked_at")),
        ("DELETE FROM review_requests WHERE requester = 'teacher'", "review request"),
        ("INSERT INTO review_requests VALUES ('1.2', 'a', 'b', 'c', '', 'd')", "review request"),
        *((f"UPDATE linkage_requests SET {name} = 'other' WHERE name = 'lecturer'", "linkage refusal")  # noqa: S608
          for name in ("task_id", "name")),
        ("DELETE FROM linkage_requests WHERE name = 'teacher'", "linkage refusal"),
        ("INSERT INTO linkage_requests VALUES ('forged', 'a')", "linkage refusal"),
    ],
)  # fmt: skip
def test_who_asked_is_not_changed_unnoticed(statement: str, kind: str, told: Shell) -> None:
    told.world.sql(statement)
    assert kind in str(told.json("audit", "verify", code=1)["problem"])
