"""The only place that reads the time or makes up an identifier; everywhere else both are arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import uuid4
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
Ids = Callable[[], str]

LONDON: Final = ZoneInfo("Europe/London")


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def hospital_day(at: datetime) -> date:
    """Return the day it is at the hospital at the moment ``at``; decisions and withdrawals go by it."""
    return at.astimezone(LONDON).date()


def new_id() -> str:
    """Return a fresh random identifier (UUID version 4)."""
    return str(uuid4())


class Pulse:
    """Shows that something that must go on does go on: it beats so often, or it has stopped.

    It counts from its first beat; what has never begun can't have stopped.
    """

    def __init__(self) -> None:
        self.last: datetime | None = None
        self.within = timedelta.max

    def beat(self, at: datetime, within: timedelta) -> None:
        """Beat at the moment ``at``; the next beat comes ``within`` that time."""
        self.last, self.within = at, within

    def stopped(self, at: datetime) -> bool:
        """Tell whether a beat has been missed at the moment ``at``."""
        return self.last is not None and at - self.last > self.within
