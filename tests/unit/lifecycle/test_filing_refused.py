"""Whoever releases what intake refuses aloud is told that it is held, and why; not that Orthanc is broken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.errors import ArchiveError
from tests.fakes.clinic import AskingArchive, way_in
from tests.fakes.pictures import consent
from tests.fakes.register import find, lose, register, taken
from tests.fakes.world import World


@dataclass(kw_only=True)
class Refusing(AskingArchive):
    """An archive that answers as Orthanc does when intake tells the sender no."""

    def store(self, content: bytes) -> str:
        """Ask intake, and fail when it refuses."""
        if not self.down and Intake(self.world.services).examine(content, "REST_API").refused:
            raise ArchiveError("Orthanc answered 500.")
        return super().store(content)


def test_what_a_lost_device_sent_is_told_as_held_until_it_is_found(world: World) -> None:
    world.record(consent())
    register(world)
    lose(world)
    world.receive(taken())
    by = world.services.act("officer", "test")
    assert way_in(world, Refusing(world=world)).file(world.held()[0], by) is False
    assert world.held()[0].reasons[0].startswith("DEVICE_LOST")
    find(world)
    assert way_in(world, Refusing(world=world)).file(world.held()[0], by) is True
    assert (world.held(), len(world.rows())) == ([], 1)


def test_an_archive_that_fails_is_told_of(world: World) -> None:
    world.receive(taken())  # whose consent is not on record
    with pytest.raises(ArchiveError, match="could not be reached"):
        way_in(world, Refusing(world=world, down=True)).file(world.held()[0], world.services.act("officer", "test"))
