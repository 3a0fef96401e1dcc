"""The register of operators: who may take pictures on which day, known by name or staff number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import operators
from orthanc_plugin.registry.operators import IncompleteOperatorError, Operator
from tests.fakes.register import PHOTOGRAPHER
from tests.fakes.world import World


def recorded(world: World, operator: Operator = PHOTOGRAPHER) -> str:
    with world.services.database.writing() as connection:
        return operators.append(connection, operator, reason="", by="illustration", at=world.clock())


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("Field^Alex", True),
        ("FIELD^alex^^", True),
        (" field ^ Alex ", True),
        ("Field^Alex=Feld^Alex", True),
        ("s100", True),
        ("Field^Alexa", False),
        ("Alex^Field", False),
        ("Field", False),
        ("S10", False),
        ("", False),
    ],
)
def test_an_operator_is_known_by_name_or_number_however_it_is_written(key: str, known: bool, world: World) -> None:
    recorded(world)
    with world.services.database.reading() as connection:
        assert operators.known_by(connection, [operators.keyed(key)]) == ([PHOTOGRAPHER] if known else [])


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"name": "^"}, "name: is missing"),
        ({"role": " "}, "role: is missing"),
        ({"operator_id": ""}, "operator_id: must be"),
        ({"name": "x" * 129}, "name: is longer"),
        ({"active_until": date(2025, 12, 31)}, "active_until: is before"),
    ],
)
def test_what_is_missing_of_an_operator_is_told(changes: dict[str, object], gap: str, world: World) -> None:
    with pytest.raises(IncompleteOperatorError) as caught:
        recorded(world, replace(PHOTOGRAPHER, **changes))  # type: ignore[arg-type]
    assert [problem for problem in caught.value.problems if problem.startswith(gap)]


def test_the_newest_version_counts_and_both_are_sealed(world: World) -> None:
    ended = replace(PHOTOGRAPHER, active_until=date(2026, 6, 30))
    seals = [recorded(world), recorded(world, ended)]
    with world.services.database.reading() as connection:
        assert operators.listed(connection) == [ended] == [operators.current(connection, "S100")]
        assert sorted(operators.seals(connection)) == sorted(seals)
        with pytest.raises(UnknownRecordError, match="consentgate operator list"):
            operators.current(connection, "S101")


@pytest.mark.parametrize(
    ("on", "may"),
    [(date(2025, 12, 31), False), (date(2026, 1, 1), True), (date(2026, 6, 30), True), (date(2026, 7, 1), False)],
)
def test_an_operator_may_take_pictures_between_two_days(on: date, may: bool) -> None:
    assert replace(PHOTOGRAPHER, active_until=date(2026, 6, 30)).takes_pictures(on) is may
