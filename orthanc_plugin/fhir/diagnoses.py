"""What a FHIR R4 Condition tells of the categories that a record is kept by, and when a cancer was diagnosed.

Knows Condition, and that a code's category is said by a map that is data. Must not know which categories there are. A
code that the map doesn't say is a fault: taken for none it would have a record destroyed too early. A diagnosis that is
only suspected counts, one that was refuted or entered in error doesn't.

Sources: requirements T-12 (diagnosis flags); FHIR R4 Condition (code, verificationStatus, recordedDate),
condition-assertedDate.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir.elements import LONGEST_URI, codings, day_at, objects, plain, single

ANY: Final = "*"  # at the end of a code: every code that begins so
VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
COUNTS: Final = frozenset({"unconfirmed", "provisional", "differential", "confirmed"})
COUNTS_NOT: Final = frozenset({"refuted", "entered-in-error"})
ASSERTED: Final = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
PARTIAL: Final = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)
DECEMBER: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnoses:
    """How diagnoses are read.

    Attributes:
        categories: by code system, what category each code is of, '' for none; a code may end in '*'.
        dated: categories whose diagnosis must have a day, because a period counts from it.
    """

    categories: Mapping[str, Mapping[str, str]]
    dated: frozenset[str] = frozenset()


@dataclass(slots=True)
class Diagnosed:
    """What one patient's Conditions come to."""

    categories: set[str] = field(default_factory=set)
    days: list[date] = field(default_factory=list)


def diagnose(fields: Fields, terms: Diagnoses, found: Diagnosed) -> None:
    """Add what a Condition tells."""
    plain(fields)
    if not _counts(fields):
        return
    concept = single(fields, "code", "say what was diagnosed")
    if concept is None:
        return
    told = set(_categories(concept, terms))
    found.categories |= told
    if told & terms.dated:
        days = list(_days(fields))
        if not days:
            fields.fault("recordedDate", "is missing; say when it was diagnosed")
        found.days += days


def _counts(fields: Fields) -> bool:
    status = single(fields, "verificationStatus", "")
    if status is None:
        return True
    said = {code for system, code in codings(status) if system == VERIFICATION}
    if len(said) != 1 or not said <= COUNTS | COUNTS_NOT:
        fields.fault("verificationStatus", "says neither that it counts nor that it doesn't")
    return not said <= COUNTS_NOT


def _categories(concept: Fields, terms: Diagnoses) -> Iterator[str]:
    """Give the categories of the codes in systems that the map has; there must be one of them."""
    known = False
    for system, code in codings(concept):
        if system not in terms.categories:
            continue
        known, category = True, _category(terms.categories[system], code)
        if category is None:
            concept.fault("coding", f"{system}|{code}: settings.toml doesn't say its category")
        elif category:
            yield category
    if not known:
        concept.fault("coding", "has no code of a system whose categories settings.toml says")


def _category(codes: Mapping[str, str], code: str) -> str | None:
    """Return what a map says of a code: as it is, else as the longest beginning that it has."""
    if not code:
        return None
    beginnings = (f"{code[:size]}{ANY}" for size in range(len(code), -1, -1))
    return next((codes[each] for each in (code, *beginnings) if each in codes), None)


def _days(fields: Fields) -> Iterator[date]:
    """Give every day that may be the diagnosis'; the latest keeps a record longest."""
    asserted = [each for each in objects(fields, "extension") if each.text("url", LONGEST_URI) == ASSERTED]
    for holder, name in (*((each, "valueDateTime") for each in asserted), (fields, "recordedDate")):
        if (day := _latest(holder, name)) is not None:
            yield day
    if not asserted and not fields.has("recordedDate") and (day := _latest(fields, "onsetDateTime")) is not None:
        yield day


def _latest(holder: Fields, name: str) -> date | None:
    """Return a day; of a year or a month alone its last, for that keeps longer."""
    found = PARTIAL.fullmatch(str(holder.take(name)))
    if found is None:
        return day_at(holder, name)
    year, month = int(found[1]), int(found[2] or DECEMBER)
    try:
        return date(year, month, monthrange(year, month)[1])
    except ValueError:
        holder.fault(name, "must be a day, a month or a year that exists")
        return None
