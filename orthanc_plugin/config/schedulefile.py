"""retention.toml: how long what is kept, by rules that are data. Owned by the records owner.

Knows the file's form, and turns it into the schedule that ``policy.expiry`` reckons with. Must not reckon, and knows no
jurisdiction: the schedules that are shipped are files beside this module.

Source: requirements 3, T-11; the draft rule set.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum, unique
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from orthanc_plugin.config.load import parsed, read_toml, validated
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.policy.expirydates import NOTHING, Period, read_period
from orthanc_plugin.policy.expirymodel import (
    UNMOVED,
    Action,
    Applies,
    DeathMode,
    Kept,
    OnDeath,
    Rounding,
    Rule,
    Schedule,
    Source,
    SourceStatus,
    Trigger,
)
from orthanc_plugin.policy.model import MadeFor

STRICT = ConfigDict(extra="forbid")
SHIPPED: Final = ("england-nhs", "australia")
DEFAULT: Final = "england-nhs"
LONGEST_AGE: Final = timedelta(days=31)
AGE: Final = re.compile(r"(<|>=)(\d{1,3})")


def _is_period(text: str) -> str:
    read_period(text)
    return text


def _is_age(text: str) -> str:
    if AGE.fullmatch(text) is None:
        raise ValueError("must be an age such as <18 or >=18")
    return text


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=512, strip_whitespace=True)]
PeriodText = Annotated[str, AfterValidator(_is_period)]
AgeText = Annotated[str, AfterValidator(_is_age)]
Age = Annotated[int, Field(ge=0, le=150)]


@unique
class Filing(StrEnum):
    """Whether a capture became part of a record."""

    NEVER_FILED = "NEVER_FILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliesTo:
    """What a rule applies to."""

    __pydantic_config__ = STRICT
    object: tuple[Kept, ...] = (Kept.IMAGE,)
    made_for: MadeFor | None = None
    status: Filing | None = None
    category: Word | None = None
    regime: Word | None = None
    age_at_last_contact: AgeText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """What a death does."""

    __pydantic_config__ = STRICT
    mode: DeathMode
    period: PeriodText


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDeath(Death):
    """What a death does under one value of a switch."""

    switch: Word
    value: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """The text behind a rule."""

    __pydantic_config__ = STRICT
    text: Text
    status: SourceStatus
    via: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """One ``[[rules]]``."""

    __pydantic_config__ = STRICT
    id: Word
    applies_to: AppliesTo
    trigger: Trigger
    period: PeriodText
    source: SourceText
    period_if_last_seen_at: dict[Age, PeriodText] = field(default_factory=dict)
    floor: bool = False
    on_death: Death | None = None
    on_death_alternative: OtherDeath | None = None
    while_application_open: PeriodText | None = None
    ends_on_withdrawal: bool = False
    action: Action = Action.PROPOSE
    review: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A choice of the owner's."""

    __pydantic_config__ = STRICT
    value: Word
    may_be: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """Whose facts proposals rest on, and how old they may be."""

    __pydantic_config__ = STRICT
    sources: Annotated[tuple[Word, ...], Field(min_length=1)]
    max_age: Annotated[timedelta, Field(gt=timedelta())] = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFile:
    """The whole file."""

    __pydantic_config__ = STRICT
    version: Word
    jurisdiction: Word
    feeds: Feeds
    rules: Annotated[tuple[RuleTable, ...], Field(min_length=1)]
    rounding: Rounding = Rounding.EXACT
    max_extension_years: Annotated[int, Field(strict=True, ge=0, le=100)] = 20
    general_categories: tuple[Word, ...] = ()
    switches: dict[Word, Switch] = field(default_factory=dict)


