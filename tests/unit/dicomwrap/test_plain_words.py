"""Sites of the body in plain words."""

from __future__ import annotations

import pytest

from dicomwrap.anatomy import _PLAIN, body_site
from dicomwrap.errors import PatientDetailsError


@pytest.mark.parametrize(("word", "meaning"), _PLAIN.items(), ids=str)
def test_a_plain_word_stands_for_a_site_of_the_table(word: str, meaning: str) -> None:
    assert body_site(word.upper()).meaning == meaning


@pytest.mark.parametrize(("word", "near"), [("forearm", "forearm"), ("thigh", "thigh"), ("breast", "breast")])
def test_a_word_that_could_stand_for_several_sites_is_asked_back(word: str, near: str) -> None:
    with pytest.raises(PatientDetailsError, match=f"did you mean .*{near}"):
        body_site(word)


@pytest.mark.parametrize("word", ["genitals", "groin", "genitalia"])
def test_plain_words_don_t_hide_that_a_site_is_intimate(word: str) -> None:
    assert body_site(word).intimate


@pytest.mark.parametrize("word", ["eye", "temple"])
def test_plain_words_don_t_hide_that_a_site_shows_the_face(word: str) -> None:
    assert body_site(word).recognisable
