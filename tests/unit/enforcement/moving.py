"""A C-MOVE SCP on a world, for the tests of its callbacks."""

from __future__ import annotations

from collections.abc import Mapping

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.enforcement.cmove import MoveScp
from orthanc_plugin.enforcement.delivery import Courier
from tests.fakes.world import MODALITIES, World


def move_scp(world: World, archive: ImageArchive | None = None, modalities: Mapping[str, str] = MODALITIES) -> MoveScp:
    """Return the SCP; what it is to deliver is read from ``archive``."""
    courier = Courier(world.services, archive or world.archive, modalities)
    return MoveScp(world.services, courier, world.worker(), world.worker())
