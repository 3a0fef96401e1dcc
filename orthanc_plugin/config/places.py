"""Places of deposit: where a record may be transferred for good, and not just destroyed (``[[disposition.places]]``).

Knows what policy.toml says of one and what must be true of it. Must not know plans nor bags. A place is a folder: a
share that it has given, or a medium that is carried there; so transfers need what every export to a medium needs.

Sources: requirements 4, steps 3 and 11 (place of deposit, receipt), 003-76 (export to media takes two people).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from orthanc_plugin.policy.persons import folded

PlaceName = Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of deposit.

    Attributes:
        name: what decisions, the ledger and the certificate call it.
        owner: who at ours answers for it.
        address: where it is, for people.
        folder: where bags are written; absolute, and there before anything is.
        signatories: who at the place may sign receipts.
        expires: the day from which nothing is transferred there any more.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    name: PlaceName
    owner: Person
    address: Words
    folder: Words
    signatories: tuple[Person, ...]
    expires: date | None = None

    def signs(self, name: str) -> bool:
        """Tell whether somebody may sign receipts for it, however the name is written."""
        return folded(name) in map(folded, self.signatories)

    def open_on(self, day: date) -> bool:
        """Tell whether it still takes anything on a day."""
        return self.expires is None or day < self.expires


def place_faults(places: Iterable[Place], *, exports: bool, taken: Iterable[str] = ()) -> Iterator[str]:
    """Say what is wrong with places of deposit.

    Args:
        places: all of them.
        exports: whether two people have allowed exports to media.
        taken: what nodes, recipients and users are called: the ledger knows a place by its name, so that a recall of
            what it has would go to whoever else bears it.
    """
    known, others = tuple(places), frozenset(map(folded, taken))
    for each in known:
        if folded(each.name) in others:
            yield f"disposition.places: {each.name}: a node, recipient or user has this name; call the place otherwise"
    names = Counter(folded(each.name) for each in known)
    yield from (f"disposition.places: {name!r} is {count} times there" for name, count in names.items() if count > 1)
    for each in known:
        if not PurePath(each.folder).is_absolute():
            yield f"disposition.places: {each.name}: the folder must be an absolute path"
        if not each.signatories:
            yield f"disposition.places: {each.name} names nobody who may sign its receipts"
    if known and not exports:
        yield "disposition.places: a place is a folder or a medium; allow exports first ([exports], by two people)"
