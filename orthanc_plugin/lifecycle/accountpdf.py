"""The account of disclosures as PDF, to be printed or sent.

Knows reportlab and how an entry is laid out. Must not know rows. The words are those of the other forms of the account.
A letter that the font lacks is written by its plain form, and the page says so. The same account gives the same file.

Source: requirements 004-15a (a list of disclosures that the patient can read).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer

from orthanc_plugin.archive.printing import BOLD, MARGIN, PLAIN, SPELT, spelt
from orthanc_plugin.archive.printing import letters as known_letters
from orthanc_plugin.lifecycle.accountpages import NOTHING, TITLE
from orthanc_plugin.policy.accounts import BEYOND, Entry, sentences, told_day


def as_pdf(account: Sequence[Entry], made: date) -> bytes:
    """Return the account as a PDF."""
    letters = known_letters()
    body, heading = _style(PLAIN, 10), _style(BOLD, 16)
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
    if any(spelt(each, letters) != each for each in words):
        yield SPELT


def _written(story: list[object]) -> bytes:
    file = BytesIO()
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), MARGIN)
    page = SimpleDocTemplate(file, pagesize=A4, title=TITLE, author="", lang="en-GB", invariant=1, **margins)
    page.build(story)
    return file.getvalue()


def _style(font: str, size: int) -> ParagraphStyle:
    return ParagraphStyle(font, fontName=font, fontSize=size, leading=size * 1.4, spaceAfter=2 * mm, splitLongWords=1)


def _line(text: str, style: ParagraphStyle, letters: frozenset[str]) -> Paragraph:
    return Paragraph(escape(spelt(text, letters)), style)
