"""``consentgate export`` and ``consentgate rejection``, and that the trail seals what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomwrap.iod.keyobject import PATIENT_SAFETY
from orthanc_plugin.lifecycle import consenting
from tests.fakes.keying import KEYING, OLD_ARCHIVE, listing, pushed, uid_of
from tests.fakes.pictures import CARE, TEACHING, UID, consent
from tests.fakes.world import World, make_world
from tests.unit.cli.conftest import Shell


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path, policy=KEYING)
    with made.services.database.writing() as connection:  # as the program does, so that the trail has it
        consenting.record(connection, made.services.act("nurse", "test"), consent(CARE, TEACHING))
    assert made.receive().reasons == ()
    yield made
    made.close()


def test_a_request_is_listed_and_shown_picture_by_picture(world: World, shell: Shell) -> None:
    asked = listing(world)
    pushed(world, asked)
    (row,) = shell.json("export", "list")
    assert (row["sender"], row["state"], row["purpose"], row["pictures"]) == (
        "reading-room",
        "REQUESTED",
        "TEACHING",
        1,
    )
    (picture,) = shell.json("export", "show", uid_of(asked))
    assert (picture["sop_instance_uid"], picture["standing"]) == (UID, "waiting for review")
    assert picture["recipient"] == "teaching-archive"
    plain = shell("export", "show", uid_of(asked)).stdout
    assert "sender: reading-room" in plain
    assert "waiting for review" in plain


def test_what_had_no_effect_is_listed_when_it_is_asked_for(world: World, shell: Shell) -> None:
    pushed(world, listing(world, PATIENT_SAFETY), "DERMCAM")
    assert shell.json("export", "list") == []
    (row,) = shell.json("export", "list", "--all")
    assert row["state"] == "NO_EFFECT"
    assert shell.json("export", "show", row["request"]) == []
    assert "export list" in shell.fails("export", "show", "2.25.999")


def test_a_rejection_is_listed_and_lifted(world: World, shell: Shell) -> None:
    pushed(world, listing(world, PATIENT_SAFETY), OLD_ARCHIVE)
    (row,) = shell.json("rejection", "list")
    assert (row["sop_instance_uid"], row["says"]) == (UID, "rejected for patient safety reasons")
    lift = ("rejection", "lift", row["rejection"], "--reason", "looked at")
    assert "policy.toml" in shell.fails(*lift, "--by", "nobody")
    assert shell.json(*lift, "--by", "governance") == {"lifted": [row["rejection"]]}
    assert shell.json("rejection", "list") == []
    (kept,) = shell.json("rejection", "list", "--all")
    assert kept["lifted_by"] == "governance"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rejections SET sender = 'reading-room'",
        "UPDATE rejections SET lifted_at = NULL, lifted_by = NULL, reason = NULL",
        "DELETE FROM rejections",
        "UPDATE key_objects SET state = 'NO_EFFECT'",
        "DELETE FROM key_objects",
    ],
)
def test_audit_verify_notices_what_was_changed_behind_its_back(world: World, shell: Shell, change: str) -> None:
    pushed(world, listing(world, PATIENT_SAFETY), OLD_ARCHIVE)
    shell("rejection", "lift", UID, "--reason", "looked at", "--by", "governance")
    assert shell.json("audit", "verify")["whole"] is True
    world.sql(change)
    assert "not as the trail has them" in shell.json("audit", "verify", code=1)["problem"]
