"""When records are due: one case or more for each rule and switch, worked out by hand from the sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orthanc_plugin.policy.expiry import stale
from orthanc_plugin.policy.expirymodel import (
    Hold,
    HoldKind,
    Kept,
    RetentionFacts,
    RetentionTask,
    Rounding,
    Status,
)
from orthanc_plugin.policy.model import MadeFor
from tests.unit.policy.retaining import ADULT, AS_OF, CHILD, asked, england, trial

LITIGATION = Hold(kind=HoldKind.LITIGATION, placed_on=date(2022, 1, 1), authority="Trust solicitor")
Facts = dict[str, object]


def of(*names: str, **more: object) -> Facts:
    return {"categories": frozenset(names), **more}


CANCER_1998 = of("CANCER", cancer_diagnosis=date(1998, 1, 10))
YOUNG = {"dob": date(2004, 2, 29)}

# Who, with which facts, by which rule until when; the working is the last word of each line.
DATED: list[tuple[RetentionFacts, Facts, str, str, str]] = [
    (ADULT, {}, "ADULT_GENERAL", "2023-03-10", "2015-03-10 + 8y"),
    (ADULT, {"contacts": (date(2019, 1, 5), date(2012, 1, 1))}, "ADULT_GENERAL", "2027-01-05", "the later use + 8y"),
    (ADULT, {"contacts": (date(2016, 2, 29),)}, "ADULT_GENERAL", "2024-02-29", "2024 has a 29 Feb"),
    (ADULT, of("DENTAL", contacts=(date(2016, 2, 29),)), "DENTAL", "2031-03-01", "+15y: 2031 has no 29 Feb"),
    (ADULT, {"contacts": (date(1988, 3, 3),)}, "ADULT_GENERAL", "1996-03-03", "18 on that day: an adult's"),
    (ADULT, {"contacts": (date(1988, 3, 2),)}, "CHILD", "1996-03-03", "17 the day before: 26th birthday"),
    (CHILD, {"contacts": (date(2025, 9, 13),)}, "CHILD", "2033-09-14", "16 the day before the 17th birthday"),
    (CHILD, {"contacts": (date(2025, 9, 14),)}, "CHILD", "2034-09-14", "17 on that day: 26th birthday"),
    (CHILD, {**YOUNG, "contacts": (date(2021, 2, 28),)}, "CHILD", "2029-03-01", "still 16 on 28 Feb: 25th on 1 Mar"),
    (CHILD, {**YOUNG, "contacts": (date(2022, 2, 28),)}, "CHILD", "2030-03-01", "17 until 1 Mar 2022: 26th"),
    (CHILD, {**YOUNG, "contacts": (date(2022, 3, 1),)}, "ADULT_GENERAL", "2030-03-01", "18 on 1 Mar: + 8y"),
    (ADULT, {"death_date": date(2018, 6, 1)}, "ADULT_GENERAL", "2026-06-01", "death is later: + 8y"),
    (ADULT, {"death_date": date(2015, 3, 1)}, "ADULT_GENERAL", "2023-03-10", "seen after the death: + 8y"),
    (ADULT, {"death_date": date(2016, 2, 29)}, "ADULT_GENERAL", "2024-02-29", "death on a leap day + 8y"),
    (ADULT, {"death_date": date(2030, 1, 1)}, "ADULT_GENERAL", "2023-03-10", "not dead on the day asked about"),
    (CHILD, {"death_date": date(2019, 6, 1)}, "CHILD", "2033-09-14", "25th birthday > 2019-06-01 + 8y"),
    (CHILD, {"death_date": date(2026, 6, 1)}, "CHILD", "2034-06-01", "2026-06-01 + 8y > 25th birthday"),
    (ADULT, of("MENTAL_HEALTH"), "MENTAL_HEALTH", "2035-03-10", "+ 20y"),
    (ADULT, of("MENTAL_HEALTH", death_date=date(2016, 1, 1)), "MENTAL_HEALTH", "2026-01-01", "death + 10y replaces"),
    (ADULT, of("MENTAL_HEALTH", death_date=date(2000, 1, 1)), "ADULT_GENERAL", "2023-03-10", "floor > death + 10y"),
    (CHILD, of("MENTAL_HEALTH"), "MENTAL_HEALTH", "2039-05-01", "2019-05-01 + 20y > 25th birthday"),
    (ADULT, CANCER_1998, "CANCER", "2028-01-10", "1998-01-10 + 30y > floor 2023"),
    (ADULT, {**CANCER_1998, "death_date": date(2016, 5, 5)}, "CANCER", "2024-05-05", "death + 8y, as the floor"),
    (ADULT, of("CANCER", death_date=date(2016, 5, 5)), "CANCER", "2024-05-05", "of the dead, no diagnosis is needed"),
    (ADULT, of(cancer_diagnosis=date(1998, 1, 10)), "CANCER", "2028-01-10", "a diagnosis told counts by itself"),
    (ADULT, of("CANCER", cancer_diagnosis=date(2000, 2, 29)), "CANCER", "2030-03-01", "leap day + 30y"),
    (ADULT, of("MATERNITY"), "MATERNITY", "2040-03-10", "+ 25y"),
    (ADULT, of("MATERNITY", death_date=date(2016, 1, 1)), "MATERNITY", "2040-03-10", "death moves nothing"),
    (CHILD, of("MATERNITY"), "MATERNITY", "2044-05-01", "the child's record: the longer of the two"),
    (ADULT, of("LONG_TERM"), "LONG_TERM", "2035-03-10", "+ 20y"),
    (ADULT, of("SARC"), "SARC", "2045-03-10", "+ 30y"),
    (ADULT, of("SARC", death_date=date(2018, 1, 1)), "SARC", "2028-01-01", "death + 10y"),
    (ADULT, of("DENTAL"), "DENTAL", "2030-03-10", "+ 15y"),
    (ADULT, of("DENTAL", death_date=date(2024, 1, 1)), "ADULT_GENERAL", "2032-01-01", "floor: death + 8y > 15y"),
    (ADULT, of("DENTAL", "SARC", "MATERNITY"), "SARC", "2045-03-10", "the latest of all"),
    (ADULT, of("MENTAL_HEALTH", "LONG_TERM"), "MENTAL_HEALTH", "2035-03-10", "the same day: the first rule"),
    (ADULT, of("TRIAL_CTIMP", trials=(trial(date(2010, 5, 1)),)), "TRIAL_CTIMP", "2035-05-01", "+ 25y"),
    (ADULT, of(trials=(trial(date(2010, 5, 1)),)), "TRIAL_CTIMP", "2035-05-01", "a trial told counts by itself"),
    (
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2026, 6, 30), granted=date(2051, 1, 31)),)),
        "TRIAL_CTIMP",
        "2053-01-31",
        "granted 2051-01-31 + 2y > 2051-06-30",
    ),
    (
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2026, 6, 30), granted=date(2030, 1, 31)),)),
        "TRIAL_CTIMP",
        "2051-06-30",
        "granted + 2y is earlier: nothing is shortened",
    ),
    (
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2014, 5, 1), "PRE_2026"),)),
        "ADULT_GENERAL",
        "2023-03-10",
        "2014-05-01 + 5y < floor",
    ),
    (
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2020, 5, 1), "PRE_2026"),)),
        "TRIAL_CTIMP_OLD",
        "2025-05-01",
        "+ 5y > floor",
    ),
    (
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2010, 5, 1)), trial(date(2012, 5, 1)))),
        "TRIAL_CTIMP",
        "2037-05-01",
        "of two trials the later",
    ),
    (ADULT, {"withdrawn_on": date(2016, 1, 1)}, "ADULT_GENERAL", "2023-03-10", "filed for care: restricted, kept"),
    (
        RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2027, 1, 31)),
        {},
        "SECONDARY_ONLY",
        "2027-01-31",
        "the promise; no birth date is needed",
    ),
    (
        RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2027, 1, 31), open_episode=True),
        {},
        "SECONDARY_ONLY",
        "2027-01-31",
        "care goes on, the promise stands",
    ),
    (
        RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2020, 1, 31), withdrawn_on=date(2021, 1, 1)),
        {},
        "SECONDARY_ONLY",
        "2020-01-31",
        "a withdrawal prolongs nothing",
    ),
    (
        RetentionFacts(made_for=MadeFor.SECONDARY, withdrawn_on=date(2021, 1, 1)),
        {},
        "SECONDARY_ONLY",
        "2021-01-01",
        "withdrawn; no promise is needed",
    ),
    (
        RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2027, 1, 31)),
        {"trials": (trial(date(2026, 6, 30)),)},
        "TRIAL_CTIMP",
        "2051-06-30",
        "made for a trial: the law's 25y > the promise",
    ),
    (
        RetentionFacts(kept=Kept.STUB, created=date(2024, 2, 29)),
        {},
        "DISPOSITION_EVIDENCE",
        "2044-02-29",
        "+ 20y, a leap year",
    ),
    (
        RetentionFacts(kept=Kept.CERTIFICATE, created=date(2026, 1, 1)),
        {"open_episode": True},
        "DISPOSITION_EVIDENCE",
        "2046-01-01",
        "+ 20y, whatever care goes on",
    ),
    (
        RetentionFacts(kept=Kept.DISPOSITION_LOG, created=date(2000, 1, 1)),
        {},
        "DISPOSITION_EVIDENCE",
        "2020-01-01",
        "+ 20y",
    ),
    (ADULT, {"kept": Kept.CONSENT_RECORD}, "CONSENT_EVIDENCE", "2023-03-10", "as the picture"),
    (ADULT, {"kept": Kept.CONSENT_RECORD, "filed": False}, "CONSENT_EVIDENCE", "2023-03-10", "refusals are records"),
]


@pytest.mark.parametrize(("facts", "changes", "rule", "day", "working"), DATED, ids=[row[4] for row in DATED])
def test_a_date_is_the_one_worked_out_by_hand(
    facts: RetentionFacts, changes: Facts, rule: str, day: str, working: str
) -> None:
    found, last = asked(facts, **changes), date.fromisoformat(day)
    assert (found.governing_rule, found.due_date) == (rule, last), (working, found.words)
    assert found.proposable_from == last + timedelta(days=1)
    assert found.status is (Status.DUE if last < AS_OF else Status.RETAIN)
    assert any(rule in word for word in found.words)


@pytest.mark.parametrize(
    ("as_of", "status"), [(date(2023, 3, 10), Status.RETAIN), (date(2023, 3, 11), Status.DUE)], ids=["last day", "next"]
)
def test_the_last_day_of_the_period_is_kept_and_the_next_may_be_proposed(as_of: date, status: Status) -> None:
    assert asked(ADULT, as_of).status is status


UNDATED: list[tuple[str, RetentionFacts, Facts, Status, str | None]] = [
    ("under care", ADULT, {"open_episode": True}, Status.OPEN, None),
    ("under care, birth unknown", ADULT, {"open_episode": True, "dob": None}, Status.OPEN, None),
    ("record of consent, under care", ADULT, {"kept": Kept.CONSENT_RECORD, "open_episode": True}, Status.OPEN, None),
    ("birth unknown", ADULT, {"dob": None}, Status.UNRESOLVED, None),
    ("never seen", ADULT, {"contacts": ()}, Status.UNRESOLVED, None),
    ("dead and never seen", ADULT, {"contacts": (), "death_date": date(2010, 1, 1)}, Status.UNRESOLVED, None),
    ("cancer without a diagnosis' date", ADULT, of("CANCER"), Status.UNRESOLVED, None),
    ("trial unknown", ADULT, of("TRIAL_CTIMP"), Status.UNRESOLVED, None),
    ("unknown regime", ADULT, of("TRIAL_CTIMP", trials=(trial(AS_OF, "EU"),)), Status.UNRESOLVED, None),
    ("trial goes on", ADULT, of("TRIAL_CTIMP", trials=(trial(None),)), Status.OPEN, "TRIAL_CTIMP"),
    (
        "authorisation pending",
        ADULT,
        of("TRIAL_CTIMP", trials=(trial(date(2000, 1, 1), pending=True),)),
        Status.OPEN,
        "TRIAL_CTIMP",
    ),
    ("a category without a rule", ADULT, of("CANCR"), Status.UNRESOLVED, None),
    ("nothing promised", RetentionFacts(made_for=MadeFor.SECONDARY), {}, Status.UNRESOLVED, None),
    ("never filed, waiting", ADULT, {"filed": False}, Status.UNRESOLVED, None),
    ("certificate of no date", RetentionFacts(kept=Kept.CERTIFICATE), {}, Status.UNRESOLVED, None),
]


@pytest.mark.parametrize(
    ("facts", "changes", "status", "rule"), [row[1:] for row in UNDATED], ids=[r[0] for r in UNDATED]
)
def test_without_what_a_date_rests_on_there_is_none(
    facts: RetentionFacts, changes: Facts, status: Status, rule: str | None
) -> None:
    found = asked(facts, **changes)
    assert (found.status, found.governing_rule, found.due_date, found.proposable_from) == (status, rule, None, None)
    assert bool(found.tasks) is bool(found.missing) is (status is Status.UNRESOLVED)
    assert found.words


def test_a_missing_birth_date_asks_for_the_identity_and_other_facts_for_themselves() -> None:
    assert asked(ADULT, dob=None).tasks == (RetentionTask.RESOLVE_IDENTITY,)
    assert asked(ADULT, contacts=()).tasks == (RetentionTask.COMPLETE_RETENTION_FACTS,)


@pytest.mark.parametrize(
    ("death", "contacts", "rule", "day"),
    [
        (date(2019, 6, 1), (date(2019, 5, 1),), "CHILD", date(2027, 6, 1)),
        (date(2018, 6, 1), (date(2019, 5, 1),), "ADULT_GENERAL", date(2027, 5, 1)),
    ],
    ids=["death + 8y", "the floor: pictures were taken after the death"],
)
def test_a_child_who_died_may_be_kept_for_eight_years_by_the_owners_switch(
    death: date, contacts: tuple[date, ...], rule: str, day: date
) -> None:
    schedule = replace(england(), switches=(("child_death_mode", "eight_years_after_death"),))
    found = asked(CHILD, schedule=schedule, death_date=death, contacts=contacts)
    assert (found.governing_rule, found.due_date) == (rule, day)


def test_periods_may_end_with_the_calendar_year_but_never_a_promise_nor_what_was_not_filed() -> None:
    schedule = replace(england(), rounding=Rounding.END_OF_CALENDAR_YEAR)
    assert asked(ADULT, schedule=schedule).due_date == date(2023, 12, 31)
    promised = RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2027, 1, 31))
    assert asked(promised, schedule=schedule).due_date == date(2027, 1, 31)
    found = asked(ADULT, schedule=schedule, filed=False, withdrawn_on=AS_OF)
    assert (found.status, found.due_date, found.proposable_from) == (Status.DELETE_NOW, AS_OF, AS_OF)


def test_each_rule_s_end_is_rounded_before_the_latest_wins() -> None:
    schedule = replace(england(), rounding=Rounding.END_OF_CALENDAR_YEAR)
    found = asked(
        RetentionFacts(made_for=MadeFor.SECONDARY, promised_end=date(2026, 6, 2), contacts=(date(2021, 6, 1),)),
        schedule=schedule,
        trials=(trial(date(2021, 6, 1), "PRE_2026"),),
    )
    assert (found.status, found.governing_rule, found.due_date) == (
        Status.RETAIN,
        "TRIAL_CTIMP_OLD",
        date(2026, 12, 31),
    )


@pytest.mark.parametrize(
    ("released", "status"),
    [(None, Status.HELD), (date(2026, 11, 21), Status.HELD), (AS_OF, Status.DUE), (date(2022, 1, 1), Status.DUE)],
    ids=["stands", "until tomorrow", "released today", "released at once"],
)
def test_a_hold_blocks_until_the_day_of_its_release(released: date | None, status: Status) -> None:
    found = asked(ADULT, holds=(replace(LITIGATION, released_on=released),))
    assert (found.status, found.due_date) == (status, date(2023, 3, 10))
    assert found.proposable is (status is Status.DUE)


def test_a_hold_to_come_holds_nothing_yet_and_one_that_stands_says_by_whom() -> None:
    assert asked(ADULT, holds=(replace(LITIGATION, placed_on=date(2026, 11, 21)),)).status is Status.DUE
    assert "Trust solicitor" in " ".join(asked(ADULT, holds=(LITIGATION,)).words)


def test_a_hold_stops_even_the_deletion_of_what_was_never_filed() -> None:
    found = asked(ADULT, filed=False, withdrawn_on=AS_OF, holds=(LITIGATION,))
    assert (found.status, found.due_date) == (Status.HELD, AS_OF)


def test_on_a_stale_feed_nothing_is_proposed_and_the_words_say_so() -> None:
    found = asked(ADULT, stale=("pas",))
    assert (found.status, found.proposable) == (Status.DUE, False)
    assert "pas" in found.words[-1]


@pytest.mark.parametrize(
    ("hours", "too_old"),
    [(24, False), (24.1, True), (-1, True), (None, True)],
    ids=["a day", "more", "to come", "never"],
)
def test_facts_are_too_old_after_a_day_or_when_they_were_never_told(hours: float | None, too_old: bool) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert stale(None if hours is None else now - timedelta(hours=hours), now, england()) is too_old
