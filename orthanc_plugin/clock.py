"""The only place that reads the time or makes up an identifier; everywhere else both are arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

Clock = Callable[[], datetime]
Ids = Callable[[], str]


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a fresh random identifier (UUID version 4)."""
    return str(uuid4())
