"""What happens while a copy is being made counts before the copy goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orthanc_plugin.enforcement.cmove import MoveRefusedError
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World
from tests.unit.enforcement.moving import move_scp


@dataclass(kw_only=True)
class EventfulArchive(ArchiveSimulator):
    """An archive in whose reading time something happens."""

    meanwhile: Callable[[], object]

    def read(self, orthanc_instance: str) -> bytes:
        self.meanwhile()
        return ArchiveSimulator.read(self, orthanc_instance)


def test_a_withdrawal_while_the_copy_is_made_stops_the_release_and_the_trail_says_why(world: World) -> None:
    world.file(CARE)
    archive = EventfulArchive(objects=world.archive.objects, meanwhile=world.withdraw)
    with pytest.raises(MoveRefusedError, match="0 of 1"):
        move_scp(world, archive).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert (archive.sent, world.disclosures()) == ([], [])
    assert world.last_rules() == ["DECISION_CHANGED"]
    assert world.trail()[-1]["subject"] == UID
