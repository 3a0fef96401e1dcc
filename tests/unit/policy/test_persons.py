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
        ("o'neil", "O\u2019Neil"),
        ("o'neil", "o\u00b4neil"),
        ("a-b", "a\u2011b"),
        ("a-b", "a\u2010b"),
        ("a-b", "a\u2212b"),
        ("ivan", "\u0131van"),
        ("ivan", "\u0130van"),
        ("anna", "\u0430nn\u0430"),  # Cyrillic
        ("bob", "b\u03bfb"),  # Greek
        ("anna", "\u0391\u039d\u039d\u0391"),  # Greek throughout
        ("no\u00eb", "no\u0451"),
        ("jos\u00e9", "jos\u0435\u0301"),
        ("vera", "\u03bdera"),  # a small Greek nu
        ("vera", "\u0475era"),  # Cyrillic izhitsa
        ("uno", "\u03c5\u03b7\u03c3"),  # Greek throughout, in small letters
        ("carl", "\u03f2arl"),  # a lunate sigma
        ("noah", "\u0578\u0585\u0251\u0570"),  # Armenian
        ("anna", "\u1d00\u0274\u0274\u1d00"),  # small capitals
        ("\u03bd\u03af\u03ba\u03bf\u03c2", "\u039d\u038a\u039a\u039f\u03a3"),  # one Greek name in either case
    ],
)
def test_one_person_is_known_however_the_name_is_written(one: str, other: str) -> None:
    assert same_person(one, other)


UNSEEN = "\u034f\ufe00\ufe0f\U000e0100\u3164\uffa0\u115f\u2800\u180b\u180f\u17b4\u2065\U000e0041\x01\x1c\x7f\ue000"


@pytest.mark.parametrize("sign", UNSEEN, ids=ascii)
def test_signs_that_do_not_show_make_no_other_person(sign: str) -> None:
    assert same_person("anna", f"an{sign}na")
    assert same_person("anna berg", f"anna {sign} berg{sign}")


@pytest.mark.parametrize(
    ("one", "other"), [("anna", "anne"), ("anna berg", "annaberg"), ("anna", ""), ("jose", "jos\u00e9")]
)
def test_other_names_are_other_persons(one: str, other: str) -> None:
    assert not same_person(one, other)


@given(st.text())
def test_a_name_that_is_folded_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)
