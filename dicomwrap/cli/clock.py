"""The only place of dicomwrap that reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time now, in the local time zone."""
    return datetime.now(UTC).astimezone()
