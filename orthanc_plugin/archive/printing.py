"""Letters and lines of PDF files: reportlab's own fonts, and long texts line by line over as many pages as they take.

Knows reportlab. Must not know what is told. Its fonts have what Western European names need; a letter that they lack is
written by its plain form. The same text gives the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from textwrap import TextWrapper
from typing import Final
from unicodedata import normalize

import reportlab
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

PLAIN: Final = "Vera"
BOLD: Final = "VeraBd"
FONTS: Final = {PLAIN: "Vera.ttf", BOLD: "VeraBd.ttf"}
MARGIN: Final = 22 * mm
SPELT: Final = "Some letters of names can't be printed here and stand without their marks, or as a question mark."
UNKNOWN: Final = "?"
SIZE: Final = 8
LEADING: Final = 11
WIDE: Final = 92  # characters of a line, nearly always; what is wider still is broken again
WIDTH: Final = A4[0] - 2 * MARGIN
LINES: Final = int((A4[1] - 2 * MARGIN) // LEADING) - 2  # on a page, above its number


def letters() -> frozenset[str]:
    """Have the library know its own fonts; return what they can write."""
    folder = Path(reportlab.__file__).parent / "fonts"
    known = frozenset[str]()
    for name, file in FONTS.items():
        font = TTFont(name, str(folder / file))
        pdfmetrics.registerFont(font)
        known = frozenset(map(chr, font.face.charToGlyph))
    return known


def spelt(text: str, known: frozenset[str]) -> str:
    """Return a text in letters that the font has."""
    if known.issuperset(text):
        return text
    return "".join(each if each in known else _plain(each, known) for each in text)


def _plain(letter: str, known: frozenset[str]) -> str:
    kept = "".join(each for each in normalize("NFKD", letter) if each in known)
    return kept or UNKNOWN


def printed(title: str, paragraphs: Sequence[str], foot: str) -> bytes:
    """Return paragraphs as a PDF of numbered pages, each with ``foot``; that letters are missing stands at the end."""
    known = letters()
    lines = [line for each in (*paragraphs, *_told(paragraphs, known)) for line in lines_of(spelt(each, known))]
    pages = [lines[at : at + LINES] for at in range(0, len(lines), LINES)] or [[]]
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1, lang="en-GB", pageCompression=1)
    canvas.setTitle(title)
    for number, page in enumerate(pages, 1):
        canvas.setFont(BOLD if number == 1 else PLAIN, 2 * SIZE if number == 1 else SIZE)
        top = A4[1] - MARGIN
        canvas.drawString(MARGIN, top, spelt(title, known))
        text = canvas.beginText(MARGIN, top - 2 * LEADING)
        text.setFont(PLAIN, SIZE, LEADING)
        text.textLines(page, trim=0)
        canvas.drawText(text)
        canvas.setFont(PLAIN, SIZE)
        canvas.drawString(MARGIN, MARGIN / 2, spelt(f"{foot}, page {number} of {len(pages)}", known))
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _told(paragraphs: Sequence[str], known: frozenset[str]) -> Iterator[str]:
    if not all(map(known.issuperset, paragraphs)):
        yield SPELT


def lines_of(text: str) -> Iterator[str]:
    """Give the lines of a paragraph; an empty one has one."""
    folding = TextWrapper(width=WIDE, subsequent_indent="    ", drop_whitespace=True)
    for line in folding.wrap(text) or [""]:
        yield from _fitting(line)


def _fitting(line: str) -> Iterator[str]:
    if len(line) < 2 or pdfmetrics.stringWidth(line, PLAIN, SIZE) <= WIDTH:
        yield line
        return
    half = len(line) // 2
    yield from _fitting(line[:half])
    yield from _fitting(line[half:])
