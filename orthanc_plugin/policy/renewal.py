"""What time has done to a consent by a given day: whether it has ended, and whether somebody is to be asked again.

Knows a consent, its patient and the day. Must not know other consents, nor where tasks are kept.

Sources: requirements 2.4 (states), 2.9 (re-consent triggers), 000-34d, 002-32; GMC recordings 35 and 47 to 51.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dicomwrap.terms import ConsentState, Purpose, purposes_named
from orthanc_plugin.policy.consent import Standing, standing
from orthanc_plugin.policy.dates import PRESUMED_CAPABLE, age_of, has_died
from orthanc_plugin.policy.eventmodel import Before, Event, Happening, Outcome
from orthanc_plugin.policy.events import outcome
from orthanc_plugin.policy.model import Consent, Patient

OVER: Final = frozenset({Standing.EXPIRED, Standing.LAPSED_AT_18})


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What has happened to a consent by itself, and what follows from it."""

    happening: Happening
    outcome: Outcome


def passed(scopes: Sequence[Consent], patient: Patient, day: date) -> tuple[Passed, ...]:
    """Return what time has brought by ``day`` to a consent, given as its scopes; nothing for one not in force."""
    if not scopes or scopes[0].state is not ConsentState.GIVEN:
        return ()
    before = Before(consent=scopes[0].state, giver=scopes[0].giver.type)
    if has_died(patient, day):
        return tuple(_follow(before, each) for each in _after_death(scopes, patient, day))
    return tuple(_follow(before, each) for each in _in_life(scopes, patient, day))


def _follow(before: Before, happening: Happening) -> Passed:
    return Passed(happening=happening, outcome=outcome(before, Event(type=happening)))


def _standings(scopes: Sequence[Consent], patient: Patient, day: date) -> frozenset[Standing]:
    """Return what the consent amounts to for each purpose that nobody has withdrawn."""
    found = (standing(scope, purpose, patient, day) for scope in scopes for purpose in _purposes(scope))
    return frozenset(found) - {Standing.WITHDRAWN}


def _after_death(scopes: Sequence[Consent], patient: Patient, day: date) -> Iterator[Happening]:
    """Give the death alone: the dead can't be asked again, and an end date is computed wherever it counts."""
    if not _standings(scopes, patient, day) <= OVER:
        yield Happening.DEATH


def _in_life(scopes: Sequence[Consent], patient: Patient, day: date) -> Iterator[Happening]:
    standings = _standings(scopes, patient, day)
    if Standing.REGAINED in standings:
        yield Happening.CAPACITY_REGAINED
    if Standing.RECONSENT in standings:
        years = age_of(patient, day)
        grown = years is not None and years >= PRESUMED_CAPABLE
        yield Happening.BIRTHDAY_16 if grown else Happening.COMPETENCE_FOUND
    if standings and standings <= OVER:
        yield Happening.BIRTHDAY_18 if Standing.LAPSED_AT_18 in standings else Happening.EXPIRY


def _purposes(scope: Consent) -> frozenset[Purpose]:
    return purposes_named(frozenset(scope.purposes))
