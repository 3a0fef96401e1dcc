"""Whoever agrees to what a source took back says what they looked at: nobody agrees to what came in after that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import people
from tests.fakes.pictures import CARE, TEACHING
from tests.fakes.records import SEEN, activate, fed, standing
from tests.fakes.world import World
from tests.registry.test_taking_back import P1, agreed, back, doubtful, seen


@pytest.fixture
def office(world: World) -> World:
    """Give a photograph of P1, whose last contact two sources told, and one of them has taken back."""
    activate(world)
    world.file(CARE, TEACHING)
    fed(world, source="clinic")
    fed(world)
    world.clock.advance(minutes=5)
    back(world)
    return world


def more(world: World) -> None:
    back(world, "categories")


def once_more(world: World) -> None:
    fed(world, {"patient_id": "P1", "last_contact": "2024-06-07"})
    world.clock.advance(minutes=5)
    back(world)


def under_another_number(world: World) -> None:
    fed(world, {**SEEN, "patient_id": "P2"})
    world.clock.advance(minutes=5)
    fed(world, {"patient_id": "P2", "taken_back": "last_contact"})
    with world.services.database.writing() as connection:
        people.merge(connection, world.services.act("governance", "test"), ("P2", "HOSP"), P1, "one person")


@pytest.mark.parametrize("comes", [more, once_more, under_another_number])
def test_nobody_agrees_to_what_came_in_after_they_looked(comes: Callable[[World], None], office: World) -> None:
    saw = seen(office)
    comes(office)
    before = doubtful(office)
    with pytest.raises(IllegalTransitionError, match="isn't what was seen") as refused:
        agreed(office, saw=saw)
    assert "facts show" in refused.value.remedy
    assert (doubtful(office), standing(office).proposable) == (before, False)
    assert agreed(office)
    assert seen(office) == ""


def test_what_is_no_news_stands_as_it_was_seen_and_one_source_s_word_isn_t_another_s(office: World) -> None:
    back(office, source="clinic")
    saw = seen(office)
    back(office)
    fed(office, {"patient_id": "P1", "first_contact": "2001-01-01"})
    assert seen(office) == saw != seen(office, "clinic")
    for other in ("", seen(office, "clinic"), saw[:-1]):
        with pytest.raises(IllegalTransitionError, match="isn't what was seen"):
            agreed(office, saw=other)
    assert agreed(office, saw=saw)
