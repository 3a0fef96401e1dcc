"""Whom a hold on a population reaches."""

from __future__ import annotations

import pytest

from orthanc_plugin.policy.expiryholds import NOBODY, Circumstances, Population, reaches

KNOWN = Circumstances(
    years=((1985, 1990), (2015, 2015)),
    departments=frozenset({"Haematology"}),
    procedures=frozenset({"TRANSFUSION", "BIOPSY"}),
    blood_products=frozenset(),
    categories=frozenset({"CANCER"}),
)


@pytest.mark.parametrize(
    ("population", "reached"),
    [
        (NOBODY, False),
        (Population(years=(1970, 1991)), True),
        (Population(years=(1990, 1990)), True),
        (Population(years=(1991, 2014)), False),
        (Population(departments=frozenset({"haematology", "Renal"})), True),
        (Population(departments=frozenset({"Renal"})), False),
        (Population(blood_products=frozenset({"FACTOR_VIII"})), False),
        (Population(years=(1985, 1985), procedures=frozenset({"TRANSFUSION"})), True),
        (Population(years=(1991, 1991), procedures=frozenset({"TRANSFUSION"})), False),
        (Population(categories=frozenset({"CANCER"})), True),
    ],
)
def test_a_hold_reaches_who_meets_all_of_its_conditions(population: Population, reached: bool) -> None:
    assert reaches(population, KNOWN) is reached


@pytest.mark.parametrize(
    "population",
    [
        Population(years=(1970, 1991)),
        Population(departments=frozenset({"Renal"})),
        Population(procedures=frozenset({"X"}), blood_products=frozenset({"Y"}), categories=frozenset({"Z"})),
    ],
)
def test_what_nobody_has_told_counts_as_met(population: Population) -> None:
    assert reaches(population, Circumstances())


def test_a_hold_that_asks_nothing_reaches_nobody_even_where_nothing_is_known() -> None:
    assert not reaches(NOBODY, Circumstances())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("P\u00e9diatrie", "Pe\u0301diatrie"),  # composed, and as two signs
        ("Plastic  Surgery", "plastic surgery"),
        ("Burns\u00a0unit", "Burns unit"),
        ("A\u2011E", "A-E"),
        ("Renal\u200b", "renal"),
    ],
)
def test_a_hold_reaches_whoever_meets_its_words_however_a_system_writes_them(asked: str, told: str) -> None:
    known = Circumstances(departments=frozenset({told}))
    assert reaches(Population(departments=frozenset({asked})), known)
    assert not reaches(Population(departments=frozenset({f"{asked} 2"})), known)
