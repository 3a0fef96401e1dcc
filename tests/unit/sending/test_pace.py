"""How many pictures a courier takes at once: as many as go in about a second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.sending.delivery import MOST_TOGETHER
from orthanc_plugin.sending.errand import LONGEST_TURN
from orthanc_plugin.sending.pace import FEWEST, MOST, Pace
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.rounds import CARE_ROUTE, TEACHING_ROUTE, Ward, routed
from tests.fakes.world import World

URGENT = "2.25.799"


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


def slow(ward: Ward, seconds: float) -> None:
    """Have each picture take so long."""

    def pass_(_modality: str, _content: bytes) -> None:
        ward.world.ticks.seconds += seconds

    ward.world.archive.watcher = pass_


def test_a_group_whose_recipient_gets_slow_ends_by_the_clock_and_the_rest_has_not_been_tried(world: World) -> None:
    ward = filed(world, 70)
    slow(ward, 1.0)
    rounds = ward.rounds()
    rounds.pace.by_route[CARE_ROUTE.name] = 70
    turn = rounds.turn()
    assert turn is not None
    assert LONGEST_TURN < turn.delivered <= LONGEST_TURN + 1 + 2 * MOST_TOGETHER
    left = [row for row in ward.rows().values() if row["state"] != "DELIVERED"]
    assert {(row["state"], row["attempts"], row["reason"]) for row in left} == {
        ("WAITING", 0, "those before it took long, so others may go first")
    }
    assert {each["outcome"] for each in world.disclosures()} == {"DELIVERED"}  # nothing had begun in vain
    while rounds.turn() is not None:
        pass
    assert set(ward.states().values()) == {"DELIVERED"}
    assert len(world.archive.sent) == 70


def test_what_is_more_urgent_goes_before_the_rest_of_a_slow_group(world: World) -> None:
    ward = filed(world, 60)
    world.file(CARE, TEACHING, uid=URGENT)
    slow(ward, 1.0)
    rounds = ward.rounds()
    rounds.turn()
    before = len(world.archive.sent)
    assert before < 60
    ward.queue(URGENT, route=replace(CARE_ROUTE, priority=9))
    rounds.turn()
    assert len(world.archive.sent) > before
    assert ward.states()[URGENT] == "DELIVERED"
    assert URGENT.encode() in world.archive.sent[before][1]


def test_how_long_the_call_takes_ends_no_group(world: World) -> None:
    ward = filed(world, 8)

    def called(_modality: str, _content: bytes) -> None:
        world.ticks.seconds += 0.0 if world.archive.sent else 3 * LONGEST_TURN

    world.archive.watcher = called
    turn = ward.turn()
    assert turn is not None
    assert turn.delivered == 8


def test_a_slow_recipient_that_fails_is_left_alone_for_a_while(world: World) -> None:
    ward = filed(world, 60)

    def fail(_modality: str, _content: bytes) -> None:
        world.ticks.seconds += 4.0
        if len(world.archive.sent) > 3:
            world.archive.unreachable.add("dermatology")

    world.archive.watcher = fail
    assert ward.turn() is not None
    left = [row for row in ward.rows().values() if row["state"] == "WAITING"]
    assert left
    assert {row["attempts"] for row in left} == {1}
    assert ward.turn() is None
