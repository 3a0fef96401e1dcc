"""Body sites and sides: found by code or word, and what each says of who is in the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

import dicomwrap
from dicomwrap.anatomy import BodySite, body_site, laterality_from_text
from dicomwrap.errors import PatientDetailsError

TABLE = Path(dicomwrap.__file__).with_name("cid4029.txt")
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("scheme", "value", "keyword", "meaning"), ROWS, ids=[row[2] for row in ROWS])
def test_a_site_is_found_by_everything_that_names_it(scheme: str, value: str, keyword: str, meaning: str) -> None:
    expected = BodySite(value=value, scheme=scheme, meaning=meaning)
    for text in (value, keyword, meaning, meaning.upper(), f"  {meaning.replace(' ', '   ')} "):
        assert body_site(text) == expected


@pytest.mark.parametrize("row", [row for row in ROWS if row[3].startswith("Skin of ")], ids=lambda row: row[2])
def test_the_skin_of_a_site_may_be_left_out(row: list[str]) -> None:
    assert body_site(row[3].removeprefix("Skin of ")).value == row[1]


@pytest.mark.parametrize("typed", ["73897004", "SkinOfFace", "skin of face", "SKIN OF FACE", "face", " Face "])
def test_a_face_is_found_by_code_keyword_meaning_or_plain_word(typed: str) -> None:
    site = body_site(typed)
    assert (site.value, site.scheme, site.meaning) == ("73897004", "SCT", "Skin of face")
    assert site.recognisable
    assert not site.intimate


@pytest.mark.parametrize("typed", [None, "", "skin", "  "])
def test_no_site_is_the_skin_and_claims_nothing(typed: str | None) -> None:
    site = body_site(typed)
    assert (site.value, site.recognisable, site.intimate) == ("39937001", False, False)


def sites(word: str) -> list[BodySite]:
    return [body_site(meaning) for _, _, _, meaning in ROWS if word in meaning.lower().split()]


@pytest.mark.parametrize("word", ["face", "ear", "nose", "lip", "eyelid", "chin", "cheek", "forehead", "helix", "eye"])
def test_parts_of_a_face_are_recognisable(word: str) -> None:
    found = [site for site in sites(word) if site.meaning.startswith("Skin")]
    assert found
    assert [site.meaning for site in found if not site.recognisable] == []


@pytest.mark.parametrize(
    "word", ["breast", "nipple", "areola", "penis", "scrotum", "labium", "clitoris", "buttock", "anus", "perineum"]
)
def test_intimate_parts_are_restricted(word: str) -> None:
    found = sites(word)
    assert found
    assert [site.meaning for site in found if not site.intimate] == []


@pytest.mark.parametrize("word", ["hand", "foot", "knee", "toe", "back", "abdomen", "thumb", "heel", "palm"])
def test_other_parts_are_neither(word: str) -> None:
    found = sites(word)
    assert found
    assert [site.meaning for site in found if site.intimate or site.recognisable] == []


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [
        ("forearm", "Skin of anterior surface of forearm"),
        ("breast", "breast"),
        ("skin of hnad", "Skin of hand"),
        ("nail", "Nail unit"),
    ],
)
def test_an_unknown_site_brings_suggestions(typed: str, suggestion: str) -> None:
    with pytest.raises(PatientDetailsError, match="did you mean") as caught:
        body_site(typed)
    assert suggestion in caught.value.reason


def test_a_site_unlike_any_other_brings_the_name_of_the_table() -> None:
    with pytest.raises(PatientDetailsError, match="see CID 4029"):
        body_site("\U0001f984")


@pytest.mark.parametrize(
    ("typed", "term"),
    [("l", "L"), ("Right", "R"), ("both", "B"), ("bilateral", "B"), ("U", "U"), (" unpaired ", "U"), ("LEFT", "L")],
)
def test_a_side_may_be_a_letter_or_a_word(typed: str, term: str) -> None:
    assert laterality_from_text(typed) == term


@pytest.mark.parametrize("typed", ["up", "", "X", "LR", "links"])
def test_an_unknown_side_is_refused(typed: str) -> None:
    with pytest.raises(PatientDetailsError, match="laterality"):
        laterality_from_text(typed)
