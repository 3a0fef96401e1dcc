"""A C-MOVE SCP on a world, for the tests of its callbacks."""

from __future__ import annotations

from collections.abc import Mapping

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.enforcement.cmove import MoveScp
from orthanc_plugin.enforcement.pace import Pace
from orthanc_plugin.sending.delivery import Courier
from tests.fakes.waiting import Waiting
from tests.fakes.world import MODALITIES, World


def move_scp(
    world: World,
    archive: ImageArchive | None = None,
    modalities: Mapping[str, str] = MODALITIES,
    pace: Pace | None = None,
) -> MoveScp:
    """Return the SCP; what it is to deliver is read from ``archive``."""
    moves = world.worker()
    courier = Courier(world.services, archive or world.archive, modalities, moves)
    return MoveScp(world.services, courier, world.worker(), moves, pace or Waiting().pace())
