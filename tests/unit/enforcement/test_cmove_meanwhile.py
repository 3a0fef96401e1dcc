"""What happens while a copy is being made counts before the copy goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from orthanc_plugin.enforcement.cmove import MoveRefusedError
from orthanc_plugin.sending import delivery
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


@pytest.mark.parametrize(
    ("during", "begun", "most"),
    [(1, 1, 1), (2, 3, 7), (3, 3, 7), (4, 7, 15), (7, 7, 15), (8, 15, 17), (15, 15, 17), (16, 17, 17)],
)
def test_a_withdrawal_stops_every_picture_that_is_not_being_sent_though_its_release_is_on_record(
    during: int, begun: int, most: int, world: World
) -> None:
    for number in range(17):
        world.file(CARE, uid=f"2.25.{100 + number}")
    recorded: list[int] = []

    def look(_modality: str, _content: bytes) -> None:
        if len(world.archive.sent) == during - 1:
            recorded.append(len(world.disclosures()))
            world.withdraw()

    world.archive.watcher = look
    with suppress(MoveRefusedError):
        move_scp(world).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="STUDY", StudyInstanceUID="2.25.1")
    (on_record,) = recorded
    assert begun <= on_record <= most, "these few, and the next few, which are made ready meanwhile"
    outcomes = [each["outcome"] for each in world.disclosures()]
    assert on_record <= len(outcomes) <= most
    assert outcomes == ["DELIVERED"] * during + ["FAILED"] * (len(outcomes) - during)
    assert len(world.archive.sent) == during


def test_pictures_that_are_large_together_are_not_all_held_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_BYTES", 1)
    for number in range(9):
        world.file(CARE, uid=f"2.25.{100 + number}")
    begun: list[int] = []
    world.archive.watcher = lambda _modality, _content: begun.append(len(world.disclosures()))
    move_scp(world).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="STUDY", StudyInstanceUID="2.25.1")
    expected = (1, 3, 3, 5, 5, 7, 7, 9, 9)
    assert begun[0] == 1
    assert all(count <= found <= count + 2 for found, count in zip(begun, expected, strict=True))


def test_a_release_that_can_t_be_recorded_does_not_keep_its_neighbours_back(world: World) -> None:
    uids = [f"2.25.{100 + number}" for number in range(3)]
    for uid in uids:
        world.file(CARE, uid=uid)
    world.sql(
        f"CREATE TRIGGER bad BEFORE INSERT ON disclosures WHEN new.sop_instance_uid = '{uids[2]}'"
        " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    with pytest.raises(MoveRefusedError, match="2 of 3"):
        move_scp(world).hook(OriginatorAET="DERMWS", TargetAET="DERMWS", Level="STUDY", StudyInstanceUID="2.25.1")
    assert [each["sop_instance_uid"] for each in world.disclosures()] == uids[:2]
