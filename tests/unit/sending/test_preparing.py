"""What somebody waits for is made ahead once somebody has looked, by one with nothing else to do; for nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orthanc_plugin.registry import wantedcopies
from tests.fakes.keeping import (
    HERE,
    MORE,
    files,
    is_kept,
    keeping,
    looked_at_again,
    preparing,
    rows,
    under,
    withdrawn,
)
from tests.fakes.looking import LOOKING, rejected
from tests.fakes.world import SETTINGS, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a world with a picture that may leave for teaching: somebody asked, and somebody else has looked."""
    with keeping(tmp_path) as made:
        yield made


def test_what_somebody_waited_for_is_made_once_somebody_has_looked(world: World) -> None:
    ahead = preparing(world)
    assert (ahead.any(), rows(world)) == (True, 0)
    assert (ahead.some(10), rows(world), ahead.any()) == (1, 1, False)
    assert is_kept(world)
    assert ahead.some(10) == 0


def test_what_is_made_ahead_is_no_release(world: World) -> None:
    before = world.trail()
    preparing(world).some(10)
    assert (world.trail(), world.disclosures()) == (before, [])


def test_the_queue_outlives_whoever_was_at_it(world: World) -> None:
    taken, world.archive.objects = world.archive.objects, {}
    with pytest.raises(Exception, match="404"):
        preparing(world).some(10)
    world.archive.objects = taken
    assert preparing(world).some(10) == 0  # whoever took it may be at it still
    world.clock.advance(minutes=5)
    assert (preparing(world).some(10), rows(world)) == (1, 1)


def test_what_ends_each_who_makes_it_is_wanted_no_more(world: World) -> None:
    for _ in range(wantedcopies.MOST_ATTEMPTS):
        with world.services.database.writing() as connection:
            assert wantedcopies.take(connection, world.clock(), 10, HERE)
        world.clock.advance(minutes=5)
    assert preparing(world).some(10) == 0
    assert world.sql("SELECT count(*) FROM wanted_copies") == [(0,)]


@pytest.mark.parametrize("change", [withdrawn, rejected, lambda world: world.withdraw()])
def test_nothing_is_made_that_nobody_may_have(change: Callable[[World], object], world: World) -> None:
    change(world)
    preparing(world).some(10)
    assert (rows(world), files(world), preparing(world).any()) == (0, [], False)


def test_nothing_is_made_for_nobody(world: World) -> None:
    preparing(world).some(10)
    world.sql("DELETE FROM review_requests")
    world.sql("DELETE FROM kept_copies")
    looked_at_again(world)
    assert not preparing(world).any()


def test_what_another_archive_has_is_left_to_its_node(world: World) -> None:
    instance = world.row().orthanc_instance
    world.sql(f"INSERT INTO archive_holdings VALUES ('{instance}', 'another one')")  # noqa: S608 - ours
    assert not preparing(world).any()
    world.sql(f"UPDATE archive_holdings SET archive = '{HERE}'")  # noqa: S608 - ours
    assert preparing(world).any()


def test_orthancs_own_process_leaves_it_to_a_courier_for_a_while(world: World) -> None:
    patient = preparing(world, timedelta(minutes=2))
    assert (patient.any(), preparing(world).any()) == (False, True)
    world.clock.advance(minutes=2)
    assert patient.some(1) == 1


def test_behind_shut_doors_nothing_is_made(world: World) -> None:
    world.services.gate.close("for a while")
    assert (preparing(world).some(10), rows(world)) == (0, 0)


def test_where_none_are_kept_none_is_made_and_nothing_waits(world: World) -> None:
    none = under(world, LOOKING, SETTINGS.replace("[spool]", "[spool]\ncopies_megabytes = 0") + MORE)
    world.archive.objects = {}  # whatever is read is missed
    assert (preparing(none).some(10), rows(none), preparing(none).any()) == (1, 0, False)
