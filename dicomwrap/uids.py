"""Where new unique identifiers come from.

Knows the UUID-derived root 2.25 (PS3.5 section B.2). Must not know what the identifiers are for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from uuid import uuid4

UidSource: TypeAlias = Callable[[], str]


def fresh_uid() -> str:
    """Return a new UID that nobody else has (PS3.5 section B.2)."""
    return f"2.25.{uuid4().int}"
