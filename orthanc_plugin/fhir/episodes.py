"""What a FHIR R4 Bundle tells of patients: contacts, open episodes, births, deaths; diagnoses and trials where asked.

Knows Patient and Encounter, and whose Conditions and ResearchSubjects are (``diagnoses`` and ``trials`` read these).
Must not know what follows. Anything it can't take at its word is a fault, and nothing of the Bundle is used then: a
page that is missing, a status that isn't known, a resource it doesn't read. That nobody is under care is told only
where the caller says that the Bundle has every encounter; what may have been told before and isn't there, where
everything would be, is taken back.

Sources: requirements T-12; FHIR R4 Patient, Encounter (EncounterStatus), Bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar

from dicomwrap.consentfields import Fields
from orthanc_plugin.fhir import trials as research
from orthanc_plugin.fhir.diagnoses import Diagnosed, Diagnoses, diagnose
from orthanc_plugin.fhir.elements import LONGEST_URI, FhirError, day_at, objects, plain, single
from orthanc_plugin.fhir.trials import Trial, Trials

ALWAYS: Final = ("Patient", "Encounter")
OPEN: Final = frozenset({"planned", "arrived", "triaged", "in-progress", "onleave"})
NEVER_HAPPENED: Final = frozenset({"cancelled", "entered-in-error"})
FINISHED: Final = "finished"
LONGEST_STATUS: Final = 32
NONE: Final = "none"  # how a list is written that is empty
CONCLUDED: Final = ("trial_concluded",)
Named = TypeVar("Named")
Entries = tuple[tuple[str, dict[str, object]], ...]


class EpisodesError(FhirError):
    """A Bundle of patients and encounters can't be used."""

    remedy = "Correct it where it was made, or tell the facts by CSV; nothing was written."


@dataclass(slots=True, kw_only=True)
class _Told:
    """One patient of the Bundle."""

    number: str
    birth: date | None = None
    death: date | None = None
    alive: bool = False
    contacts: list[date] = field(default_factory=list)
    open: bool = False
    diagnosed: Diagnosed = field(default_factory=Diagnosed)
    trials: set[Trial] = field(default_factory=set)


def told(
    data: bytes, system: str, *, complete: bool, diagnoses: Diagnoses | None = None, trials: Trials | None = None
) -> tuple[dict[str, str], ...]:
    """Return the lines that a CSV file of facts would have.

    Args:
        data: a Bundle of Patient and Encounter resources, all pages in one.
        system: of the identifier that is the patient's number here.
        complete: the Bundle has every encounter of each of its patients, so that none open means not under care.
        diagnoses: how Conditions are read, of which the Bundle has every one; without it none may be there.
        trials: how trials are read; without it none may be there.

    Raises:
        EpisodesError: with everything that can't be used.
    """
    problems: list[str] = []
    kinds = [*ALWAYS, *(["Condition"] if diagnoses else [])]
    kinds += ["ResearchSubject", "ResearchStudy"] if trials else []
    entries = tuple(_entries(_bundle(data, problems), kinds))
    people = dict(_people(entries, system, problems))
    for fields in _of_kind(entries, "Encounter", problems):
        _meet(fields, people)
    if diagnoses:
        _diagnose(entries, people, diagnoses, problems)
    if trials:
        _take_part(entries, people, trials, problems)
    if problems:
        raise EpisodesError("The FHIR Bundle can't be used.", problems=tuple(problems))
    different = {id(each): each for each in people.values()}.values()
    lines = (_line(each, complete=complete, diagnosed=diagnoses is not None) for each in different)
    return (*lines, *(line for each in different for line in _trial_lines(each)))


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


