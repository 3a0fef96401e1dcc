"""How many pictures a courier takes at once: as many as go in about a second."""

from __future__ import annotations

import pytest

from orthanc_plugin.sending.pace import FEWEST, MOST, Pace
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.rounds import CARE_ROUTE, TEACHING_ROUTE, Ward, routed
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("delivered", "seconds", "taken_next"),
    [
        pytest.param(64, 0.5, 128, id="twice as many go in a second"),
        pytest.param(64, 0.25, 256, id="four times as many"),
        pytest.param(64, 0.01, MOST, id="never more than the most, however fast the line"),
        pytest.param(64, 60.0, FEWEST, id="never fewer than the fewest, however slow"),
        pytest.param(1, 0.02, FEWEST, id="one picture, which is mostly the call"),
        pytest.param(0, 0.01, 200, id="none arrived, which says nothing of the line"),
        pytest.param(64, 0.0, 200, id="a clock that stood still"),
    ],
)
def test_the_next_group_is_as_large_as_goes_in_a_second(delivered: int, seconds: float, taken_next: int) -> None:
    pace = Pace()
    assert pace.by_route == {}
    pace.took("care", 100, 0.5)
    pace.took("teach", 10, 0.05)
    assert pace.by_route == {"care": 200, "teach": 200}
    pace.took("care", delivered, seconds)
    assert pace.by_route == {"care": taken_next, "teach": 200}


def filed(world: World, count: int) -> Ward:
    uids = tuple(f"2.25.{800 + number}" for number in range(count))
    for uid in uids:
        world.file(CARE, TEACHING, uid=uid)
    ward = routed(world)
    ward.queue(*uids)
    return ward


def test_a_courier_takes_as_many_as_it_was_told_and_remembers_how_fast_they_went(world: World) -> None:
    ward = filed(world, 10)

    def pass_(_modality: str, _content: bytes) -> None:
        ward.world.ticks.seconds += 1 / 128

    ward.world.archive.watcher = pass_
    rounds = ward.rounds()
    rounds.pace.by_route[CARE_ROUTE.name] = 6
    turns, paces = [], []
    while (turn := rounds.turn()) is not None:
        turns.append(turn.delivered)
        paces.append(rounds.pace.by_route[CARE_ROUTE.name])
    assert (turns, paces) == ([6, 4], [128, 128])


def test_of_a_route_by_which_nothing_went_yet_few_are_taken_however_fast_another_is(world: World) -> None:
    ward = filed(world, FEWEST + 6)
    rounds = ward.rounds()
    rounds.pace.by_route[TEACHING_ROUTE.name] = MOST
    first, second = rounds.turn(), rounds.turn()
    assert first is not None
    assert second is not None
    assert (first.delivered, second.delivered) == (FEWEST, 6)
