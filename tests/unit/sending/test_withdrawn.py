"""Withdrawals while a neighbour is still made ready: what has begun to leave beside it is asked about once more."""

from __future__ import annotations

from dataclasses import dataclass, field

from orthanc_plugin.errors import NotInArchiveError
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE
from tests.fakes.rounds import routed
from tests.fakes.world import World

UIDS = ("2.25.840", "2.25.841", "2.25.842")


@dataclass(kw_only=True)
class Interrupted(ArchiveSimulator):
    """An archive whose second attempt to read what isn't there is the moment of a withdrawal."""

    world: World
    missed: list[str] = field(default_factory=list)

    def read(self, orthanc_instance: str) -> bytes:
        """Return the stored bytes, or withdraw."""
        try:
            return super().read(orthanc_instance)
        except NotInArchiveError:
            self.missed.append(orthanc_instance)
            if len(self.missed) > 1:
                self.world.withdraw()
            raise


def test_a_withdrawal_while_a_copy_is_made_that_fails_lets_its_neighbour_not_go(world: World) -> None:
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world)
    ward.queue(*UIDS)
    kept = {
        name: content for name, content in world.archive.objects.items() if name != world.row(UIDS[1]).orthanc_instance
    }
    archive = Interrupted(objects=kept, world=world)
    ward.rounds(archive=archive).turn()
    assert len(archive.missed) > 1
    assert [content for _, content in archive.sent] == [kept[world.row(UIDS[0]).orthanc_instance]]


def test_a_withdrawal_while_the_recipient_is_called_lets_not_even_the_first_go(world: World) -> None:
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world)
    ward.queue(*UIDS)
    world.archive.caller = lambda _modality: world.withdraw()
    ward.turn()
    assert world.archive.sent == []
    assert {row["outcome"] for row in world.disclosures()} == {"FAILED"}
