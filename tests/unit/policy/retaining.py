"""A record as retention sees it: an adult's picture, last seen in 2015, unless a case says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirymodel import Due, RetentionFacts, Schedule, Trial

AS_OF = date(2026, 11, 20)
ADULT = RetentionFacts(dob=date(1970, 3, 3), contacts=(date(2015, 3, 10),))
CHILD = RetentionFacts(dob=date(2008, 9, 14), contacts=(date(2019, 5, 1),))


@cache
def england() -> Schedule:
    """Return the shipped schedule of NHS England."""
    return shipped()


def asked(facts: RetentionFacts, as_of: date = AS_OF, schedule: Schedule | None = None, **changes: object) -> Due:
    """Return what follows for the facts with ``changes``."""
    return due(schedule or england(), replace(facts, **changes), as_of)  # type: ignore[arg-type]


def trial(
    concluded: date | None, regime: str = "UK_2026", granted: date | None = None, *, pending: bool = False
) -> Trial:
    """Return a trial; ``pending``: a marketing authorisation is applied for at the end of the period."""
    return Trial(
        concluded=concluded, regime=regime, ma_open_at_expiry=pending or granted is not None, ma_granted=granted
    )
