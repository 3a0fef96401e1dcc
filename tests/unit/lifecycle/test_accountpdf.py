"""The account of disclosures as PDF: the same words, in letters that can be printed."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pypdf
import pytest

from orthanc_plugin.lifecycle.accountpages import NOTHING
from orthanc_plugin.lifecycle.accountpdf import SPELT, as_pdf
from orthanc_plugin.policy.accounts import BEYOND, sentences
from tests.fakes.world import World
from tests.unit.lifecycle.steps import leave
from tests.unit.lifecycle.test_accounts import CARE, TEACHING, account

TODAY = date(2026, 11, 22)


def text_of(content: bytes) -> str:
    pages = pypdf.PdfReader(BytesIO(content), strict=True).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def test_the_pdf_tells_what_the_text_tells_and_is_the_same_each_time(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world)
    found = account(world)
    made = as_pdf(found, TODAY)
    said = text_of(made)
    for each in (*sentences(found[0]), found[0].disclosure, BEYOND, "As known on 22 November 2026."):
        assert each in said
    assert as_pdf(found, TODAY) == made


def test_an_account_of_nothing_says_so() -> None:
    assert NOTHING in text_of(as_pdf((), TODAY))


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("Müller & Łukasz <b>", "Müller & Łukasz <b>", False),
        ("\u015awi\u0119ta", "Swieta", True),
        ("Юрий", "????", True),
    ],
)
def test_letters_that_the_font_lacks_are_written_plainly_and_the_page_says_so(
    name: str, written: str, told: bool, world: World
) -> None:
    world.file(CARE, TEACHING)
    leave(world, recipient=name)
    said = text_of(as_pdf(account(world), TODAY))
    assert (written in said, SPELT in said) == (True, told)


def test_a_long_account_goes_over_pages_and_loses_nothing(world: World) -> None:
    world.file(CARE, TEACHING)
    for number in range(60):
        leave(world, f"D{number}")
    made = as_pdf(account(world), TODAY)
    assert len(pypdf.PdfReader(BytesIO(made)).pages) > 3
    assert all(f"Reference: D{number}" in text_of(made) for number in (0, 31, 59))
