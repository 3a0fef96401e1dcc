"""Read the words of stored rows.

Knows that a row may have been written by a newer version, or changed by hand. A word this version doesn't know is an
error that names its field, never passed over: a consent that can't be read may be a denial. Must not know tables.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from enum import StrEnum
from typing import TypeVar

from orthanc_plugin.errors import RegistryError

Word = TypeVar("Word", bound=StrEnum)


class UnreadableRowError(RegistryError):
    """A row holds something this version can't read, so what depends on it is denied."""

    remedy = "If a newer version of Consentgate wrote it, update this one; else compare the row with a backup."


def unreadable(place: str) -> UnreadableRowError:
    """Return the error for the field at ``place``, such as ``patients.capacity``; values are never told."""
    return UnreadableRowError(f"The registry holds a value in {place} that this version of Consentgate can't read.")


def sealed(kind: str, name: str, content: object) -> str:
    """Return the words that tie a row as it stands to its entry in the trail: which, and the SHA-256 of its content."""
    return f"{kind}{name} sha256 {hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}"


def word(kind: type[Word], value: object, place: str) -> Word:
    """Return the word of ``kind`` that ``value`` is.

    Raises:
        UnreadableRowError: it is none of them.
    """
    known = kind._value2member_map_.get(value) if isinstance(value, str) else None
    if not isinstance(known, kind):
        raise unreadable(place)
    return known


def day(value: object, place: str) -> date | None:
    """Return the stored date, None when there is none.

    Raises:
        UnreadableRowError: it is no date.
    """
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise unreadable(place) from None


def flag(value: object, place: str) -> bool:
    """Return the stored yes or no.

    Raises:
        UnreadableRowError: it is neither 1 nor 0.
    """
    if value not in (0, 1):
        raise unreadable(place)
    return value == 1


def texts(value: object, place: str) -> tuple[str, ...]:
    """Return the stored list of text.

    Raises:
        UnreadableRowError: it is no such list.
    """
    if value == "[]":
        return ()
    try:
        found = json.loads(str(value))
    except ValueError:
        raise unreadable(place) from None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise unreadable(place)
    return tuple(found)
