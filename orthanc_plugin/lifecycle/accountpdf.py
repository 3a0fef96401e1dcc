"""The account of disclosures as PDF, to be printed or sent.

Knows reportlab and how an entry is laid out. Must not know rows. The words are those of the other forms of the account.
The library's own font has what Western European names need; a letter that it lacks is written by its plain form, and
the page says so. The same account gives the same file.

Source: requirements 004-15a (a list of disclosures that the patient can read).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Final
from unicodedata import normalize

import reportlab
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer

from orthanc_plugin.lifecycle.accountpages import NOTHING, TITLE
from orthanc_plugin.policy.accounts import BEYOND, Entry, sentences, told_day

FONTS: Final = {"Vera": "Vera.ttf", "VeraBd": "VeraBd.ttf"}
MARGIN: Final = 22 * mm
SPELT: Final = "Some letters of names can't be printed here and stand without their marks, or as a question mark."
UNKNOWN: Final = "?"


def as_pdf(account: Sequence[Entry], made: date) -> bytes:
    """Return the account as a PDF."""
    letters = _letters()
    body, heading = _style("Vera", 10), _style("VeraBd", 16)
    words = [f"As known on {told_day(made)}.", *(each for entry in account for each in _said(entry)), BEYOND]
    story: list[object] = [Paragraph(escape(TITLE), heading), _line(words[0], body, letters), Spacer(1, 4 * mm)]
    for number, entry in enumerate(account, 1):
        happened, now, reference = _said(entry)
        lines = (f"{number}. {happened}", now, reference)
        story += [KeepTogether([_line(each, body, letters) for each in lines]), Spacer(1, 3 * mm)]
    story += [_line(each, body, letters) for each in _end(account, words, letters)]
    return _written(story)


def _said(entry: Entry) -> tuple[str, str, str]:
    happened, now = sentences(entry)
    return happened, now, f"Reference: {entry.disclosure}"


def _end(account: Sequence[Entry], words: Sequence[str], letters: frozenset[str]) -> Iterator[str]:
    if not account:
        yield NOTHING
    yield BEYOND
    if any(_spelt(each, letters) != each for each in words):
        yield SPELT


def _written(story: list[object]) -> bytes:
    file = BytesIO()
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), MARGIN)
    page = SimpleDocTemplate(file, pagesize=A4, title=TITLE, author="", lang="en-GB", invariant=1, **margins)
    page.build(story)
    return file.getvalue()


def _letters() -> frozenset[str]:
    """Have the library know its own fonts; return what they can write."""
    folder = Path(reportlab.__file__).parent / "fonts"
    known = frozenset[str]()
    for name, file in FONTS.items():
        font = TTFont(name, str(folder / file))
        pdfmetrics.registerFont(font)
        known = frozenset(map(chr, font.face.charToGlyph))
    return known


def _style(font: str, size: int) -> ParagraphStyle:
    return ParagraphStyle(font, fontName=font, fontSize=size, leading=size * 1.4, spaceAfter=2 * mm, splitLongWords=1)


def _line(text: str, style: ParagraphStyle, letters: frozenset[str]) -> Paragraph:
    return Paragraph(escape(_spelt(text, letters)), style)


def _spelt(text: str, letters: frozenset[str]) -> str:
    """Return a text in letters that the font has."""
    return "".join(each if each in letters else _plain(each, letters) for each in text)


def _plain(letter: str, letters: frozenset[str]) -> str:
    kept = "".join(each for each in normalize("NFKD", letter) if each in letters)
    return kept or UNKNOWN
