"""Who may propose, decide on and approve the destruction of records, and how long is waited (``[disposition]``).

Knows accounts and the persons behind them. Must not know plans. An account that isn't one named person's may do nothing
here: a shared account or a program's key is no second person.

Sources: requirements 4, steps 4 and 5 (separation of duties, cooling-off); ISO 15489-1 8.5 (authorised disposition).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from orthanc_plugin.config.places import Place
from orthanc_plugin.policy.persons import folded

OnePerson = Callable[[str, str], bool]
STRICT = ConfigDict(extra="forbid")
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Days = Annotated[int, Field(strict=True, ge=0, le=3650)]


@unique
class Duty(StrEnum):
    """What somebody may do about disposition."""

    PROPOSE = "propose"
    DECIDE = "decide"
    APPROVE = "approve"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """One person: every account of theirs, and what they may do. ``person`` is what tells people apart."""

    __pydantic_config__ = STRICT
    person: Name
    accounts: tuple[Name, ...]
    may: frozenset[Duty]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """The section: who does what, and how long is waited.

    Attributes:
        cooling_off_days: how long an approval can still be withdrawn before anything is destroyed.
        approval_lapses_days: how long after the cooling-off an approval may be executed.
        officers: who may do what.
        places: where records may be transferred instead of being destroyed.
    """

    __pydantic_config__ = STRICT
    cooling_off_days: Days = 30
    approval_lapses_days: Days = 14
    officers: tuple[Officer, ...] = ()
    places: tuple[Place, ...] = ()

    def officer(self, account: str) -> Officer | None:
        """Return the person behind an account, however it is written; None when nobody said whose it is."""
        return next((each for each in self.officers if folded(account) in map(folded, each.accounts)), None)

    def place(self, name: str) -> Place | None:
        """Return the place of deposit of this name, None when policy.toml names none."""
        return next((each for each in self.places if each.name == name), None)


def disposition_faults(section: Disposition) -> Iterator[str]:
    """Say where one person could be taken for two, or an account for two persons'."""
    accounts = Counter(folded(account) for each in section.officers for account in each.accounts)
    persons = Counter(folded(each.person) for each in section.officers)
    yield from (
        f"disposition: account {name!r} is {count} times there" for name, count in accounts.items() if count > 1
    )
    yield from (f"disposition: person {name!r} is {count} times there" for name, count in persons.items() if count > 1)
    yield from (f"disposition: {each.person} has no account" for each in section.officers if not each.accounts)


def signing_faults(section: Disposition, one_person: OnePerson) -> Iterator[str]:
    """Say where one of our officers would sign a place's receipts, under whatever name of theirs."""
    yield from (
        f"disposition.places: {each.person} is an officer here, and signs no receipt for {place.name}"
        for place in section.places
        for each in section.officers
        if any(one_person(each.person, signatory) for signatory in place.signatories)
    )
