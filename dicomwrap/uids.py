"""Where new unique identifiers come from.

Knows the UUID-derived root 2.25 (PS3.5 section B.2). Must not know what the identifiers are for.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from typing import Final, TypeAlias

UidSource: TypeAlias = Callable[[], str]
_UID: Final = r"(?=.{1,64}\Z)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+"


def fresh_uid() -> str:
    """Return a new UID that nobody else has (PS3.5 section B.2)."""
    return f"2.25.{_uuid(os.urandom(16), version=4)}"


def derived_uid(*parts: str) -> str:
    """Return the UID that always belongs to these parts, so that work that is repeated gives the same object.

    It is a UUID of version 8 made of the first 122 bits of a SHA-256 (RFC 9562 section 5.8).
    """
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return f"2.25.{_uuid(hashlib.sha256(text).digest()[:16], version=8)}"


def is_uid(text: str) -> bool:
    """Tell whether a text is a UID (PS3.5 section 9.1)."""
    return re.fullmatch(_UID, text, re.ASCII) is not None


def _uuid(bits: bytes, *, version: int) -> int:
    """Return 16 bytes as a UUID's number; the standard library's class would take as long to load as a photograph."""
    number = int.from_bytes(bits, "big")
    number = number & ~(0xF << 76) | version << 76
    return number & ~(0x3 << 62) | 0x2 << 62
