"""When a record's minimum period ends, by a schedule that is data, and what that allows.

Knows how rules, death, withdrawal, open episodes, extensions and holds combine. Names no rule of a jurisdiction; no
clock, no log, no I/O. Total: whatever the facts, there is an answer; a missing fact is never guessed, and of two that
contradict each other none is chosen.

Source: requirements 3, T-1 to T-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from orthanc_plugin.policy.dates import age_on
from orthanc_plugin.policy.expirydates import NOTHING, Period, after, end_of_year, next_day
from orthanc_plugin.policy.expirydoubts import concerned, doubts
from orthanc_plugin.policy.expirymodel import (
    UNMOVED,
    Action,
    DeathMode,
    Due,
    Hold,
    Kept,
    OnDeath,
    RetentionFacts,
    RetentionTask,
    Rounding,
    Rule,
    Schedule,
    Status,
    Trial,
    Trigger,
)
from orthanc_plugin.policy.model import MadeFor

BIRTH: Final = "date of birth"
CONTACT: Final = "last contact"
TRIAL: Final = "the trial: its regime and when it was concluded"
TOLD: Final = {
    Trigger.LAST_CONTACT: CONTACT,
    Trigger.BIRTHDAY: BIRTH,
    Trigger.CANCER_DIAGNOSIS: "date of the cancer's diagnosis",
    Trigger.TRIAL_CONCLUDED: "conclusion of the trial",
    Trigger.PROMISED_END: "end that the patient was promised",
    Trigger.WITHDRAWN_ON: "day of the withdrawal",
    Trigger.CREATED: "day of creation",
    Trigger.SAME_AS_IMAGE: "the picture's own date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What one rule says: a date, or what it lacks for one, or that it waits for what hasn't happened."""

    rule: Rule
    day: date | None = None
    missing: tuple[str, ...] = ()
    waiting: bool = False
    words: str = ""


def due(schedule: Schedule, facts: RetentionFacts, as_of: date) -> Due:
    """Return what follows for a record on the day ``as_of``."""
    if facts.kept is Kept.CONSENT_RECORD:
        return _with_its_picture(schedule, facts, as_of)
    if facts.open_episode and facts.filed and facts.made_for is MadeFor.CARE and facts.kept is Kept.IMAGE:
        return _undated(facts, as_of, Status.OPEN, None, ("The patient is under care: the period hasn't begun.",))
    ends = tuple(_rounded(schedule, end) for end in _ends(schedule, facts, as_of))
    words = tuple(end.words for end in ends if end.words)
    if lacking := _lacking_for(schedule, facts, ends):
        return _unresolved(facts, as_of, lacking, words)
    if waiting := next((end for end in ends if end.waiting), None):
        return _undated(facts, as_of, Status.OPEN, waiting.rule, words)
    dated = [(end.day, not end.rule.floor, end.rule) for end in ends if end.day is not None]
    if not dated:
        return _unresolved(facts, as_of, ("a rule that applies",), words)
    day, _, rule = max(dated, key=lambda each: each[:2])
    return _dated(facts, as_of, rule, day, words)


def stale(told_at: datetime | None, now: datetime, schedule: Schedule) -> bool:
    """Tell whether facts told at that moment are too old to propose anything on; never told is too old (T-12)."""
    return told_at is None or now - told_at > schedule.max_feed_age or told_at > now


def _with_its_picture(schedule: Schedule, facts: RetentionFacts, as_of: date) -> Due:
    """Give the record of a consent the date of its picture; that of a picture never filed is kept as if it had been."""
    found = due(schedule, replace(facts, kept=Kept.IMAGE, filed=True), as_of)
    rule = next((rule for rule in schedule.rules if Kept.CONSENT_RECORD in rule.applies.objects), None)
    if rule is None:
        return _unresolved(facts, as_of, ("a rule for records of consent",), found.words)
    if found.due_date is None:
        return found
    said = f"{rule.id}: kept with the picture, whose date is by {found.governing_rule}."
    return replace(found, governing_rule=rule.id, review=rule.review, words=(*found.words, said))


def _unknown_words(schedule: Schedule, facts: RetentionFacts) -> Iterator[str]:
    """Name what the facts say that the schedule has no word for, or don't say: it could mean a longer period."""
    if facts.filed and facts.kept is Kept.IMAGE:
        yield from facts.untold
        yield from (f"a rule for category {each}" for each in sorted(facts.categories - schedule.categories))
        regimes = {trial.regime for trial in facts.trials} - schedule.regimes
        yield from (f"a rule for trials under {each or 'no regime'}" for each in sorted(regimes))


def _lacking_for(schedule: Schedule, facts: RetentionFacts, ends: tuple[_End, ...]) -> tuple[str, ...]:
    """Name, once each, what isn't known or contradicts itself of the facts that these ends rest on."""
    contradictory = (each.words for each in doubts(facts)) if any(concerned(end.rule) for end in ends) else ()
    missing = (each for end in ends for each in end.missing)
    return tuple(dict.fromkeys((*_unknown_words(schedule, facts), *contradictory, *missing)))


