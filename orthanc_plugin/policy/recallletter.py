"""The words of a letter of recall, as text and as a page to print.

Knows what a letter says. Must not know rows. Of a copy without the patient's identity it names what the copy itself
says, and nothing else. The page needs nothing from elsewhere and runs nothing; every value in it is escaped.

Sources: requirements 2.9, G-19 (UK GDPR 19).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Final

from orthanc_plugin.policy.accounts import told_day
from orthanc_plugin.policy.recalling import CAUSE_WORDS, Cause
from orthanc_plugin.policy.words import one_line, purpose_words

TITLE: Final = "Recall of clinical photographs"
ASK: Final = (
    "You have from us the copies that are listed below. Please destroy them, or give them back, with every copy that "
    "was made of them and everywhere they were passed on to."
)
ANSWER: Final = (
    "Then please answer, naming the reference: which copies are gone, how, and since which day. Where one can't be had "
    "back, such as what has been published, say so; the patient is told."
)
ELSEWHERE: Final = (
    "You have the same object for another use that still stands. Keep it for that alone; please confirm that this use "
    "has ended."
)
NAMELESS: Final = "without the patient's identity"
NAMED: Final = "with the patient's identity"
NOBODY: Final = "whoever you had it from"
STYLE: Final = (
    "body{font:1rem/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "li{margin:0 0 1rem;break-inside:avoid;overflow-wrap:anywhere}@media print{body{margin:0;max-width:none}}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A copy as the letter names it.

    Attributes:
        reference: the recall's id.
        left_on: the day on which it left.
        identifiable: whether it shows who the patient is.
        patient: then their number, '' when it isn't known any more.
        needed: the recipient has the same object for another use that still stands.
    """

    reference: str
    cause: Cause
    left_on: date
    purpose: str
    released_uid: str
    sha256: str
    identifiable: bool
    patient: str = ""
    needed: bool = False

    def lines(self) -> Iterator[str]:
        """Give what is said of it."""
        number = f", patient number {self.patient}" if self.patient else ""
        who = f"{NAMED}{number}" if self.identifiable else NAMELESS
        yield f"Given to you on {told_day(self.left_on)} for {purpose_words(self.purpose)}, {who}."
        yield f"Why: {CAUSE_WORDS[self.cause]}."
        if self.needed:
            yield ELSEWHERE
        yield f"SOP Instance UID: {self.released_uid}"
        yield f"SHA-256 of the file: {self.sha256}"
        yield f"Reference: {self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to one recipient; ``due`` is the day by which it has to answer."""

    addressee: str
    recipient: str
    organisation: str
    reply_to: str
    written: date
    due: date
    copies: tuple[Listed, ...]
    reminder: bool = False

    def head(self) -> Iterator[str]:
        """Give the lines above the letter."""
        yield f"To: {one_line(self.addressee)} ({self.recipient})"
        if self.organisation:
            yield f"From: {one_line(self.organisation)}"
        yield f"Date: {told_day(self.written)}"

    def paragraphs(self) -> Iterator[str]:
        """Give what is asked for, and how to answer."""
        if self.reminder:
            yield "This is a reminder: we have no answer yet to what we asked before."
        yield ASK
        yield ANSWER
        yield f"Please answer by {told_day(self.due)} to {one_line(self.reply_to) or NOBODY}."


def as_text(letter: Letter) -> str:
    """Return the letter as plain text."""
    listed = ("\n   ".join((f"{number}.", *each.lines())) for number, each in enumerate(letter.copies, 1))
    return "\n\n".join(("\n".join(letter.head()), TITLE, *letter.paragraphs(), *listed)) + "\n"


def as_html(letter: Letter) -> str:
    """Return the letter as a page to print."""
    items = "\n".join(f"<li>{_broken(tuple(each.lines()))}</li>" for each in letter.copies)
    asked = "\n".join(f"<p>{escape(each)}</p>" for each in letter.paragraphs())
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(TITLE)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<p>{_broken(tuple(letter.head()))}</p>\n<h1>{escape(TITLE)}</h1>\n{asked}\n<ol>\n{items}\n</ol>\n"
        "</body>\n</html>\n"
    )


def _broken(lines: Sequence[str]) -> str:
    return "<br>".join(map(escape, lines))
