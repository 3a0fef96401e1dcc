"""Whether two names are one person's, where a rule demands a second person.

Knows spelling alone: names that look alike on a screen are one person's. Must not know accounts, nor which rule asks.

Sources: requirements 2.4 (a second person), 2.6 R2, 2.8 (a review by someone else); Unicode standard annex 15.
"""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """Return the name as it is compared: without case, signs that don't show, runs of space and composed letters."""
    shown = (letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", " ".join("".join(shown).split()).casefold())


def same_person(one: str, other: str) -> bool:
    """Tell whether two names may be one person's, however they are written."""
    return folded(one) == folded(other)
