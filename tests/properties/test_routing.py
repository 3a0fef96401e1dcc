"""Whatever the routes and the picture: a further condition never lets more through, what is over never matches."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.policy.routing import Conditions, Day, Route, Routed, Trigger, Window, matching

WORDS: Final = st.sampled_from(["", "a", "b", "c"])
SETS: Final = st.frozensets(st.sampled_from(["a", "b", "c"]))
PURPOSES: Final = st.sampled_from([Purpose.TEACHING, Purpose.RESEARCH])
ZONES: Final = st.sampled_from([UTC, ZoneInfo("Europe/London"), ZoneInfo("Australia/Lord_Howe")])
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS: Final = st.integers(0, 730 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))
HOURS: Final = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
WINDOWS: Final = st.builds(Window, days=st.frozensets(st.sampled_from(Day)), since=HOURS, until=HOURS)
CONDITIONS: Final = st.builds(
    Conditions,
    sop_classes=SETS,
    body_sites=SETS,
    departments=SETS,
    made_for=st.frozensets(st.sampled_from(MadeFor)),
)
ROUTES: Final = st.builds(
    Route,
    name=st.text("abcdef", min_size=1, max_size=3),
    recipient=st.just("ward"),
    purpose=PURPOSES,
    conditions=CONDITIONS,
    priority=st.integers(-2, 2),
    window=st.none() | WINDOWS,
    expires=st.none() | st.dates(date(2026, 1, 1), date(2028, 1, 1)),
    triggers=st.frozensets(st.sampled_from(Trigger)),
    enabled=st.booleans(),
    zone=ZONES,
)
PICTURES: Final = st.builds(
    Routed,
    sop_class_uid=WORDS,
    body_site=WORDS,
    department=WORDS,
    made_for=st.none() | st.sampled_from(MadeFor),
    trigger=st.none() | st.sampled_from(Trigger),
    purpose=st.none() | PURPOSES,
)


def matches(route: Route, picture: Routed, at: datetime) -> bool:
    (found,) = matching((route,), picture, at)
    return found.matches


@given(ROUTES, PICTURES, MOMENTS, CONDITIONS, st.sampled_from([each.name for each in fields(Conditions)]))
def test_a_further_condition_never_makes_a_route_match_more(
    route: Route, picture: Routed, at: datetime, more: Conditions, name: str
) -> None:
    asks_nothing = replace(route, conditions=replace(route.conditions, **{name: frozenset()}))
    asks = replace(route, conditions=replace(route.conditions, **{name: getattr(more, name)}))
    assert matches(asks_nothing, picture, at) or not matches(asks, picture, at)


@given(ROUTES, PICTURES, MOMENTS)
def test_what_is_learned_to_be_unknown_never_makes_a_route_match_more(
    route: Route, picture: Routed, at: datetime
) -> None:
    unknown = replace(picture, sop_class_uid="", body_site="", department="", made_for=None)
    assert matches(route, picture, at) or not matches(route, unknown, at)


@given(st.lists(ROUTES, unique_by=lambda route: route.name), PICTURES, MOMENTS, st.randoms())
def test_the_order_of_routes_does_not_matter(
    routes: list[Route], picture: Routed, at: datetime, random: st.random.Random
) -> None:
    told = matching(routes, picture, at)
    random.shuffle(routes)
    assert matching(routes, picture, at) == told
    assert {found.route.name for found in told} == {route.name for route in routes}, "each is told of, once"


@given(ROUTES, PICTURES, MOMENTS)
def test_what_is_over_or_switched_off_never_matches(route: Route, picture: Routed, at: datetime) -> None:
    over = replace(route, expires=at.astimezone(route.zone).date() - timedelta(days=1))
    assert not matches(over, picture, at)
    assert not matches(replace(route, enabled=False), picture, at)
    assert not matches(replace(route, triggers=frozenset()), replace(picture, trigger=Trigger.STABLE), at)


@given(ROUTES, PICTURES, MOMENTS)
def test_whether_it_matches_and_why_is_one_answer(route: Route, picture: Routed, at: datetime) -> None:
    (found,) = matching((route,), picture, at)
    met = all(
        not wanted or fact in wanted
        for wanted, fact in (
            (route.conditions.sop_classes, picture.sop_class_uid),
            (route.conditions.body_sites, picture.body_site),
            (route.conditions.departments, picture.department),
            (route.conditions.made_for, picture.made_for),
        )
    )
    over = route.expires is not None and at.astimezone(route.zone).date() > route.expires
    asked = picture.trigger is None or picture.trigger in route.triggers
    named = picture.trigger is not Trigger.KEY_OBJECT or picture.purpose is route.purpose
    opens = route.opening(at)
    in_time = opens is not None and not route.expired(opens)
    assert found.matches is (route.enabled and met and not over and asked and named and in_time)
    assert found.reasons


@given(WINDOWS.filter(lambda window: bool(window.days)), MOMENTS, ZONES)
def test_a_window_opens_within_a_fortnight_at_an_hour_that_is_in_it(
    window: Window, at: datetime, zone: ZoneInfo
) -> None:
    opens = window.opening(at, zone)
    assert opens is not None
    assert at <= opens <= at + timedelta(days=15)
    assert window.opening(opens, zone) == opens, "it is open then"
    before = opens - timedelta(minutes=1)
    assert opens == at or before < at or window.opening(before, zone) == opens, "and was not before"
