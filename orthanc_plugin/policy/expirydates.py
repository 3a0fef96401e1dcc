"""Periods of ISO 8601 and where they end, as retention counts them.

Knows the calendar. Must not know rules. 29 February rolls forward to 1 March where a year has none, so that no period
is ever shortened; libraries commonly give 28 February.

Source: requirements T-6; the draft rule set's ``calendar``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

MONTHS: Final = 12
FORM: Final = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A length of time by the calendar, such as 8 years."""

    years: int = 0
    months: int = 0
    days: int = 0

    def __str__(self) -> str:
        """Say the period in words."""
        parts = [f"{n} {name}{'s' * (n != 1)}" for name, n in (("year", self.years), ("month", self.months)) if n]
        if self.days or not parts:
            parts.append(f"{self.days} day{'s' * (self.days != 1)}")
        return ", ".join(parts)


NOTHING: Final = Period()


def read_period(text: str) -> Period:
    """Return the period that ISO 8601 writes so, such as ``P8Y``.

    Raises:
        ValueError: it is none; times of day are no part of a retention period.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError("must be a period of ISO 8601 such as P8Y, P6M or P0D")
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    return Period(years=years, months=months, days=7 * weeks + days)


def after(start: date, period: Period) -> date:
    """Return the last day of a period that begins the day after ``start``: the same day of the month, or the next.

    What ends beyond the calendar ends on its last day.
    """
    months = start.year * MONTHS + start.month - 1 + period.years * MONTHS + period.months
    year, month = divmod(months, MONTHS)
    try:
        return _day(year, month + 1, start.day) + timedelta(days=period.days)
    except (ValueError, OverflowError):
        return date.max


def _day(year: int, month: int, day: int) -> date:
    """Return that day; the first of the next month where the month is too short for it."""
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month + 1, 1)  # no short month is the last of a year


def next_day(day: date) -> date:
    """Return the day after; the calendar's last day has none."""
    return day if day == date.max else day + timedelta(days=1)


def end_of_year(day: date) -> date:
    """Return the last day of that calendar year."""
    return date(day.year, MONTHS, 31)
