"""Read what a film's container says of the capture, and nothing else.

Knows the few keys of MP4 and QuickTime metadata that an object has a place for. Must not read place, owner, title,
description or comment: they aren't asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from dicomwrap.photograph import CaptureFacts, Device

OLDEST_YEAR: Final = 2003  # H.264 is no older; a clock that was never set
_LONGEST_TEXT: Final = 64  # LO, PS3.5 section 6.2
_WEST: Final = timedelta(hours=-12)  # PS3.5 section 6.2, DT
_EAST: Final = timedelta(hours=14)
_APPLE: Final = "com.apple.quicktime"
_ANDROID: Final = "com.android"
_IN_UTC: Final = "the film tells its time of capture in UTC only; some cameras write their local time there"


def capture_facts(said: Mapping[str, str]) -> CaptureFacts:
    """Return what a container's metadata say of the capture."""
    device = Device(
        manufacturer=_first(said, f"{_APPLE}.make", "make", f"{_ANDROID}.manufacturer"),
        model=_first(said, f"{_APPLE}.model", "model", f"{_ANDROID}.model"),
        software=_first(said, f"{_APPLE}.software", "software"),
    )
    for key in (f"{_APPLE}.creationdate", "date"):
        moment = _moment(said.get(key, ""))
        if moment is not None:
            return CaptureFacts(taken_at=moment.replace(tzinfo=None), offset=moment.utcoffset(), device=device)
    moment = _moment(said.get("creation_time", ""))
    if moment is None:
        return CaptureFacts(device=device)
    taken_at = moment.astimezone(UTC).replace(tzinfo=None)
    return CaptureFacts(taken_at=taken_at, offset=timedelta(), device=device, warnings=(_IN_UTC,))


def _first(said: Mapping[str, str], *keys: str) -> str:
    return next((text for key in keys if (text := _line(said.get(key, "")))), "")


def _line(text: str) -> str:
    """Return a text as one clean line that fits LO: no control characters, no backslash."""
    plain = "".join(sign if sign.isprintable() and sign not in "\\\N{REPLACEMENT CHARACTER}" else " " for sign in text)
    return " ".join(plain.split())[:_LONGEST_TEXT].strip()


def _moment(text: str) -> datetime | None:
    """Read a moment of ISO 8601 that tells its distance from UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = moment.utcoffset()
    if offset is None or not _WEST <= offset <= _EAST or moment.year < OLDEST_YEAR or moment.year > 9998:
        return None
    return moment
