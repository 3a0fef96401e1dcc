"""Whom a hold on a population reaches: conditions that are data, never expressions.

Knows years, departments, procedures, blood products and categories. Must not know rows. What nobody has told of a
record counts as met: a hold reaches whatever can't be shown to lie outside it, and whoever fits it later.

Source: requirements 4 (a hold must be definable by population, not only by patient list); T-7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from orthanc_plugin.policy.persons import folded

Words = frozenset[str]
Years = tuple[int, int]  # the first and the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Conditions that must all be met; of the words of one, any. None: not asked."""

    years: Years | None = None
    departments: Words | None = None
    procedures: Words | None = None
    blood_products: Words | None = None
    categories: Words | None = None

    @property
    def empty(self) -> bool:
        """Tell whether it asks nothing: that is nobody, never everybody."""
        return self == NOBODY


NOBODY: Final = Population()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known of a record and its patient; None: nobody has told.

    ``years`` are those of care and of the picture: a hold on some of them reaches it.
    """

    years: tuple[Years, ...] = ()
    departments: Words | None = None
    procedures: Words | None = None
    blood_products: Words | None = None
    categories: Words | None = None


def reaches(population: Population, found: Circumstances) -> bool:
    """Tell whether a hold on this population reaches a record."""
    return not population.empty and all(
        (
            _in_years(population.years, found.years),
            _shared(population.departments, found.departments),
            _shared(population.procedures, found.procedures),
            _shared(population.blood_products, found.blood_products),
            _shared(population.categories, found.categories),
        )
    )


def _in_years(asked: Years | None, known: tuple[Years, ...]) -> bool:
    if asked is None or not known:
        return True
    return any(first <= asked[1] and asked[0] <= last for first, last in known)


def _shared(asked: Words | None, known: Words | None) -> bool:
    if asked is None or known is None:
        return True
    return not {_plain(word) for word in asked}.isdisjoint(map(_plain, known))


@lru_cache(maxsize=4096)
def _plain(word: str) -> str:
    """Return a word as it is compared: systems write the same letters in several ways, and with signs unseen."""
    return folded(word)
