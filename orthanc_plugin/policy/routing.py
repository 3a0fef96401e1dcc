"""Which pictures go by themselves to which recipients: routes as data, and whether one matches a picture.

Knows conditions, dates and windows. Must not know recipients but by name, nor decide whether a picture may leave: a
route that matches only asks. A condition that is empty asks nothing; one whose fact nobody knows is not met. The
moment and the facts are arguments; days and hours are the hospital's, in the zone that the route names.

Sources: requirements 001-8 (owner and expiry of a destination), 000-8 and 000-23a (approved destinations only); PS3.16
CID 4029 (body sites) and CID 7010 (key objects that ask for an export).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum, unique
from typing import Final

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.model import MadeFor

DAYS_AHEAD: Final = 15  # that are looked through for the next opening: a change of the clock can skip a week's only one


@unique
class Trigger(StrEnum):
    """What makes a route look at a picture."""

    STABLE = "STABLE"
    RELEASED = "RELEASED"
    CONSENT = "CONSENT"
    REVIEW = "REVIEW"
    KEY_OBJECT = "KEY_OBJECT"


@unique
class Day(StrEnum):
    """The days of a week, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


DAYS: Final = tuple(Day)
# A key object asks for one purpose, once: nothing that merely happens does that.
BY_ITSELF: Final = frozenset(Trigger) - {Trigger.KEY_OBJECT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a route sends: from one hour to another on some days.

    One that ends before it begins goes on past midnight; the day is that on which it opens. ``until`` is not in it, and
    midnight as ``until`` is the end of the day.
    """

    days: frozenset[Day] = frozenset(Day)
    since: time = time.min
    until: time = time.min

    def opening(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Return when it is open next, in UTC: ``at`` itself while it is open; None when it never is."""
        today = at.astimezone(zone).date()
        for days in range(-1, DAYS_AHEAD):
            day = today + timedelta(days=days)
            begins, ends = self._on(day, zone)
            if DAYS[day.weekday()] in self.days and begins < ends and at < ends:
                return max(at.astimezone(UTC), begins)
        return None

    def _on(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        """Return when it would open and close on a day, in UTC, where no change of the clock makes hours ambiguous."""
        last = day + timedelta(days=1) if self.until <= self.since else day
        begins = datetime.combine(day, self.since, zone)
        return begins.astimezone(UTC), datetime.combine(last, self.until, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must be true of a picture; all of those that say anything."""

    sop_classes: frozenset[str] = frozenset()
    body_sites: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    made_for: frozenset[MadeFor] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route of policy.toml.

    Attributes:
        name: of the route.
        recipient: the name of the binding that it sends to.
        purpose: what for; the same as the recipient's.
        conditions: which pictures.
        priority: higher goes first.
        window: when it sends; None when always.
        expires: the last day on which it does.
        owner: who answers for it.
        alternates: recipients for when the first can't be reached, in this order.
        triggers: what makes it look at a picture.
        enabled: whether it does anything.
        zone: whose days and hours are meant.
    """

    name: str
    recipient: str
    purpose: Purpose
    conditions: Conditions = Conditions()
    priority: int = 0
    window: Window | None = None
    expires: date | None = None
    owner: str = ""
    alternates: tuple[str, ...] = ()
    triggers: frozenset[Trigger] = BY_ITSELF
    enabled: bool = True
    zone: tzinfo = UTC

    def opening(self, at: datetime) -> datetime | None:
        """Return when it sends next, ``at`` when it may now; None when it never does."""
        return at if self.window is None else self.window.opening(at, self.zone)

    def expired(self, at: datetime) -> bool:
        """Tell whether its last day is over."""
        return self.expires is not None and at.astimezone(self.zone).date() > self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What routes look at of a picture, and why they are asked.

    Attributes:
        sop_class_uid: what kind of object it is.
        body_site: the code of CID 4029 that says what it shows; '' when nobody knows.
        department: which made it; '' when nobody knows.
        made_for: why it was made; None when nobody knows.
        trigger: what happened; None asks of whatever may happen, as the rule tester does.
        purpose: what a key object asks for; None when nobody named one.
    """

    sop_class_uid: str
    body_site: str = ""
    department: str = ""
    made_for: MadeFor | None = None
    trigger: Trigger | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Whether a route matches a picture. ``reasons`` are in words: why not, or what of the picture it asked for."""

    route: Route
    matches: bool
    reasons: tuple[str, ...]


def matching(routes: Iterable[Route], picture: Routed, at: datetime) -> tuple[Matched, ...]:
    """Return what each route says of a picture; those of the highest priority first, then by name."""
    ordered = sorted(routes, key=lambda route: (-route.priority, route.name))
    return tuple(_matched(route, picture, at) for route in ordered)


def _matched(route: Route, picture: Routed, at: datetime) -> Matched:
    against = tuple(_objections(route, picture, at)) or tuple(_never_open(route, at))
    met = tuple(f"{name} is {fact}" for name, wanted, fact in _asked(route, picture) if wanted)
    return Matched(route=route, matches=not against, reasons=against or met or ("it asks nothing of a picture",))


def _objections(route: Route, picture: Routed, at: datetime) -> Iterator[str]:
    """Say everything that keeps the route from matching, but its window."""
    if not route.enabled:
        yield "the route is switched off"
    if route.expires is not None and route.expired(at):
        yield f"the route's last day was {route.expires.isoformat()}"
    if picture.trigger is not None and picture.trigger not in route.triggers:
        yield f"the route isn't for {picture.trigger}, but for {_listed(route.triggers)}"
    if picture.trigger is Trigger.KEY_OBJECT and picture.purpose is not route.purpose:
        yield f"the route is for {route.purpose}, and {picture.purpose or 'no purpose'} was asked for"
    for name, wanted, fact in _asked(route, picture):
        if wanted and fact not in wanted:
            yield f"{name} {f'is {fact}' if fact else 'is not known'}, and the route is for {_listed(wanted)}"


def _never_open(route: Route, at: datetime) -> Iterator[str]:
    """Say that the window doesn't open in time; it takes ten times as long to find out as everything else."""
    opens = route.opening(at)
    if opens is None:
        yield "the route's window never opens"
    elif route.expired(opens):
        yield "the route's last day is over before its window opens"


def _asked(route: Route, picture: Routed) -> Iterator[tuple[str, frozenset[str], str]]:
    """Give each condition: its name, what it wants, and what the picture has."""
    conditions = route.conditions
    yield "the SOP class", conditions.sop_classes, picture.sop_class_uid
    yield "the body site", conditions.body_sites, picture.body_site
    yield "the department", conditions.departments, picture.department
    yield "what it was made for", frozenset(map(str, conditions.made_for)), str(picture.made_for or "")


def _listed(words: Iterable[str]) -> str:
    return " or ".join(sorted(words)) or "nothing"
