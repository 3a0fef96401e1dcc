"""Whether two names are one person's, where a rule demands a second person.

Knows spelling alone: names that look alike on a screen are one person's. Must not know accounts, nor which rule asks.
Of the letters that look alike in several scripts it knows those of Latin, Greek, Cyrillic and Armenian. Some look like
one letter when they are small and like another when they are capitals, so a name can be read in two ways.

Sources: requirements 2.4 (a second person), 2.6 R2, 2.8 (a review by someone else); Unicode standard annex 15, and
technical standard 39 (letters and signs that are taken for others), DerivedCoreProperties (signs that don't show).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Final

OnePerson = Callable[[str, str], bool]
# Signs that don't show, though Unicode has them among letters, marks and symbols.
UNSEEN: Final = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
SPACES: Final = dict.fromkeys("\t\n\v\f\r\u0085", " ")
DASHES: Final = dict.fromkeys("\u02d7\u2043\u2212", "-")  # beside those that Unicode calls dashes
APOSTROPHES: Final = dict.fromkeys("`\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u055a\u2018\u2019\u201b\u2032", "'")
SIGNS: Final = str.maketrans({**SPACES, **DASHES, **APOSTROPHES})
LETTERS: Final = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u0501\u051b\u051d"
    "\u04bb\u04cf\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f3"
    "\u0131\u0251\u0261"
    "\u1d00\u0299\u1d04\u1d05\u1d07\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21"
    "\u028f\u1d22\u0269\u028b\u0581\u0570\u0578\u057d\u0585\u0566",
    "abekmhopctyxsijdqwhlabezhikmnoptyxjiagabcdeghijklmnoprstuvwyzivghnuoq",
)
# As they look when they are small, where they look otherwise than as capitals; and the lunate sigma, which is no sigma.
SMALL: Final = str.maketrans(
    "\u03b3\u03b7\u03bc\u03bd\u03c3\u03c5\u03c9\u03f2\u03f9\u0433\u0438\u043f\u0475\u0461\u0448",
    "ynuvouwccrunvww",
)


def folded(name: str) -> str:
    """Return the name as it is compared: without case, signs that don't show, runs of space and composed letters."""
    while (simpler := _simpler(name)) != name:
        name = simpler
    return name


def _simpler(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.translate(SIGNS)).casefold().replace("i\u0307", "i")
    shown = "".join(map(_shown, letters.translate(LETTERS)))
    return unicodedata.normalize("NFKC", " ".join(shown.split()))


def _shown(sign: str) -> str:
    """Return what is seen of a sign; nothing of controls, of what is no character, and of the unseen."""
    category = unicodedata.category(sign)
    if category.startswith("C") or sign in UNSEEN:
        return ""
    return "-" if category == "Pd" else sign


@lru_cache(maxsize=4096)  # the same few people are compared at every access
def readings(name: str) -> frozenset[str]:
    """Return the ways in which the name can be read, as they are compared."""
    return frozenset((folded(name), folded(name.translate(SMALL))))


def same_person(one: str, other: str) -> bool:
    """Tell whether two names may be one person's, however they are written."""
    return not readings(one).isdisjoint(readings(other))


@lru_cache(maxsize=1024)
def everything(name: str, persons: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    """Return the readings of every name of whoever bears this one.

    Args:
        name: any name of theirs.
        persons: names that are one person's each; who is in two of them by any name is one person in both.
    """
    known = readings(name)
    apart = [frozenset(chain.from_iterable(map(readings, each))) for each in persons]
    while theirs := [each for each in apart if not known.isdisjoint(each)]:
        known = known.union(*theirs)
        apart = [each for each in apart if each not in theirs]
    return known
