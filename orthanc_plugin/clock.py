"""The only place that reads the time or makes up an identifier; everywhere else both are arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
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
