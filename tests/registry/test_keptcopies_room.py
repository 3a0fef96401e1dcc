"""Kept copies have the room that photographs leave, and no more than they were given; the oldest go first."""

from __future__ import annotations

import os
import shutil

import pytest

from orthanc_plugin.registry import keptcopies
from orthanc_plugin.registry.keptfolder import KeptFolder
from tests.fakes.pictures import CARE, UID
from tests.fakes.world import World
from tests.registry.test_keptcopies import COPY, SECOND, SECRET, about, copies, copy_of, files


@pytest.fixture
def filed(world: World) -> World:
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return world


@pytest.mark.parametrize(
    ("limits", "left"), [((2, 30), 2), ((1, 30), 1), ((0, 30), 0), ((2, 0), 0)], ids=["same", "less", "none", "no days"]
)
def test_what_there_is_no_room_for_any_more_goes_the_oldest_first(
    limits: tuple[int, int], left: int, filed: World
) -> None:
    for number in ("1", "2"):
        assert copies(filed, megabytes=2).keep(about(filed, UID, number), copy_of(os.urandom(700_000)))
    assert copies(filed, SECRET, *limits).expire() == 2 - left
    keptcopies.tidy(filed.services.database, filed.services.spool.folder)
    assert (copies(filed).held()[0], len(files(filed))) == (left, left)
    assert (copies(filed).of(about(filed, UID, "2")) is not None) == (left > 0)


def test_photographs_have_the_room_on_the_disk_first(filed: World) -> None:
    assert copies(filed).keep(about(filed), COPY)
    crowded = copies(filed)
    crowded.folder = KeptFolder(crowded.folder.spool, spare=1 << 62)
    assert not crowded.keep(about(filed, SECOND), COPY)
    assert (crowded.expire(), crowded.expire()) == (1, 0)
    assert keptcopies.tidy(filed.services.database, filed.services.spool.folder) == 1
    assert (copies(filed).held(), files(filed)) == ((0, 0), [])
    assert copies(filed).keep(about(filed), COPY)


def test_how_much_room_there_is_is_looked_at_with_what_is_to_come(filed: World) -> None:
    spool = filed.services.spool.folder
    spool.mkdir(exist_ok=True)
    free = shutil.disk_usage(spool).free
    margin = 64 << 20  # which others may write meanwhile
    assert not KeptFolder(spool, spare=0).is_crowded(max(free - margin, 0))
    assert KeptFolder(spool, spare=0).is_crowded(free + margin)
    assert not KeptFolder(spool / "not there", spare=1 << 62).is_crowded()


def test_a_copy_that_takes_another_s_place_pushes_out_none_beside_it(filed: World) -> None:
    big, known = copy_of(os.urandom(900_000)), copies(filed, megabytes=2)
    for number in ("1", "2", "2"):
        assert known.keep(about(filed, UID, number), big)
    assert [known.of(about(filed, UID, each)) for each in ("1", "2")] == [big, big]
