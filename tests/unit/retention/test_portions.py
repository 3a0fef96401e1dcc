"""How many lines share a transaction: many while nobody else writes, few while somebody does."""

from __future__ import annotations

import pytest

from orthanc_plugin.retention.portions import FEWEST, HELD, LEFT, LONGEST, SILENCE, Portions
from tests.fakes.world import HandTicks

MOST = 20
COMMIT = HELD / 4


@pytest.mark.parametrize(
    ("lines", "worked", "taken_next"),
    [
        pytest.param(MOST, 2 * HELD, 10, id="half as many take a moment"),
        pytest.param(MOST, 100 * HELD, FEWEST, id="never fewer than the fewest, however slow"),
        pytest.param(1, HELD / 100, MOST, id="never more than the most, however quick"),
        pytest.param(0, HELD, FEWEST, id="no line, which says nothing of how long one takes"),
        pytest.param(MOST, 0.0, FEWEST, id="a clock that stood still"),
    ],
)
def test_while_others_write_a_portion_takes_a_moment(lines: int, worked: float, taken_next: int) -> None:
    portions = Portions(MOST, HandTicks(), others=True)
    assert portions.lines == FEWEST
    portions.held(lines, worked, worked + COMMIT, others=True)
    assert portions.lines == taken_next


def test_the_slower_one_of_marking_and_writing_down_counts() -> None:
    portions = Portions(MOST, HandTicks(), others=True)
    for _ in range(2):
        portions.held(10, 2 * HELD, HELD, others=True)
        assert portions.lines == 5
        portions.held(10, HELD, HELD, others=True)
        assert portions.lines == 5


def test_the_lock_is_left_alone_for_longer_than_it_was_held_and_time_that_passed_counts() -> None:
    ticks = HandTicks()
    portions = Portions(MOST, ticks, others=True)
    assert portions.wait == 0.0
    portions.held(FEWEST, HELD, HELD + COMMIT, others=True)
    assert portions.wait == pytest.approx(LEFT * (HELD + COMMIT))
    ticks.seconds += LEFT * HELD
    assert portions.wait == pytest.approx(LEFT * COMMIT)
    ticks.seconds += LEFT * HELD
    assert portions.wait == 0.0


def test_an_execution_goes_on_however_long_the_lock_was_held() -> None:
    portions = Portions(MOST, HandTicks(), others=True)
    portions.held(FEWEST, 3600.0, 3600.0, others=True)
    assert (portions.lines, portions.wait) == (FEWEST, LONGEST)


def test_while_nobody_else_writes_nobody_is_waited_for_and_each_takes_twice_as_many_up_to_the_most() -> None:
    portions = Portions(MOST, HandTicks(), others=False)
    taken = [portions.lines]
    for _ in range(4):
        portions.held(portions.lines, 100 * HELD, 100 * HELD, others=False)
        assert portions.wait == 0.0
        taken.append(portions.lines)
    assert taken == [FEWEST, 2 * FEWEST, 4 * FEWEST, MOST, MOST]


def test_many_share_one_again_once_the_others_have_been_silent() -> None:
    ticks = HandTicks()
    portions = Portions(MOST, ticks, others=False)
    portions.held(MOST, 100 * HELD, 100 * HELD, others=True)
    for _ in range(3):
        ticks.seconds += 0.3 * SILENCE
        portions.held(FEWEST, HELD, HELD, others=False)
        assert portions.lines == FEWEST
    ticks.seconds += 0.3 * SILENCE
    for lines in (2 * FEWEST, 4 * FEWEST, MOST):
        portions.held(FEWEST, HELD, HELD, others=False)
        assert portions.lines == lines
    ticks.seconds += LEFT * HELD
    assert portions.wait == 0.0


def test_an_execution_that_is_to_take_one_at_a_time_does() -> None:
    portions = Portions(1, HandTicks(), others=True)
    assert portions.lines == 1
    portions.held(1, HELD / 100, HELD, others=True)
    assert portions.lines == 1
