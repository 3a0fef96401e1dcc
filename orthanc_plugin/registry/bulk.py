"""Many things in few statements.

Knows how much goes into one statement: databases limit its parameters, and a statement for each is slow. Must not know
tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

PIECE: Final = 500


def pieces(items: Collection[T], size: int = PIECE) -> Iterator[tuple[T, ...]]:
    """Give the items, ``size`` of them at a time."""
    ordered = tuple(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