def load_schedule(path: Path) -> Schedule:
    """Return the schedule at ``path``.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    values, raw = read_toml(path)
    return _schedule(values, raw, path.name)


def read_schedule(text: str, name: str) -> Schedule:
    """Return the schedule of a file's text, such as one that was activated.

    Raises:
        ConfigurationError: with every fault and its place.
    """
    raw = text.encode()
    return _schedule(parsed(raw, name), raw, name)


def shipped_text(name: str = DEFAULT) -> str:
    """Return the file of a schedule that comes with the program, one of ``SHIPPED``."""
    return files("orthanc_plugin.config").joinpath("schedules", f"{name}.toml").read_text(encoding="utf-8")


def shipped(name: str = DEFAULT) -> Schedule:
    """Return a schedule that comes with the program, one of ``SHIPPED``."""
    return read_schedule(shipped_text(name), f"{name}.toml")


def _schedule(values: dict[str, object], raw: bytes, name: str) -> Schedule:
    found = validated(ScheduleFile, values, name)
    if problems := tuple(f"{name}: {each}" for each in _faults(found)):
        raise ConfigurationError(f"{name} has {len(problems)} fault(s).", problems=problems)
    return Schedule(
        version=found.version,
        jurisdiction=found.jurisdiction,
        rules=tuple(_rule(each) for each in found.rules),
        switches=tuple(sorted((key, switch.value) for key, switch in found.switches.items())),
        choices=tuple(sorted((key, switch.may_be) for key, switch in found.switches.items())),
        rounding=found.rounding,
        max_extension_years=found.max_extension_years,
        max_feed_age=found.feeds.max_age,
        feeds=found.feeds.sources,
        general_categories=found.general_categories,
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _rule(table: RuleTable) -> Rule:
    other = table.on_death_alternative
    return Rule(
        id=table.id,
        applies=_applies(table.applies_to),
        trigger=table.trigger,
        period=read_period(table.period),
        periods_at_age=tuple(sorted((age, read_period(text)) for age, text in table.period_if_last_seen_at.items())),
        floor=table.floor,
        on_death=_death(table.on_death) if table.on_death else UNMOVED,
        on_death_alternative=_death(other) if other else None,
        alternative=(other.switch, other.value) if other else None,
        while_application_open=read_period(table.while_application_open) if table.while_application_open else None,
        ends_on_withdrawal=table.ends_on_withdrawal,
        action=table.action,
        review=table.review,
        source=Source(text=table.source.text, status=table.source.status, via=table.source.via, note=table.source.note),
    )


def _applies(table: AppliesTo) -> Applies:
    bounds = AGE.fullmatch(table.age_at_last_contact or "")
    sign, years = (bounds[1], int(bounds[2])) if bounds else ("", 0)
    return Applies(
        objects=frozenset(table.object),
        made_for=table.made_for,
        filed=table.status is None,
        category=table.category,
        regime=table.regime,
        age_from=years if sign == ">=" else None,
        age_below=years if sign == "<" else None,
    )


def _death(table: Death) -> OnDeath:
    return OnDeath(mode=table.mode, period=read_period(table.period))


def _faults(found: ScheduleFile) -> Iterator[str]:
    """Say what is wrong across the parts of the file."""
    for name, count in Counter(rule.id for rule in found.rules).items():
        if count > 1:
            yield f"rules: id {name!r} is there {count} times"
    for name, switch in found.switches.items():
        if switch.value not in switch.may_be:
            yield f"switches.{name}: value {switch.value!r} is not one of may_be ({', '.join(switch.may_be)})"
    if found.feeds.max_age > LONGEST_AGE:
        yield f"feeds.max_age: is longer than {LONGEST_AGE.days} days; who came since would be proposed"
    if not any(rule.floor for rule in found.rules):
        yield "rules: none has floor = true; the general rule must, so that no other ends earlier"
    for rule in found.rules:
        yield from (f"rules.{rule.id}: {fault}" for fault in _rule_faults(rule, found))


def _rule_faults(rule: RuleTable, found: ScheduleFile) -> Iterator[str]:
    other = rule.on_death_alternative
    if other is not None:
        switch = found.switches.get(other.switch)
        if switch is None or other.value not in switch.may_be:
            yield f"on_death_alternative: no switch {other.switch!r} may be {other.value!r}"
        if rule.on_death is None:
            yield "on_death_alternative: needs on_death beside it"
    if rule.action is Action.DELETE_NOW_KEEP_EVENT:
        if rule.applies_to.status is None:
            yield 'action: only what was never filed (status = "NEVER_FILED") is deleted without disposition'
        if rule.trigger is not Trigger.WITHDRAWN_ON:
            yield "action: only what was withdrawn (trigger WITHDRAWN_ON) is deleted without disposition"
    if rule.trigger is Trigger.TRIAL_CONCLUDED and rule.applies_to.regime is None:
        yield "trigger: TRIAL_CONCLUDED needs a regime in applies_to"
    if rule.floor:
        yield from (f"floor: {fault}" for fault in _floor_faults(rule))


def _floor_faults(rule: RuleTable) -> Iterator[str]:
    """Say through what a care picture could fall below the floor."""
    told, period = rule.applies_to, read_period(rule.period)
    if told.age_at_last_contact or told.category or told.regime or told.status:
        yield "applies to everybody; take the age, category, regime and status out of applies_to"
    if Kept.IMAGE not in told.object or told.made_for is MadeFor.SECONDARY:
        yield "must apply to pictures made for care"
    if rule.trigger is not Trigger.LAST_CONTACT:
        yield "counts from LAST_CONTACT"
    if period != Period(years=period.years) or period == NOTHING or rule.period_if_last_seen_at:
        yield "needs a period of whole years, the same at every age"
    if rule.ends_on_withdrawal or rule.action is not Action.PROPOSE:
        yield "ends neither on withdrawal nor without disposition"
    for death in (rule.on_death, rule.on_death_alternative):
        if death is not None and _shortens(death, period):
            yield "a death may only lengthen it: mode none, or restart or later_of with a period of no less"


def _shortens(death: Death, period: Period) -> bool:
    if death.mode is DeathMode.REPLACE:
        return True
    return death.mode is DeathMode.RESTART and read_period(death.period).years < period.years
