"""A courier sends what the archive beside it has; what another archive has waits for the courier there."""

from __future__ import annotations

from dataclasses import replace

from orthanc_plugin.registry import holdings
from tests.fakes.pictures import CARE
from tests.fakes.rounds import routed
from tests.fakes.world import World

MINE, THEIRS, ANYBODYS = UIDS = ("2.25.860", "2.25.861", "2.25.862")


def test_pictures_of_another_archive_are_left_to_the_courier_there(world: World) -> None:
    for uid in UIDS:
        world.file(CARE, uid=uid)
    ward = routed(world)
    ward.queue(*UIDS)
    with world.services.database.writing() as connection:
        holdings.keep(connection, "here", [world.row(MINE).orthanc_instance])
        holdings.keep(connection, "there", [world.row(THEIRS).orthanc_instance])
    here, there = (replace(ward.rounds(), place=place) for place in ("here", "there"))
    turn = here.turn()
    assert turn is not None
    assert (turn.delivered, turn.waiting) == (2, 0)
    assert ward.states() == {MINE: "DELIVERED", THEIRS: "WAITING", ANYBODYS: "DELIVERED"}
    assert (here.due(), here.turn(), ward.rows()[THEIRS]["attempts"]) == (False, None, 0)
    assert there.due()
    assert there.turn() is not None
    assert ward.states()[THEIRS] == "DELIVERED"
    assert len(world.archive.sent) == len(UIDS)