def _ends(schedule: Schedule, facts: RetentionFacts, as_of: date) -> Iterator[_End]:
    for rule in schedule.rules:
        if _concerns(rule, facts):
            yield from _of_rule(schedule, rule, facts, as_of)


def _concerns(rule: Rule, facts: RetentionFacts) -> bool:
    """Tell whether the rule speaks of such a thing; age and trials are looked at later."""
    applies = rule.applies
    if facts.kept not in applies.objects or applies.made_for not in (None, facts.made_for):
        return False
    if facts.kept is Kept.IMAGE and applies.filed is not facts.filed:
        return False
    return applies.category is None or applies.category in facts.categories or _told_of(rule, facts)


def _told_of(rule: Rule, facts: RetentionFacts) -> bool:
    """Tell whether what the rule counts from was told, though its category wasn't: it counts all the same."""
    if rule.applies.regime is not None:
        return any(trial.regime == rule.applies.regime for trial in facts.trials)
    return rule.trigger is Trigger.CANCER_DIAGNOSIS and facts.cancer_diagnosis is not None


def _of_rule(schedule: Schedule, rule: Rule, facts: RetentionFacts, as_of: date) -> Iterator[_End]:
    if lacking := tuple(_lacking(rule, facts)):
        yield _End(rule=rule, missing=lacking, words=f"{rule.id}: {' and '.join(lacking)} not known.")
    elif not _of_age(rule, facts):
        return
    elif rule.applies.regime is None:
        yield _end(schedule, rule, facts, None, as_of)
    else:
        under = (trial for trial in facts.trials if trial.regime == rule.applies.regime)
        yield from (_end(schedule, rule, facts, trial, as_of) for trial in under)


def _lacking(rule: Rule, facts: RetentionFacts) -> Iterator[str]:
    """Name the facts without which nobody can say whether the rule applies."""
    if rule.applies.age_from is not None or rule.applies.age_below is not None or rule.periods_at_age:
        if facts.dob is None:
            yield BIRTH
        if not facts.contacts:
            yield CONTACT
    if rule.applies.regime is not None and not facts.trials:
        yield TRIAL


def _age(facts: RetentionFacts) -> int | None:
    return age_on(facts.dob, max(facts.contacts)) if facts.dob is not None and facts.contacts else None


def _of_age(rule: Rule, facts: RetentionFacts) -> bool:
    age, applies = _age(facts), rule.applies
    if age is None:
        return True
    old_enough = applies.age_from is None or age >= applies.age_from
    return old_enough and (applies.age_below is None or age < applies.age_below)


def _end(schedule: Schedule, rule: Rule, facts: RetentionFacts, trial: Trial | None, as_of: date) -> _End:
    died = facts.death_date if facts.death_date is not None and facts.death_date <= as_of else None
    mode = _on_death(schedule, rule) if died is not None else UNMOVED
    if died is not None and mode.mode is DeathMode.REPLACE:
        day = after(died, mode.period)
        return _End(rule=rule, day=day, words=f"{rule.id}: {mode.period} from the death on {died} end with {day}.")
    start = _start(rule, facts, trial)
    if start is None:
        return _without_start(rule, facts, trial)
    return _prolonged(rule, _lived(rule, facts, start, died, mode), facts, trial)


def _on_death(schedule: Schedule, rule: Rule) -> OnDeath:
    if rule.on_death_alternative is not None and rule.alternative in schedule.switches:
        return rule.on_death_alternative
    return rule.on_death


def _start(rule: Rule, facts: RetentionFacts, trial: Trial | None) -> date | None:
    """Return the day that the rule's period counts from; None when it isn't known."""
    return {
        Trigger.LAST_CONTACT: max(facts.contacts, default=None),
        Trigger.BIRTHDAY: facts.dob,
        Trigger.CANCER_DIAGNOSIS: facts.cancer_diagnosis,
        Trigger.TRIAL_CONCLUDED: trial.concluded if trial is not None else None,
        Trigger.PROMISED_END: facts.promised_end,
        Trigger.WITHDRAWN_ON: facts.withdrawn_on,
        Trigger.CREATED: facts.created,
        Trigger.SAME_AS_IMAGE: None,
    }[rule.trigger]


def _without_start(rule: Rule, facts: RetentionFacts, trial: Trial | None) -> _End:
    """Say what becomes of a rule whose period has nothing to count from."""
    if rule.ends_on_withdrawal and facts.withdrawn_on is not None:
        return _End(rule=rule, day=facts.withdrawn_on, words=f"{rule.id}: withdrawn on {facts.withdrawn_on}.")
    if trial is not None:
        return _End(rule=rule, waiting=True, words=f"{rule.id}: the trial isn't concluded.")
    name = TOLD[rule.trigger]
    return _End(rule=rule, missing=(name,), words=f"{rule.id}: {name} not known.")


