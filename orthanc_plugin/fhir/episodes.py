"""What a FHIR R4 Bundle of patients and encounters tells of contacts, open episodes, births and deaths.

Knows Patient and Encounter. Must not know what follows. Anything it can't take at its word is a fault, and nothing of
the Bundle is used then: a page that is missing, a status that isn't known, a resource it doesn't read. That nobody is
under care is told only where the caller says that the Bundle has every encounter.

Sources: requirements T-12; FHIR R4 Patient, Encounter (EncounterStatus), Bundle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from dicomwrap.consentfields import Fields
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.fhir.elements import LONGEST_URI, FhirError, objects, single

OPEN: Final = frozenset({"planned", "arrived", "triaged", "in-progress", "onleave"})
NEVER_HAPPENED: Final = frozenset({"cancelled", "entered-in-error"})
FINISHED: Final = "finished"
DAY_LENGTH: Final = len("2026-11-22")
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)  # never a week of ISO 8601, which Python reads as well
LONGEST_STATUS: Final = 32


class EpisodesError(FhirError):
    """A Bundle of patients and encounters can't be used."""

    remedy = "Correct it where it was made, or tell the facts by CSV; nothing was written."


@dataclass(slots=True, kw_only=True)
class _Told:
    """One patient of the Bundle."""

    number: str
    birth: date | None = None
    death: date | None = None
    contacts: list[date] = field(default_factory=list)
    open: bool = False


def told(data: bytes, system: str, *, complete: bool) -> tuple[dict[str, str], ...]:
    """Return the lines that a CSV file of facts would have.

    Args:
        data: a Bundle of Patient and Encounter resources, all pages in one.
        system: of the identifier that is the patient's number here.
        complete: the Bundle has every encounter of each of its patients, so that none open means not under care.

    Raises:
        EpisodesError: with everything that can't be used.
    """
    problems: list[str] = []
    entries = tuple(_entries(_bundle(data, problems)))
    people = dict(_people(entries, system, problems))
    for place, resource in entries:
        if resource.get("resourceType") == "Encounter":
            _meet(Fields(resource, place, problems), people)
    if problems:
        raise EpisodesError("The FHIR Bundle can't be used.", problems=tuple(problems))
    different = {id(each): each for each in people.values()}
    return tuple(_line(each, complete=complete) for each in different.values())


def _bundle(data: bytes, problems: list[str]) -> Fields:
    try:
        value: object = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise EpisodesError(f"The file is no JSON that can be read ({type(error).__name__}).") from error
    bundle = Fields(value, "Bundle", problems)
    if bundle.take("resourceType") != "Bundle":
        bundle.fault("resourceType", "must be Bundle")
    if any(link.take("relation") == "next" for link in objects(bundle, "link")):
        bundle.fault("link", "says that more pages follow; put the entries of all pages into one Bundle")
    return bundle


def _entries(bundle: Fields) -> Iterator[tuple[str, dict[str, object]]]:
    for entry in objects(bundle, "entry"):
        resource = entry.take("resource")
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if isinstance(resource, dict) and kind in ("Patient", "Encounter"):
            yield entry.at("resource"), {**resource, "fullUrl": entry.take("fullUrl")}
        elif kind != "OperationOutcome":
            entry.fault("resource", "is neither Patient nor Encounter; tell what it says by CSV, and take it out")


def _people(
    entries: tuple[tuple[str, dict[str, object]], ...], system: str, problems: list[str]
) -> Iterator[tuple[str, _Told]]:
    """Give each patient by everything that a reference may call them."""
    for place, resource in entries:
        if resource["resourceType"] == "Patient":
            fields = Fields(resource, place, problems)
            _in_use(fields)
            found = _Told(number=_number(fields, system), birth=_day(fields, "birthDate"), death=_death(fields))
            for name in (f"Patient/{resource.get('id')}", resource["fullUrl"]):
                if isinstance(name, str):
                    yield name, found


def _in_use(fields: Fields) -> None:
    """Refuse a record that was given up: its number has no encounters, though the patient may be under care."""
    if fields.take("active") is False:
        fields.fault("active", "says that the record is no longer in use; give the one that is")
    if any(link.take("type") == "replaced-by" for link in objects(fields, "link")):
        fields.fault("link", "says that another record replaced this one; merge the numbers, and give the other")
    _plain(fields)


def _plain(fields: Fields) -> None:
    """Refuse what may mean something else than it says (FHIR R4 2.4.2: an extension that changes the meaning)."""
    if fields.take("modifierExtension"):
        fields.fault("modifierExtension", "may change what the rest says, and isn't understood here")


def _number(fields: Fields, system: str) -> str:
    numbers = {
        each.text("value") for each in objects(fields, "identifier") if each.text("system", LONGEST_URI) == system
    }
    if len(numbers) == 1 and (number := numbers.pop()):
        return number
    fields.fault("identifier", f"must have one of system {system}, and only one")
    return ""


def _death(fields: Fields) -> date | None:
    if fields.take("deceasedBoolean") is True:
        fields.fault("deceasedBoolean", "says no day; give deceasedDateTime")
    return _day(fields, "deceasedDateTime")


def _meet(fields: Fields, people: dict[str, _Told]) -> None:
    _plain(fields)
    subject = single(fields, "subject", "say whose encounter it is")
    name = subject.text("reference", LONGEST_URI) if subject else None
    if name not in people:
        fields.fault("subject", "refers to no Patient of the Bundle")
        return
    status, who = fields.text("status", LONGEST_STATUS), people[name]
    if status in OPEN:
        who.open = True
    elif status == FINISHED:
        who.contacts.extend(_seen(fields))
    elif status not in NEVER_HAPPENED:
        fields.fault("status", "says neither that it goes on nor that it is over")


def _seen(fields: Fields) -> Iterator[date]:
    period = single(fields, "period", "say when it ended")
    days = [_day(period, name) for name in ("start", "end")] if period else []
    if period and days[-1] is None:
        period.fault("end", "is missing from an encounter that is finished")
    yield from (day for day in days if day is not None)


def _day(fields: Fields, name: str) -> date | None:
    """Return the day at the hospital; a year or a month alone is no day."""
    value = fields.take(name)
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
    fields.fault(name, "must be a whole day, or a moment with its offset")
    return None


def _line(found: _Told, *, complete: bool) -> dict[str, str]:
    """Return what is known of a patient by column; what isn't is left out."""
    said = {
        "birth_date": found.birth,
        "death_date": found.death,
        "first_contact": min(found.contacts, default=None) if complete else None,
        "last_contact": max(found.contacts, default=None),
    }
    line = {"patient_id": found.number, **{name: day.isoformat() for name, day in said.items() if day is not None}}
    if found.open or complete:
        line["open_episode"] = "yes" if found.open else "no"
    return line
