"""Orthanc's own process makes the copies that no courier makes, and clears up; the heart beats on meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.enforcement import aheadcopies
from orthanc_plugin.enforcement.aheadcopies import SECONDS, AheadCopies
from orthanc_plugin.enforcement.health import copies
from orthanc_plugin.enforcement.heartbeat import Heartbeat
from orthanc_plugin.sending.keptcopies import Shelf
from tests.fakes.looking import LOOKING, confirmed, opened
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.world import World, make_world

HERE = "the first archive"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture that somebody asked for and somebody has looked at, in an Orthanc that runs."""
    made = make_world(tmp_path, policy=LOOKING)
    made.file(CARE, TEACHING)
    made.services.gate.authorize(made.request("teacher"))
    opened(made)
    confirmed(made)
    settings = made.services.settings
    boot = settings.path(settings.orthanc.boot_secret)
    boot.parent.mkdir(exist_ok=True)
    boot.write_text(json.dumps({"password": "p", "secret": "s", "storage": "", "archive": HERE}))
    yield made
    made.close()


def beaten(world: World, *, stopped: bool = False) -> AheadCopies:
    """Have the heart beat once, and wait for what it began."""
    heartbeat = Heartbeat(world.services)
    ahead = AheadCopies(world.services, world.archive, heartbeat.stopping)
    heartbeat.also.append(ahead.look)
    if stopped:
        heartbeat.stopping.set()
    again(heartbeat, ahead)
    return ahead


def again(heartbeat: Heartbeat, ahead: AheadCopies) -> None:
    heartbeat.beat()
    assert ahead.turn is not None
    ahead.turn.join(60)
    assert not ahead.turn.is_alive()


def kept(world: World) -> int:
    return Shelf(world.services).copies.held()[0]


def test_a_copy_that_no_courier_has_made_is_made_at_a_beat(world: World) -> None:
    beaten(world)
    assert kept(world) == 0
    world.clock.advance(minutes=2)
    beaten(world)
    assert kept(world) == 1
    assert copies(world.services).detail.startswith("1 kept, 0 MB, in /")


@pytest.mark.parametrize("gone", [True, False], ids=["no archive is known", "the archive is away"])
def test_an_archive_that_is_away_leaves_it_for_another_beat(gone: bool, world: World) -> None:
    world.clock.advance(minutes=2)
    settings = world.services.settings
    boot, objects = settings.path(settings.orthanc.boot_secret), world.archive.objects
    told = boot.read_text()
    boot.write_text("{}") if gone else boot.touch()
    world.archive.objects = objects if gone else {}
    beaten(world)
    assert kept(world) == 0
    boot.write_text(told)
    world.archive.objects = objects
    world.clock.advance(minutes=5)
    beaten(world)
    assert kept(world) == 1


def test_nothing_is_begun_once_orthanc_stops(world: World) -> None:
    world.clock.advance(minutes=2)
    beaten(world, stopped=True)
    assert kept(world) == 0


def test_what_is_stale_goes_at_the_first_beat_and_every_few_minutes_after(world: World) -> None:
    world.clock.advance(minutes=2)
    heartbeat = Heartbeat(world.services)
    ahead = AheadCopies(world.services, world.archive, heartbeat.stopping)
    heartbeat.also.append(ahead.look)
    again(heartbeat, ahead)
    world.sql("DELETE FROM reviews")
    again(heartbeat, ahead)
    assert kept(world) == 1
    world.ticks.seconds += SECONDS
    heartbeat.pulsate()
    again(heartbeat, ahead)
    assert kept(world) == 0
    assert [each.name for each in Shelf(world.services).copies.folder.path.iterdir()] == [".place"]


def test_what_fails_ends_no_beat(world: World, caplog: pytest.LogCaptureFixture) -> None:
    ahead = AheadCopies(world.services, world.archive, Heartbeat(world.services).stopping)
    world.lose_the_database()
    ahead.look()
    assert ahead.turn is not None
    ahead.turn.join(60)
    assert [each.name for each in caplog.records if each.levelname == "ERROR"] == [aheadcopies.__name__]


def test_how_many_are_kept_is_no_fault_where_nobody_can_tell(world: World) -> None:
    world.lose_the_database()
    assert (copies(world.services).ok, "not counted" in copies(world.services).detail) == (True, True)
