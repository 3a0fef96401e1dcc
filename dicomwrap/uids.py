"""Where new unique identifiers come from.

Knows the UUID-derived root 2.25 (PS3.5 section B.2). Must not know what the identifiers are for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final, TypeAlias

UidSource: TypeAlias = Callable[[], str]
_UID: Final = re.compile(r"(?=.{1,64}\Z)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+", re.ASCII)


def fresh_uid() -> str:
    """Return a new UID that nobody else has (PS3.5 section B.2)."""
    from uuid import uuid4  # costs as much as a photograph, and a dry run needs none

    return f"2.25.{uuid4().int}"


def derived_uid(*parts: str) -> str:
    """Return the UID that always belongs to these parts, so that work that is repeated gives the same object.

    It is a UUID of version 8 made of the first 122 bits of a SHA-256 (RFC 9562 section 5.8).
    """
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    number = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return f"2.25.{number}"


def is_uid(text: str) -> bool:
    """Tell whether a text is a UID (PS3.5 section 9.1)."""
    return _UID.fullmatch(text) is not None
