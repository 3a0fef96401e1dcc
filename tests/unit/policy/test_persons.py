"""Whether two names are one person's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.policy.persons import folded, same_person


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dr Berg", "dr berg"),
        ("Dr  Berg", " Dr\tBerg\u00a0"),
        ("Jos\u00e9", "Jose\u0301"),
        ("\uff41nna", "anna"),
        ("an\u200bna\u202c", "anna"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_one_person_is_known_however_the_name_is_written(one: str, other: str) -> None:
    assert same_person(one, other)


@pytest.mark.parametrize(("one", "other"), [("anna", "anne"), ("anna berg", "annaberg"), ("anna", "")])
def test_other_names_are_other_persons(one: str, other: str) -> None:
    assert not same_person(one, other)


@given(st.text())
def test_a_name_that_is_folded_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)
