"""Cases of retention as JSON: read one, and write the answer to it.

Knows the format of ``retention_cases.json``. Must not reckon. Reading is strict about types and words and tells every
problem at once; fields it doesn't know (``expected``, ``working``) it ignores. ``policy`` may be left out, and so may
any of its switches: the schedule's own hold then.

Source: requirements 3; the format of ``retention_cases.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from orthanc_plugin.policy.casefields import CaseError, Fields
from orthanc_plugin.policy.expirymodel import (
    Due,
    Hold,
    HoldKind,
    Kept,
    RetentionFacts,
    Rounding,
    Schedule,
    Trial,
)
from orthanc_plugin.policy.model import MadeFor

ROUNDING = "rounding"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCase:
    """One record on one day, and the schedule with the switches of the case."""

    id: str
    facts: RetentionFacts
    schedule: Schedule
    as_of: date


def parse_due_case(value: object, schedule: Schedule, place: str = "case") -> DueCase:
    """Return the case that ``value`` (decoded JSON) describes.

    Args:
        value: one object with ``id``, ``inputs``, ``policy`` and ``as_of``.
        schedule: whose categories, regimes and switches the case may name.
        place: how problems name the object, such as ``case[3]``.

    Raises:
        CaseError: something is missing or is not what it should be; every problem is told.
    """
    problems: list[str] = []
    fields = Fields(value, place, problems)
    case = DueCase(
        id=_name(fields),
        facts=_facts(fields.child("inputs"), schedule),
        schedule=schedule if fields.absent("policy") else _switched(fields.child("policy"), schedule),
        as_of=fields.day("as_of"),
    )
    if problems:
        raise CaseError(tuple(problems), remedy="Correct the places that are named; docs/retention.md has the format.")
    return case


def due_answer(case_id: str, found: Due) -> dict[str, str | None]:
    """Return the answer to one case, ready for JSON."""
    return {
        "id": case_id,
        "status": found.status.value,
        "governing_rule": found.governing_rule,
        "due_date": found.due_date.isoformat() if found.due_date else None,
        "proposable_from": found.proposable_from.isoformat() if found.proposable_from else None,
    }


def _name(fields: Fields) -> str:
    """Return the case's id, by which its answer is known; an empty one is a fault."""
    name = fields.text("id")
    if isinstance(fields.fields.get("id"), str) and not name.strip():
        fields.fault("id", "a name for the case, not an empty one")
    return name


def _facts(fields: Fields, schedule: Schedule) -> RetentionFacts:
    return RetentionFacts(
        dob=fields.day_or_none("dob"),
        death_date=fields.day_or_none("death_date"),
        contacts=tuple(_days(fields, "contacts")),
        open_episode=fields.flag("open_episode"),
        made_for=fields.word("made_for", MadeFor),
        kept=fields.word("object", Kept),
        filed=fields.flag("filed"),
        categories=_categories(fields, schedule),
        cancer_diagnosis=fields.day_or_none("cancer_diagnosis"),
        trials=_trials(fields.child_or_none("trial"), schedule),
        promised_end=fields.day_or_none("promised_end"),
        withdrawn_on=fields.day_or_none("withdrawn_on"),
        created=fields.day_or_none("created"),
        holds=tuple(_hold(each) for each in fields.children("holds")),
    )


def _days(fields: Fields, name: str) -> Iterator[date]:
    """Give the days of a list; each is read as if it were a field of its own."""
    for number, text in enumerate(fields.texts(name)):
        yield Fields({f"{name}[{number}]": text}, fields.place, fields.problems).day(f"{name}[{number}]")


def _categories(fields: Fields, schedule: Schedule) -> frozenset[str]:
    told = frozenset(fields.texts("categories"))
    if unknown := sorted(told - schedule.categories):
        known = ", ".join(sorted(schedule.categories))
        fields.fault("categories", f"words of the schedule ({known}), not {', '.join(unknown)}")
    return told


def _trials(fields: Fields | None, schedule: Schedule) -> tuple[Trial, ...]:
    if fields is None:
        return ()
    regime = fields.text("regime")
    if regime not in schedule.regimes:
        fields.fault("regime", f"one of {', '.join(sorted(schedule.regimes))}")
    return (
        Trial(
            concluded=fields.day_or_none("concluded"),
            regime=regime,
            ma_open_at_expiry=fields.flag("ma_open_at_expiry"),
            ma_granted=fields.day_or_none("ma_granted"),
        ),
    )


def _hold(fields: Fields) -> Hold:
    return Hold(
        kind=fields.word("kind", HoldKind),
        placed_on=fields.day("placed_on"),
        released_on=fields.day_or_none("released_on"),
    )


def _switched(fields: Fields, schedule: Schedule) -> Schedule:
    """Return the schedule with the switches that the case names."""
    allowed, chosen = dict(schedule.choices), dict(schedule.switches)
    for name in fields.fields:
        if name != ROUNDING and name not in allowed:
            fields.fault(name, f"a switch of the schedule: {', '.join(sorted((ROUNDING, *allowed)))}")
        elif name != ROUNDING and (value := fields.text(name)) in allowed[name]:
            chosen[name] = value
        elif name != ROUNDING:
            fields.fault(name, f"one of {', '.join(sorted(allowed[name]))}")
    rounding = schedule.rounding if fields.absent(ROUNDING) else fields.word(ROUNDING, Rounding)
    return replace(schedule, switches=tuple(sorted(chosen.items())), rounding=rounding)
