"""Whatever the facts: a date is total, holds move nothing, later contacts bring nothing forward, the floor holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orthanc_plugin.config.schedulefile import SHIPPED, shipped
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirydates import Period, after, next_day
from orthanc_plugin.policy.expirydoubts import doubts
from orthanc_plugin.policy.expirymodel import (
    Hold,
    HoldKind,
    Kept,
    RetentionFacts,
    Rounding,
    Schedule,
    Status,
    Trial,
)
from orthanc_plugin.policy.model import MadeFor

DAYS = st.dates(date(1900, 1, 1), date(2080, 12, 31)) | st.sampled_from([date(2004, 2, 29), date(2000, 2, 29)])
ANY_DAYS = DAYS | st.sampled_from([date.min, date.max])
MAYBE = st.none() | ANY_DAYS


@cache
def known(name: str, mode: str, rounding: Rounding) -> Schedule:
    found = shipped(name)
    chosen = (("child_death_mode", mode),) if found.switches else ()
    return replace(found, switches=chosen, rounding=rounding)


SCHEDULES = st.builds(
    known,
    st.sampled_from(SHIPPED),
    st.sampled_from(["later_of", "eight_years_after_death"]),
    st.sampled_from(Rounding),
)
TRIALS = st.builds(
    Trial,
    concluded=MAYBE,
    regime=st.sampled_from(["UK_2026", "PRE_2026", "EU"]),
    ma_open_at_expiry=st.booleans(),
    ma_granted=MAYBE,
)
HOLDS = st.builds(Hold, kind=st.sampled_from(HoldKind), placed_on=ANY_DAYS, released_on=MAYBE)
WORDS = ("MENTAL_HEALTH", "CANCER", "MATERNITY", "LONG_TERM", "SARC", "DENTAL", "TRIAL_CTIMP", "?")
FACTS = st.builds(
    RetentionFacts,
    dob=MAYBE,
    death_date=MAYBE,
    contacts=st.lists(ANY_DAYS, max_size=3).map(tuple),
    open_episode=st.booleans(),
    made_for=st.sampled_from(MadeFor),
    kept=st.sampled_from(Kept),
    filed=st.booleans(),
    categories=st.frozensets(st.sampled_from(WORDS)),
    cancer_diagnosis=MAYBE,
    trials=st.lists(TRIALS, max_size=2).map(tuple),
    promised_end=MAYBE,
    withdrawn_on=MAYBE,
    created=MAYBE,
    holds=st.lists(HOLDS, max_size=2).map(tuple),
)
LATER = st.integers(0, 40_000).map(lambda days: timedelta(days=days))


@st.composite
def lives(draw: st.DrawFn) -> RetentionFacts:
    """Give facts of care that contradict nothing: nobody is seen before the birth."""
    born = draw(DAYS)
    contacts = tuple(born + days for days in draw(st.lists(LATER, min_size=1, max_size=3)))
    return RetentionFacts(
        dob=born,
        death_date=draw(st.none() | LATER.map(lambda days: born + days)),
        contacts=contacts,
        categories=draw(st.frozensets(st.sampled_from(WORDS[:-1]))),
        cancer_diagnosis=draw(st.none() | LATER.map(lambda days: born + days)),
        trials=draw(st.lists(TRIALS, max_size=2).map(tuple)),
    )


@given(SCHEDULES, FACTS, ANY_DAYS)
def test_there_is_always_an_answer_the_same_each_time_and_in_words(
    schedule: Schedule, facts: RetentionFacts, as_of: date
) -> None:
    found = due(schedule, facts, as_of)
    assert found == due(schedule, facts, as_of)
    assert found.words
    assert (found.due_date is None) is (found.proposable_from is None)
    if found.status in (Status.OPEN, Status.UNRESOLVED):
        assert found.due_date is None
    else:
        assert found.due_date is not None
        assert found.governing_rule in {rule.id for rule in schedule.rules}
    if found.status is Status.DUE:
        assert found.due_date is not None
        assert as_of > found.due_date


@given(SCHEDULES, FACTS, ANY_DAYS, HOLDS)
def test_a_hold_makes_nothing_due_and_moves_no_date(
    schedule: Schedule, facts: RetentionFacts, as_of: date, hold: Hold
) -> None:
    before, held = due(schedule, facts, as_of), due(schedule, replace(facts, holds=(*facts.holds, hold)), as_of)
    assert (held.due_date, held.proposable_from, held.governing_rule) == (
        before.due_date,
        before.proposable_from,
        before.governing_rule,
    )
    gone = (Status.DUE, Status.DELETE_NOW)
    assert held.status not in gone or before.status in gone
    if hold.stands(as_of):
        assert held.status not in gone
        assert not held.proposable


@given(SCHEDULES, lives(), DAYS, DAYS)
@example(
    known("england-nhs", "later_of", Rounding.EXACT),
    RetentionFacts(dob=date(2004, 2, 29), contacts=(date(2022, 2, 28),)),
    date(2022, 3, 1),
    date(2026, 1, 1),
)
@example(
    known("england-nhs", "later_of", Rounding.EXACT),
    RetentionFacts(
        dob=date(1970, 3, 3),
        death_date=date(2001, 1, 1),
        contacts=(date(2002, 1, 1),),
        categories=frozenset({"LONG_TERM"}),
    ),
    date(2010, 3, 3),
    date(2026, 1, 1),
)
def test_a_later_contact_brings_no_date_forward_and_takes_one_away_only_where_it_contradicts_the_rest(
    schedule: Schedule, facts: RetentionFacts, contact: date, as_of: date
) -> None:
    more = replace(facts, contacts=(*facts.contacts, contact))
    before, seen = due(schedule, facts, as_of), due(schedule, more, as_of)
    if before.due_date is None:
        assert seen.due_date is None
    elif any(doubts(more)):
        assert seen.status is Status.UNRESOLVED
    else:
        assert seen.due_date is not None
        assert seen.due_date >= before.due_date


@given(SCHEDULES, FACTS, ANY_DAYS, ANY_DAYS, HOLDS)
def test_what_is_in_doubt_stays_so_whatever_else_is_seen_or_held(
    schedule: Schedule, facts: RetentionFacts, as_of: date, contact: date, hold: Hold
) -> None:
    more = replace(facts, contacts=(*facts.contacts, contact), holds=(*facts.holds, hold))
    assert {each.words for each in doubts(facts)} <= {each.words for each in doubts(more)}
    if due(schedule, facts, as_of).status is Status.UNRESOLVED and any(doubts(facts)):
        assert due(schedule, more, as_of).due_date is None


@given(lives(), st.sampled_from(["later_of", "eight_years_after_death"]), DAYS)
def test_the_general_period_is_a_floor_under_every_rule(facts: RetentionFacts, mode: str, as_of: date) -> None:
    found = due(known("england-nhs", mode, Rounding.EXACT), facts, as_of)
    if found.due_date is not None:
        assert found.due_date >= counted(max(facts.contacts), 8)


def counted(start: date, years: int) -> date:
    """Return the end of a period of years by looking through the days of its last year, without any arithmetic."""
    day = date(start.year + years, 1, 1)
    while (day.month, day.day) < (start.month, start.day):
        day += timedelta(days=1)
    return day


@given(DAYS, st.integers(0, 60))
def test_the_end_of_a_period_is_the_first_day_of_its_last_year_that_is_not_before_the_start(
    start: date, years: int
) -> None:
    assert after(start, Period(years=years)) == counted(start, years)


@given(ANY_DAYS, st.integers(0, 999), st.integers(0, 9999), st.integers(0, 99999))
def test_a_period_never_ends_before_it_begins_and_never_fails(start: date, years: int, months: int, days: int) -> None:
    end = after(start, Period(years=years, months=months, days=days))
    assert start <= end <= next_day(end)


@pytest.mark.parametrize("shorter", range(12))
def test_more_months_never_end_earlier(shorter: int) -> None:
    starts = [date(2023, 10, 28) + timedelta(days=number) for number in range(130)]
    for start in starts:
        assert after(start, Period(months=shorter)) < after(start, Period(months=shorter + 1))
