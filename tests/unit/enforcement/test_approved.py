"""The heartbeat has filed what may be filed, and goes on beating however long that takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orthanc_plugin.enforcement.approved import Approved
from orthanc_plugin.enforcement.heartbeat import BEATS_MISSED, SECONDS_BETWEEN_BEATS, Heartbeat
from tests.fakes.clinic import AskingArchive, clinic, waiting
from tests.fakes.pictures import UID, consent, encoded, photograph
from tests.fakes.world import World

LATE = BEATS_MISSED * SECONDS_BETWEEN_BEATS + 1


@dataclass(kw_only=True)
class SlowArchive(AskingArchive):
    """An archive that takes nothing until it is let."""

    offered: list[bytes] = field(default_factory=list)
    busy: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def store(self, content: bytes) -> str:
        self.offered.append(content)
        self.busy.set()
        assert self.free.wait(60)
        return super().store(content)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world in which one photograph waits for approval."""
    made = clinic(tmp_path, "every")
    made.record(consent())
    made.receive()
    yield made
    made.close()


def heart(world: World, archive: AskingArchive) -> tuple[Heartbeat, Approved]:
    heartbeat = Heartbeat(world.services)
    approved = Approved(world.services, archive, heartbeat.stopping)
    heartbeat.also.append(approved.file)
    return heartbeat, approved


def end_turn(approved: Approved) -> None:
    assert approved.turn is not None
    approved.turn.join(60)
    assert not approved.turn.is_alive()


def test_the_heartbeat_files_what_has_waited_long_enough(world: World) -> None:
    heartbeat, approved = heart(world, AskingArchive(world=world))
    heartbeat.beat()
    end_turn(approved)
    assert world.rows() == []
    world.clock.advance(minutes=30)
    heartbeat.beat()
    end_turn(approved)
    assert world.row().sop_instance_uid == UID
    assert [entry["door"] for entry in world.trail() if entry["effect"] == "WINDOW_ENDED"] == ["heartbeat"]


def test_an_archive_that_is_slow_does_not_hold_up_the_heart_and_is_not_offered_the_same_twice(world: World) -> None:
    archive = SlowArchive(world=world)
    heartbeat, approved = heart(world, archive)
    world.clock.advance(minutes=30)
    for _ in range(3):
        world.ticks.seconds += LATE
        heartbeat.beat()
        assert archive.busy.wait(60)
        assert world.services.gate.closed is None
    archive.free.set()
    end_turn(approved)
    assert (len(archive.offered), world.row().sop_instance_uid) == (1, UID)


def test_what_can_not_be_filed_is_tried_again_at_the_next_beat(world: World) -> None:
    archive = AskingArchive(world=world, down=True)
    heartbeat, approved = heart(world, archive)
    world.clock.advance(minutes=30)
    heartbeat.beat()
    end_turn(approved)
    assert world.rows() == []
    archive.down = False
    heartbeat.beat()
    end_turn(approved)
    assert world.row().sop_instance_uid == UID


def test_a_registry_that_fails_ends_the_turn_and_not_the_heart(world: World, caplog: pytest.LogCaptureFixture) -> None:
    heartbeat, approved = heart(world, AskingArchive(world=world))
    world.lose_the_database()
    heartbeat.beat()
    end_turn(approved)
    assert "what may be filed could not be filed yet" in caplog.text


def test_at_the_stop_of_the_archive_nothing_more_is_filed(world: World) -> None:
    heartbeat, _ = heart(world, AskingArchive(world=world))
    world.clock.advance(minutes=30)
    heartbeat.stop()
    assert (world.rows(), waiting(world).status) == ([], "AWAITING_PATIENT_APPROVAL")
    assert list(world.services.heads.signed()) == [len(world.trail())]


def test_a_turn_that_has_begun_when_the_archive_stops_ends_with_the_photograph_it_is_at(world: World) -> None:
    world.receive(encoded(photograph(uid="2.25.9")))
    archive = SlowArchive(world=world)
    heartbeat, approved = heart(world, archive)
    world.clock.advance(minutes=30)
    heartbeat.beat()
    assert archive.busy.wait(60)
    heartbeat.stop()
    archive.free.set()
    end_turn(approved)
    assert (len(archive.offered), len(world.rows())) == (1, 1)