def _lived(rule: Rule, facts: RetentionFacts, start: date, died: date | None, mode: OnDeath) -> _End:
    """Return the end of the rule's period, as a death that doesn't replace it moves it."""
    age = _age(facts)
    period = dict(rule.periods_at_age).get(age, rule.period) if age is not None else rule.period
    from_what = TOLD[rule.trigger]
    if died is not None and mode.mode is DeathMode.RESTART:
        period = mode.period
        if died > start:
            start, from_what = died, "the death"
    day = after(start, period)
    words = f"{rule.id}: {_counted(period)}{from_what} {start} end{'s' * (period == NOTHING)} with {day}."
    if died is not None and mode.mode is DeathMode.LATER_OF and (later := after(died, mode.period)) > day:
        day, words = later, f"{words[:-1]}, but {mode.period} from the death on {died} with {later}."
    return _End(rule=rule, day=day, words=words)


def _counted(period: Period) -> str:
    return "" if period == NOTHING else f"{period} from "


def _prolonged(rule: Rule, end: _End, facts: RetentionFacts, trial: Trial | None) -> _End:
    """Return the end as an application for a marketing authorisation, or a withdrawal, moves it."""
    if rule.while_application_open is not None and trial is not None and trial.ma_open_at_expiry:
        if trial.ma_granted is None:
            return replace(end, day=None, waiting=True, words=f"{end.words} A marketing authorisation is pending.")
        granted = after(trial.ma_granted, rule.while_application_open)
        said = f"{rule.while_application_open} from the authorisation on {trial.ma_granted} end with {granted}."
        return replace(end, day=max(end.day or granted, granted), words=f"{end.words} {said}")
    if rule.ends_on_withdrawal and facts.withdrawn_on is not None and end.day is not None:
        said = f"{end.words} The patient withdrew on {facts.withdrawn_on}; the earlier day counts."
        return replace(end, day=min(end.day, facts.withdrawn_on), words=said)
    return end


def _dated(facts: RetentionFacts, as_of: date, rule: Rule, last: date, words: tuple[str, ...]) -> Due:
    at_once = rule.action is Action.DELETE_NOW_KEEP_EVENT
    said = [*words, f"{rule.id} governs: the minimum period ends with {last}."]
    held = _standing(facts, as_of)
    return Due(
        status=_status(held, as_of, last, at_once=at_once),
        governing_rule=rule.id,
        due_date=last,
        proposable_from=last if at_once else next_day(last),
        review=rule.review,
        words=(*said, *_said_of(held, facts)),
        holds=held,
        stale=facts.stale,
    )


def _status(held: tuple[Hold, ...], as_of: date, last: date, *, at_once: bool) -> Status:
    if held:
        return Status.HELD
    if at_once and as_of >= last:
        return Status.DELETE_NOW
    return Status.DUE if not at_once and as_of > last else Status.RETAIN


def _rounded(schedule: Schedule, end: _End) -> _End:
    """Return the end as the owner rounds: what has no period ends on its day, for it was promised or never filed."""
    whole_years = schedule.rounding is Rounding.END_OF_CALENDAR_YEAR and end.rule.period != NOTHING
    return replace(end, day=end_of_year(end.day)) if whole_years and end.day is not None else end


def _standing(facts: RetentionFacts, as_of: date) -> tuple[Hold, ...]:
    return tuple(hold for hold in facts.holds if hold.stands(as_of))


def _said_of(held: tuple[Hold, ...], facts: RetentionFacts) -> Iterator[str]:
    for hold in held:
        by = f" by {hold.authority}" if hold.authority else ""
        review = f", to be reviewed on {hold.review_on}" if hold.review_on else ""
        yield f"Held: {hold.kind} since {hold.placed_on}{by}{review}. The date stands; nothing is disposed of."
    yield from (f"What {source} tells is too old: nothing is proposed on it." for source in facts.stale)


def _undated(facts: RetentionFacts, as_of: date, status: Status, rule: Rule | None, words: tuple[str, ...]) -> Due:
    held = _standing(facts, as_of)
    return Due(
        status=status,
        governing_rule=rule.id if rule else None,
        review=rule.review if rule else "",
        words=(*words, *_said_of(held, facts)),
        holds=held,
        stale=facts.stale,
    )


def _unresolved(facts: RetentionFacts, as_of: date, missing: tuple[str, ...], words: tuple[str, ...]) -> Due:
    kinds = (
        RetentionTask.RESOLVE_IDENTITY if each == BIRTH else RetentionTask.COMPLETE_RETENTION_FACTS for each in missing
    )
    said = f"No date can be worked out: not known: {'; '.join(missing)}."
    found = _undated(facts, as_of, Status.UNRESOLVED, None, (*words, said))
    return replace(found, missing=missing, tasks=tuple(dict.fromkeys(kinds)))
