"""What a retention schedule says, what must be known of a record, and what follows: words and shapes.

Knows no jurisdiction: rules are data (``retention.toml``). Must not reckon; ``expiry`` does.

Sources: requirements 3 (T-1 to T-12); the format of ``retention_cases.json`` and the draft rule set beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum, unique
from typing import Final

from orthanc_plugin.policy.expirydates import NOTHING, Period
from orthanc_plugin.policy.model import MadeFor


@unique
class Kept(StrEnum):
    """What kind of thing is kept."""

    IMAGE = "IMAGE"
    STUB = "STUB"
    CERTIFICATE = "CERTIFICATE"
    DISPOSITION_LOG = "DISPOSITION_LOG"
    CONSENT_RECORD = "CONSENT_RECORD"


@unique
class Trigger(StrEnum):
    """What a period counts from."""

    LAST_CONTACT = "LAST_CONTACT"
    BIRTHDAY = "BIRTHDAY"
    CANCER_DIAGNOSIS = "CANCER_DIAGNOSIS"
    TRIAL_CONCLUDED = "TRIAL_CONCLUDED"
    PROMISED_END = "PROMISED_END"
    WITHDRAWN_ON = "WITHDRAWN_ON"
    CREATED = "CREATED"
    SAME_AS_IMAGE = "SAME_AS_IMAGE"


@unique
class DeathMode(StrEnum):
    """What a death does to a period.

    RESTART counts the period of death from the trigger or the death, whichever is later; LATER_OF takes the later of
    the rule's own end and the death's; REPLACE takes the death's alone, longer or shorter.
    """

    NONE = "none"
    RESTART = "restart"
    LATER_OF = "later_of"
    REPLACE = "replace"


@unique
class Rounding(StrEnum):
    """Whether a period of years ends on its day or with the calendar year."""

    EXACT = "exact"
    END_OF_CALENDAR_YEAR = "end_of_calendar_year"


@unique
class Action(StrEnum):
    """How it ends: by appraisal and disposition, or at once because it never was a record."""

    PROPOSE = "PROPOSE"
    DELETE_NOW_KEEP_EVENT = "DELETE_NOW_KEEP_EVENT"


@unique
class SourceStatus(StrEnum):
    """Whether the text behind a rule was read, or is remembered and must be checked before go-live."""

    FOUND = "FOUND"
    MEMORY = "MEMORY"
    LOCAL = "LOCAL"


@unique
class HoldKind(StrEnum):
    """Why disposal is suspended."""

    LITIGATION = "LITIGATION"
    COMPLAINT = "COMPLAINT"
    SERIOUS_INCIDENT = "SERIOUS_INCIDENT"
    CORONER = "CORONER"
    SUBJECT_ACCESS_OPEN = "SUBJECT_ACCESS_OPEN"
    FOI_OPEN = "FOI_OPEN"
    STATUTORY_INQUIRY = "STATUTORY_INQUIRY"
    INFECTED_BLOOD_COMPENSATION = "INFECTED_BLOOD_COMPENSATION"
    RESEARCH_SPONSOR = "RESEARCH_SPONSOR"
    SAFEGUARDING = "SAFEGUARDING"


@unique
class Status(StrEnum):
    """Where a record stands: only DUE may be proposed for disposal, and only DELETE_NOW goes without a proposal."""

    RETAIN = "RETAIN"
    DUE = "DUE"
    HELD = "HELD"
    OPEN = "OPEN"
    UNRESOLVED = "UNRESOLVED"
    DELETE_NOW = "DELETE_NOW"


@unique
class RetentionTask(StrEnum):
    """What somebody must find out before there can be a date."""

    RESOLVE_IDENTITY = "RESOLVE_IDENTITY"
    COMPLETE_RETENTION_FACTS = "COMPLETE_RETENTION_FACTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """What a rule applies to; what is None is not asked.

    Attributes:
        objects: kinds of thing.
        made_for: care or other uses.
        filed: whether it became part of a record at all.
        category: a category that the feed tells.
        regime: law that a trial is under.
        age_from: youngest age at the last contact, in completed years.
        age_below: age at the last contact that is too old.
    """

    objects: frozenset[Kept] = frozenset({Kept.IMAGE})
    made_for: MadeFor | None = None
    filed: bool = True
    category: str | None = None
    regime: str | None = None
    age_from: int | None = None
    age_below: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDeath:
    """What a death does to a rule's period."""

    mode: DeathMode = DeathMode.NONE
    period: Period = NOTHING


