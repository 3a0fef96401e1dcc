"""Which routes match a picture, when they send, and what they say of those that they don't match."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.policy.routing import Conditions, Day, Matched, Route, Routed, Trigger, Window, matching

LONDON = ZoneInfo("Europe/London")
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday
PHOTO, HAND = "1.2.840.10008.5.1.4.1.1.77.1.4", "33712006"
PICTURE = Routed(sop_class_uid=PHOTO, body_site=HAND, department="Dermatology", made_for=MadeFor.CARE)
ROUTE = Route(name="hands", recipient="ward", purpose=Purpose.DIRECT_CARE, zone=LONDON)
WEEKDAYS = frozenset(Day) - {Day.SAT, Day.SUN}


def only(route: Route, picture: Routed = PICTURE, at: datetime = AT) -> Matched:
    (found,) = matching((route,), picture, at)
    assert found.reasons
    return found


def conditions(**sets: object) -> Route:
    return replace(ROUTE, conditions=Conditions(**{name: frozenset({value}) for name, value in sets.items()}))  # type: ignore[arg-type]


def test_a_route_without_conditions_matches_every_picture_and_says_that_it_asks_nothing() -> None:
    assert only(ROUTE) == Matched(route=ROUTE, matches=True, reasons=("it asks nothing of a picture",))
    assert only(ROUTE, Routed(sop_class_uid="")).matches


def test_a_route_whose_conditions_are_met_says_which() -> None:
    found = only(conditions(sop_classes=PHOTO, body_sites=HAND, departments="Dermatology", made_for=MadeFor.CARE))
    assert found.matches
    assert found.reasons == (
        f"the SOP class is {PHOTO}",
        f"the body site is {HAND}",
        "the department is Dermatology",
        "what it was made for is CARE",
    )


@pytest.mark.parametrize(
    ("condition", "value", "words"),
    [
        ("sop_classes", "1.2.3", f"the SOP class is {PHOTO}, and the route is for 1.2.3"),
        ("body_sites", "181162001", f"the body site is {HAND}, and the route is for 181162001"),
        ("departments", "Burns", "the department is Dermatology, and the route is for Burns"),
        ("made_for", MadeFor.SECONDARY, "what it was made for is CARE, and the route is for SECONDARY"),
    ],
)
def test_one_condition_that_is_not_met_is_enough(condition: str, value: object, words: str) -> None:
    found = only(conditions(**{condition: value}))
    assert (found.matches, found.reasons) == (False, (words,))


@pytest.mark.parametrize("condition", ["sop_classes", "body_sites", "departments", "made_for"])
def test_what_nobody_knows_meets_no_condition(condition: str) -> None:
    wanted = MadeFor.CARE if condition == "made_for" else "x"
    (reason,) = only(conditions(**{condition: wanted}), Routed(sop_class_uid="")).reasons
    assert "is not known, and the route is for" in reason


def test_every_reason_is_told() -> None:
    route = replace(conditions(body_sites="x", departments="y"), enabled=False, expires=date(2026, 1, 1))
    found = only(route, replace(PICTURE, trigger=Trigger.KEY_OBJECT))
    assert not found.matches
    assert len(found.reasons) == 6


@pytest.mark.parametrize(
    ("at", "matches"),
    [
        (datetime(2026, 6, 30, 22, 59, tzinfo=UTC), True),  # 23:59 in London
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), False),  # 00:00 on the first
        (datetime(2026, 12, 31, 0, 0, tzinfo=UTC), False),
        (datetime(2025, 1, 1, 0, 0, tzinfo=UTC), True),
    ],
)
def test_the_last_day_is_the_hospital_s(at: datetime, *, matches: bool) -> None:
    route = replace(ROUTE, expires=date(2026, 6, 30))
    assert only(route, at=at).matches is matches
    assert route.expired(at) is not matches


@pytest.mark.parametrize(
    ("trigger", "purpose", "triggers", "matches"),
    [
        (None, None, {Trigger.KEY_OBJECT}, True),
        (Trigger.STABLE, None, {Trigger.STABLE, Trigger.RELEASED}, True),
        (Trigger.CONSENT, None, {Trigger.STABLE}, False),
        (Trigger.KEY_OBJECT, Purpose.DIRECT_CARE, {Trigger.KEY_OBJECT}, True),
        (Trigger.KEY_OBJECT, Purpose.TEACHING, {Trigger.KEY_OBJECT}, False),
        (Trigger.KEY_OBJECT, None, {Trigger.KEY_OBJECT}, False),
        (Trigger.KEY_OBJECT, Purpose.DIRECT_CARE, {Trigger.STABLE}, False),
    ],
)
def test_a_route_is_for_what_happened_and_a_key_object_for_its_purpose(
    trigger: Trigger | None, purpose: Purpose | None, triggers: set[Trigger], *, matches: bool
) -> None:
    route = replace(ROUTE, triggers=frozenset(triggers))
    assert only(route, replace(PICTURE, trigger=trigger, purpose=purpose)).matches is matches


def test_nothing_that_merely_happens_asks_for_what_a_key_object_asks_for() -> None:
    assert Trigger.KEY_OBJECT not in ROUTE.triggers
    assert not only(ROUTE, replace(PICTURE, trigger=Trigger.KEY_OBJECT, purpose=Purpose.DIRECT_CARE)).matches


def test_the_highest_priority_is_told_first_then_by_name() -> None:
    names = (("c", 1), ("b", 5), ("a", 1))
    routes = [replace(ROUTE, name=name, priority=priority) for name, priority in names]
    assert [found.route.name for found in matching(routes, PICTURE, AT)] == ["b", "a", "c"]


NIGHT = Window(days=WEEKDAYS, since=time(22), until=time(6))


@pytest.mark.parametrize(
    ("window", "at", "opens"),
    [
        (Window(), "2026-11-22 12:00", "2026-11-22 12:00"),  # always open
        (NIGHT, "2026-11-23 12:00", "2026-11-23 22:00"),
        (NIGHT, "2026-11-23 22:00", "2026-11-23 22:00"),
        (NIGHT, "2026-11-24 05:59", "2026-11-24 05:59"),
        (NIGHT, "2026-11-24 06:00", "2026-11-24 22:00"),
        (NIGHT, "2026-11-21 05:00", "2026-11-21 05:00"),  # Saturday morning is Friday's night
        (NIGHT, "2026-11-21 06:00", "2026-11-23 22:00"),  # and then nothing before Monday
        (NIGHT, "2026-11-23 05:00", "2026-11-23 22:00"),  # Monday morning is Sunday's night
        (Window(days=frozenset({Day.SUN}), since=time(9), until=time(10)), "2026-11-22 10:00", "2026-11-29 09:00"),
        (Window(since=time(9), until=time(0)), "2026-11-22 23:59", "2026-11-22 23:59"),
        (Window(since=time(9), until=time(9)), "2026-11-22 08:00", "2026-11-22 08:00"),  # all day long
    ],
)
def test_a_window_opens_when_the_hospital_s_clock_says_so(window: Window, at: str, opens: str) -> None:
    begin = datetime.fromisoformat(at).replace(tzinfo=LONDON)
    assert replace(ROUTE, window=window).opening(begin) == datetime.fromisoformat(opens).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("since", "until", "at", "opens"),
    [
        # on 29 March 2026 London's clocks go from 01:00 to 02:00, on 25 October from 02:00 back to 01:00
        (time(1, 15), time(1, 45), "2026-03-28T12:00+00:00", "2026-03-29T01:15+00:00"),
        (time(1, 30), time(3), "2026-03-28T12:00+00:00", "2026-03-29T01:30+00:00"),
        (time(1, 30), time(1, 45), "2026-10-24T12:00+00:00", "2026-10-25T00:30+00:00"),
        (time(22), time(6), "2026-07-01T12:00+00:00", "2026-07-01T21:00+00:00"),
    ],
)
def test_a_window_outlives_a_change_of_the_clock(since: time, until: time, at: str, opens: str) -> None:
    window = Window(since=since, until=until)
    assert window.opening(datetime.fromisoformat(at), LONDON) == datetime.fromisoformat(opens)


def test_a_window_that_a_change_of_the_clock_skips_opens_a_week_later() -> None:
    window = Window(days=frozenset({Day.SUN}), since=time(1), until=time(2))
    found = window.opening(datetime(2026, 3, 22, 12, tzinfo=UTC), LONDON)
    assert found == datetime(2026, 4, 5, 0, tzinfo=UTC), "29 March 2026 has no hour from one to two"


def test_a_window_that_never_opens_keeps_a_route_from_matching() -> None:
    route = replace(ROUTE, window=Window(days=frozenset()))
    assert route.opening(AT) is None
    assert only(route).reasons == ("the route's window never opens",)


def test_a_window_that_opens_only_when_the_last_day_is_over_is_as_good_as_none() -> None:
    route = replace(ROUTE, window=NIGHT, expires=date(2026, 11, 22))
    assert only(route).reasons == ("the route's last day is over before its window opens",)
    assert only(replace(route, expires=date(2026, 11, 23))).matches


def test_a_closed_window_puts_off_and_does_not_refuse() -> None:
    route = replace(ROUTE, window=NIGHT)
    assert only(route).matches
    assert route.opening(AT) == AT + timedelta(days=1, hours=10)