def _entries(bundle: Fields, kinds: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    others = "is neither Patient nor Encounter" if len(kinds) == len(ALWAYS) else f"is none of {', '.join(kinds)}"
    for entry in objects(bundle, "entry"):
        resource = entry.take("resource")
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if isinstance(resource, dict) and kind in kinds:
            yield entry.at("resource"), {**resource, "fullUrl": entry.take("fullUrl")}
        elif kind != "OperationOutcome":
            entry.fault("resource", f"{others}; tell what it says by CSV, and take it out")


def _of_kind(entries: Entries, kind: str, problems: list[str]) -> Iterator[Fields]:
    return (Fields(resource, place, problems) for place, resource in entries if resource["resourceType"] == kind)


def _people(entries: Entries, system: str, problems: list[str]) -> Iterator[tuple[str, _Told]]:
    """Give each patient by everything that a reference may call them."""
    for fields in _of_kind(entries, "Patient", problems):
        _in_use(fields)
        found = _Told(number=_number(fields, system), birth=day_at(fields, "birthDate"), death=_death(fields))
        found.alive = fields.take("deceasedBoolean") is False
        yield from _called(fields, "Patient", found)


def _called(fields: Fields, kind: str, found: Named) -> Iterator[tuple[str, Named]]:
    for name in (f"{kind}/{fields.take('id')}", fields.take("fullUrl")):
        if isinstance(name, str):
            yield name, found


def _in_use(fields: Fields) -> None:
    """Refuse a record that was given up: its number has no encounters, though the patient may be under care."""
    if fields.take("active") is False:
        fields.fault("active", "says that the record is no longer in use; give the one that is")
    if any(link.take("type") == "replaced-by" for link in objects(fields, "link")):
        fields.fault("link", "says that another record replaced this one; merge the numbers, and give the other")
    plain(fields)


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
    return day_at(fields, "deceasedDateTime")


def _meet(fields: Fields, people: dict[str, _Told]) -> None:
    plain(fields)
    who = _named(fields, "subject", people, "Patient")
    if who is None:
        return
    status = fields.text("status", LONGEST_STATUS)
    if status in OPEN:
        who.open = True
    elif status == FINISHED:
        who.contacts.extend(_seen(fields))
    elif status not in NEVER_HAPPENED:
        fields.fault("status", "says neither that it goes on nor that it is over")


def _named(fields: Fields, key: str, known: Mapping[str, Named], kind: str) -> Named | None:
    """Return what a reference names; that it names nothing of the Bundle is a fault."""
    holder = single(fields, key, f"say whose {fields.take('resourceType')} it is")
    name = holder.text("reference", LONGEST_URI) if holder else None
    if name is None or name not in known:
        fields.fault(key, f"refers to no {kind} of the Bundle")
        return None
    return known[name]


def _diagnose(entries: Entries, people: Mapping[str, _Told], terms: Diagnoses, problems: list[str]) -> None:
    for fields in _of_kind(entries, "Condition", problems):
        who = _named(fields, "subject", people, "Patient")
        if who is not None:
            diagnose(fields, terms, who.diagnosed)


def _take_part(entries: Entries, people: Mapping[str, _Told], terms: Trials, problems: list[str]) -> None:
    known = dict(
        named
        for fields in _of_kind(entries, "ResearchStudy", problems)
        for named in _called(fields, "ResearchStudy", research.study(fields, terms))
    )
    for fields in _of_kind(entries, "ResearchSubject", problems):
        who, trial = _named(fields, "individual", people, "Patient"), _named(fields, "study", known, "ResearchStudy")
        if research.takes_part(fields) and who is not None and trial is not None:
            who.trials.add(trial)


def _seen(fields: Fields) -> Iterator[date]:
    period = single(fields, "period", "say when it ended")
    days = [day_at(period, name) for name in ("start", "end")] if period else []
    if period and days[-1] is None:
        period.fault("end", "is missing from an encounter that is finished")
    yield from (day for day in days if day is not None)


def _line(found: _Told, *, complete: bool, diagnosed: bool) -> dict[str, str]:
    """Return what is known of a patient by column; what isn't is left out."""
    said = {
        "birth_date": found.birth,
        "death_date": found.death,
        "first_contact": min(found.contacts, default=None) if complete else None,
        "last_contact": max(found.contacts, default=None),
        "cancer_diagnosis": max(found.diagnosed.days, default=None),
    }
    line = {"patient_id": found.number, **{name: day.isoformat() for name, day in said.items() if day is not None}}
    if found.open or complete:
        line["open_episode"] = "yes" if found.open else "no"
    if diagnosed:
        line["categories"] = "|".join(sorted(found.diagnosed.categories)) or NONE
    return line | _taken_back(_not_any_more(found, complete=complete, diagnosed=diagnosed))


def _not_any_more(found: _Told, *, complete: bool, diagnosed: bool) -> Iterator[str]:
    """Name what may have been told of the patient before and isn't so, as everything that there is says."""
    if complete and not found.contacts:
        yield from ("first_contact", "last_contact")
    if diagnosed and not found.diagnosed.days:
        yield "cancer_diagnosis"
    if found.alive:
        yield "death_date"


def _taken_back(names: Iterable[str]) -> dict[str, str]:
    words = "|".join(names)
    return {"taken_back": words} if words else {}


def _trial_lines(found: _Told) -> Iterator[dict[str, str]]:
    for each in sorted(found.trials, key=lambda trial: trial.number):
        line = {"patient_id": found.number, "trial_id": each.number, "trial_regime": each.regime}
        yield line | ({"trial_concluded": each.concluded.isoformat()} if each.concluded else _taken_back(CONCLUDED))