UNMOVED: Final = OnDeath()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text behind a rule, how far it is known, and where it was read."""

    text: str
    status: SourceStatus
    via: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the schedule.

    Attributes:
        id: name in the schedule.
        applies: what it applies to.
        trigger: what its period counts from.
        period: how long.
        periods_at_age: another period by age at the last contact.
        floor: it governs only where its date is later than every other rule's.
        on_death: what a death does.
        on_death_alternative: what it does instead under ``alternative``.
        alternative: name and value of the switch that chooses the alternative.
        while_application_open: added to the grant of a marketing authorisation that is applied for at the end.
        ends_on_withdrawal: it ends when the patient withdraws, if that is earlier.
        action: how it ends.
        review: what whoever appraises it is to consider.
        source: the text behind it.
    """

    id: str
    applies: Applies
    trigger: Trigger
    period: Period
    periods_at_age: tuple[tuple[int, Period], ...] = ()
    floor: bool = False
    on_death: OnDeath = UNMOVED
    on_death_alternative: OnDeath | None = None
    alternative: tuple[str, str] | None = None
    while_application_open: Period | None = None
    ends_on_withdrawal: bool = False
    action: Action = Action.PROPOSE
    review: str = ""
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A retention schedule in one version.

    Attributes:
        version: the owner's name for it.
        jurisdiction: whose law it follows.
        rules: its rows.
        switches: the owner's choices between readings, by name.
        choices: what each switch may be.
        rounding: whether periods of years end with the calendar year.
        max_extension_years: how far in all a record may be kept beyond its minimum.
        max_feed_age: how old facts may be for proposals to rest on them.
        feeds: sources that must all be fresh.
        general_categories: categories that follow the general rule, having none of their own.
        digest: SHA-256 of the file.
    """

    version: str
    jurisdiction: str
    rules: tuple[Rule, ...]
    switches: tuple[tuple[str, str], ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rounding: Rounding = Rounding.EXACT
    max_extension_years: int = 20
    max_feed_age: timedelta = timedelta(hours=24)
    feeds: tuple[str, ...] = ()
    general_categories: tuple[str, ...] = ()
    digest: str = ""

    @property
    def categories(self) -> frozenset[str]:
        """Return every category that the schedule speaks of."""
        named = (rule.applies.category for rule in self.rules if rule.applies.category is not None)
        return frozenset((*self.general_categories, *named))

    @property
    def regimes(self) -> frozenset[str]:
        """Return every regime of trials that a rule speaks of."""
        return frozenset(rule.applies.regime for rule in self.rules if rule.applies.regime is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial that the patient took part in; one that is not concluded still runs."""

    concluded: date | None
    regime: str
    ma_open_at_expiry: bool = False
    ma_granted: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold on a record; from the day of its release it holds no more."""

    kind: HoldKind
    placed_on: date
    released_on: date | None = None
    authority: str = ""
    review_on: date | None = None
    hold_id: str = ""

    def stands(self, on: date) -> bool:
        """Tell whether it holds on that day."""
        return self.placed_on <= on and (self.released_on is None or on < self.released_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionFacts:
    """What a date rests on; the day that a picture was made is no part of it (T-10).

    Attributes:
        dob: birth of the patient.
        death_date: death, None while alive or unknown.
        contacts: days that the patient was last seen or discharged, in any order.
        open_episode: the patient is under care.
        made_for: why the picture was made.
        kept: what kind of thing it is.
        filed: it became part of a record.
        categories: what the feed says the record is about.
        cancer_diagnosis: when cancer was found.
        trials: trials taken part in.
        promised_end: until when the patient was told that it is kept.
        withdrawn_on: when all use was withdrawn.
        created: when it was made, of evidence of disposal.
        holds: all holds that there ever were on it.
        untold: what a feed should have told of the patient, and no source has.
        stale: sources whose facts are too old, or were never told.
    """

    dob: date | None = None
    death_date: date | None = None
    contacts: tuple[date, ...] = ()
    open_episode: bool = False
    made_for: MadeFor = MadeFor.CARE
    kept: Kept = Kept.IMAGE
    filed: bool = True
    categories: frozenset[str] = frozenset()
    cancer_diagnosis: date | None = None
    trials: tuple[Trial, ...] = ()
    promised_end: date | None = None
    withdrawn_on: date | None = None
    created: date | None = None
    holds: tuple[Hold, ...] = ()
    untold: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What follows from the schedule for one record.

    Attributes:
        status: where it stands.
        governing_rule: id of the rule whose date it is; of an open end, the rule that leaves it open.
        due_date: last day of the minimum period.
        proposable_from: first day on which it may be proposed, as far as dates go.
        review: what whoever appraises it is to consider.
        words: every step, in words, with the rules and facts used.
        missing: facts that are not known.
        tasks: what somebody must do before there can be a date.
        holds: holds that stand.
        stale: sources whose facts are too old for a proposal.
    """

    status: Status
    governing_rule: str | None = None
    due_date: date | None = None
    proposable_from: date | None = None
    review: str = ""
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    tasks: tuple[RetentionTask, ...] = ()
    holds: tuple[Hold, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def proposable(self) -> bool:
        """Tell whether it may be proposed for disposal now: due, not held, on fresh facts."""
        return self.status is Status.DUE and not self.holds and not self.stale
