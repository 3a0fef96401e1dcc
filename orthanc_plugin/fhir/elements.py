"""Take elements out of a FHIR resource one by one, remembering every fault with its place.

Knows FHIR's JSON: an array is never empty, a concept has codings. Must not know consents. A fault never repeats an
identifier. Source: FHIR R4, JSON representation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.fhir.codes import Code

LONGEST_URI: Final = 512
DAY_LENGTH: Final = len("2026-11-22")
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # never a week of ISO 8601, which Python reads as well


class FhirError(ConfigurationError):
    """A FHIR resource can't be read as a consent, or a consent can't be written as one."""

    remedy = "Correct the resource where it was made, then send it again; nothing was recorded."


def objects(holder: Fields, key: str) -> list[Fields]:
    """Return the objects of an array; an array that is there must not be empty."""
    value = holder.take(key)
    if value is None:
        return []
    if not isinstance(value, list) or not value:
        holder.fault(key, "must be an array of at least one object")
        return []
    return [Fields(item, holder.at(f"{key}[{number}]"), holder.problems) for number, item in enumerate(value)]


def single(holder: Fields, key: str, wanted: str) -> Fields | None:
    """Return the object at ``key``; when there is none, that is a fault unless ``wanted`` is empty."""
    value = holder.take(key)
    if value is None:
        if wanted:
            holder.fault(key, f"is missing; {wanted}")
        return None
    return Fields(value, holder.at(key), holder.problems)


def code_of(holder: Fields) -> Code:
    """Return the system and the code of a Coding."""
    return holder.text("system", LONGEST_URI) or "", holder.text("code") or ""


def codings(holder: Fields) -> list[Code]:
    """Return the codings of a CodeableConcept."""
    holder.take("text")
    return [code_of(each) for each in objects(holder, "coding")]


def refuse(holder: Fields, elements: Mapping[str, str]) -> None:
    """Remember every element that must not be there, with what to do instead."""
    for name, remedy in elements.items():
        if holder.has(name):
            holder.fault(name, remedy)
        holder.take(name)


def plain(holder: Fields) -> None:
    """Refuse what may mean something else than it says (FHIR R4 2.4.2: an extension that changes the meaning)."""
    if holder.take("modifierExtension"):
        holder.fault("modifierExtension", "may change what the rest says, and isn't understood here")


def day_at(holder: Fields, key: str) -> date | None:
    """Return the day at the hospital; a year or a month alone is no day."""
    value = holder.take(key)
    if value is None:
        return None
    try:
        if isinstance(value, str) and len(value) == DAY_LENGTH and DAY.match(value):
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(str(value))
        if DAY.match(str(value)) and moment.tzinfo is not None:
            return hospital_day(moment)
    except (ValueError, OverflowError):
        pass
    holder.fault(key, "must be a whole day, or a moment with its offset")
    return None
