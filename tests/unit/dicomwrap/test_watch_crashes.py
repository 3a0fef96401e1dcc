"""The power fails while photographs are on their way: at every moment, again while recovering, and in any mixture."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dicomwrap.shore import BAD, World
from tests.unit.dicomwrap.test_watch import DONE, MOMENTS, filled, names


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path / "photos")


@pytest.mark.parametrize("at", range(1, MOMENTS + 1))
def test_the_power_may_fail_at_every_moment(world: World, at: int) -> None:
    assert filled(world).run_with_crash(at)
    world.check()
    world.run()
    world.check()
    assert names(world) == DONE
    assert len(world.archive.vouched) == 2


@pytest.mark.parametrize("first", range(1, MOMENTS + 1, 5))
def test_the_power_may_fail_again_while_recovering(world: World, first: int) -> None:
    second = 1
    while filled(world).run_with_crash(first) and world.run_with_crash(second):
        world.check()
        second += 3
    world.run()
    world.check()
    assert names(world) == DONE


@pytest.mark.parametrize("at", range(1, 40, 3))
def test_the_power_may_fail_every_few_moments_for_ever(world: World, at: int) -> None:
    filled(world)
    for _ in range(60):
        if not world.run_with_crash(at):
            break
        world.check()
    world.run()
    assert names(world) == DONE


ACTIONS = st.one_of(
    st.tuples(st.just("arrive"), st.sampled_from(["a", "b", "c"]), st.sampled_from([b"1", b"22", b"333", BAD])),
    st.tuples(st.just("crash"), st.integers(1, 90)),
    st.tuples(st.sampled_from(["up", "vouching", "refusing"]), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("lose"), st.sampled_from(["receipts", "objects"])),
)


def act(world: World, action: tuple[object, ...]) -> None:
    match action:
        case ("arrive", str(name), bytes(data)):
            world.arrive(name, data)
        case ("crash", int(at)):
            world.run_with_crash(at, looks=4)
        case ("up" | "vouching" | "refusing" as what, bool(value)):
            setattr(world.archive, what, value)
        case ("wait", int(seconds)):
            world.run(looks=3, step=seconds)
        case ("lose", str(what)):
            folder = world.archive.receipts if what == "receipts" else world.folder / ".dicomwrap" / "objects"
            for path in folder.glob("*"):
                path.unlink()


@given(st.lists(ACTIONS, max_size=12))
@settings(deadline=None, max_examples=150)
def test_whatever_happens_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[object, ...]]
) -> None:
    world = World(folder=tmp_path_factory.mktemp("watch") / "photos")
    for action in actions:
        act(world, action)
        world.check()
    world.archive.up, world.archive.vouching, world.archive.refusing = True, True, False
    world.run(looks=40, step=100)
    world.check()
    left = [path.read_bytes() for path in world.photographs()]
    assert all(data.startswith(BAD) for data in left)
