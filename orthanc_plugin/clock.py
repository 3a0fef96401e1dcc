"""The only place that reads the time or makes up an identifier; everywhere else both are arguments."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
Ticks = Callable[[], float]
Ids = Callable[[], str]

LONDON: Final = ZoneInfo("Europe/London")


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def elapsed() -> float:
    """Return seconds that only go on, to whatever the clock is set: how long something takes is measured by them."""
    return time.monotonic()


def hospital_day(at: datetime) -> date:
    """Return the day it is at the hospital at the moment ``at``; decisions and withdrawals go by it."""
    return at.astimezone(LONDON).date()


def hours_of(day: date) -> tuple[datetime, datetime]:
    """Return the first moment of a day at the hospital, and that of the next, in UTC."""
    first, last = (datetime.combine(each, time_of_day(), LONDON) for each in (day, day + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC)


def new_id() -> str:
    """Return a fresh random identifier (UUID version 4)."""
    return str(uuid4())


class Pulse:
    """Shows that something that must go on does go on: it beats so often, or it has stopped.

    It counts from its first beat; what has never begun can't have stopped.

    Args:
        ticks: measures the time between the beats.
    """

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.last: float | None = None
        self.within = 0.0

    def beat(self, within: float) -> None:
        """Beat; the next beat comes ``within`` so many seconds."""
        self.last, self.within = self.ticks(), within

    @property
    def since(self) -> float | None:
        """Return how many seconds ago it beat; None when it never has."""
        return None if self.last is None else self.ticks() - self.last

    @property
    def stopped(self) -> bool:
        """Tell whether a beat has been missed."""
        return (since := self.since) is not None and since > self.within
