"""What happens while a copy is being made counts before the copy goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orthanc_plugin.enforcement.cmove import MoveRefusedError
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE, TEACHING, UID
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
    world.file(CARE, TEACHING)
    world.review()
    archive = EventfulArchive(objects=world.archive.objects, meanwhile=world.withdraw)
    with pytest.raises(MoveRefusedError, match="0 of 1"):
        move_scp(world, archive).hook(OriginatorAET="TEACHING", TargetAET="TEACHING", Level="IMAGE", SOPInstanceUID=UID)
    assert (archive.sent, world.disclosures()) == ([], [])
    assert world.last_rules() == ["DECISION_CHANGED"]
    assert world.trail()[-1]["subject"] == UID


def test_a_withdrawal_while_the_original_is_read_is_the_reason_that_it_stays(world: World) -> None:
    world.file(CARE)
    archive = EventfulArchive(objects=world.archive.objects, meanwhile=world.withdraw)
    before = len(world.trail())
    with pytest.raises(MoveRefusedError, match="0 of 1"):
        move_scp(world, archive).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert (archive.sent, world.disclosures()) == ([], [])
    (denial,) = world.trail()[before:]
    assert (denial["subject"], denial["effect"], denial["door"]) == (UID, "DENY", "C-MOVE")


def test_an_original_that_became_another_object_is_refused_and_recorded(world: World) -> None:
    world.file(CARE)
    archive = EventfulArchive(objects=dict.fromkeys(world.archive.objects, b"other"), meanwhile=int)
    with pytest.raises(MoveRefusedError, match="0 of 1"):
        move_scp(world, archive).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="IMAGE", SOPInstanceUID=UID)
    assert (archive.sent, world.disclosures(), world.last_rules()) == ([], [], ["OBLIGATION_UNMET"])


@pytest.mark.parametrize("late", [1, 2])
def test_what_was_read_ahead_is_still_asked_about_when_its_turn_comes(late: int, world: World) -> None:
    uids = [UID, "2.25.8", "2.25.9"]
    for uid in uids:
        world.file(CARE, uid=uid)

    def look(_modality: str, _content: bytes) -> None:
        if len(world.archive.sent) == late - 1:
            world.withdraw()

    world.archive.watcher = look
    with pytest.raises(MoveRefusedError, match=f"{late} of 3"):
        move_scp(world).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="STUDY", StudyInstanceUID="2.25.1")
    assert len(world.archive.sent) == len(world.disclosures()) == late
