"""How many lines share a transaction: many while nobody else writes, few while doors are in use."""

from __future__ import annotations

import pytest

from orthanc_plugin.retention.portions import FEWEST, HELD, LEFT, SILENCE, Portions
from tests.fakes.world import HandTicks

MOST = 20


@pytest.mark.parametrize(
    ("lines", "seconds", "taken_next"),
    [
        pytest.param(MOST, 4 * HELD, 5, id="a quarter as many take a moment"),
        pytest.param(MOST, 100 * HELD, FEWEST, id="never fewer than the fewest, however slow"),
        pytest.param(1, HELD / 100, MOST, id="never more than the most, however quick"),
        pytest.param(0, HELD, FEWEST, id="no line, which says nothing of how long one takes"),
        pytest.param(MOST, 0.0, FEWEST, id="a clock that stood still"),
    ],
)
def test_while_others_write_a_portion_takes_a_moment_and_the_lock_is_left_alone_for_longer(
    lines: int, seconds: float, taken_next: int
) -> None:
    portions = Portions(MOST, HandTicks(), others=True)
    assert portions.lines == FEWEST
    assert portions.held(lines, seconds, others=True) == LEFT * seconds
    assert portions.lines == taken_next


def test_while_nobody_else_writes_nobody_is_waited_for() -> None:
    portions = Portions(MOST, HandTicks(), others=False)
    assert portions.lines == MOST
    assert portions.held(MOST, 100 * HELD, others=False) == 0.0
    assert portions.lines == MOST


def test_many_share_one_again_once_the_others_have_been_silent() -> None:
    ticks = HandTicks()
    portions = Portions(MOST, ticks, others=False)
    assert portions.held(MOST, 100 * HELD, others=True) > 0.0
    for _ in range(3):
        ticks.seconds += 0.3 * SILENCE
        assert portions.held(FEWEST, HELD, others=False) == LEFT * HELD
        assert portions.lines == FEWEST
    ticks.seconds += 0.3 * SILENCE
    assert portions.held(FEWEST, HELD, others=False) == 0.0
    assert portions.lines == MOST


def test_an_execution_that_is_to_take_one_at_a_time_does() -> None:
    portions = Portions(1, HandTicks(), others=True)
    assert portions.lines == 1
    portions.held(1, HELD / 100, others=True)
    assert portions.lines == 1
