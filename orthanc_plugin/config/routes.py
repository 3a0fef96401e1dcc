"""Routes as policy.toml writes them (``[[routes]]``), and what they are to the policy.

Knows conditions as data and the names they may use. Must not know pictures, nor match. Everything that is wrong is told
at once, with the route that it is wrong with; a route whose last day is over is no fault, but matches nothing.

Sources: requirements 001-8 (a destination's owner, purposes and expiry), PS3.4 annex B (SOP classes), PS3.16 CID 4029.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, time
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from dicomwrap.anatomy import body_site
from dicomwrap.errors import PatientDetailsError
from dicomwrap.terms import Purpose
from orthanc_plugin.clock import LONDON
from orthanc_plugin.config.bindings import STRICT, Destination, Name, Words
from orthanc_plugin.policy.model import MadeFor
from orthanc_plugin.policy.routing import BY_ITSELF, Conditions, Day, Route, Trigger, Window

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
Department = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Find = Callable[[str], Destination | None]
MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a route sends: ``since`` to ``until``, over midnight where that is earlier, on these days."""

    __pydantic_config__ = STRICT
    days: frozenset[Day] = frozenset(Day)
    since: time = time.min
    until: time = time.min


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChoice:
    """One route. ``purpose`` is written out though the recipient has one: whoever reads the route sees what for."""

    __pydantic_config__ = STRICT
    name: Name
    recipient: Name
    purpose: Purpose
    owner: Words = ""
    sop_classes: frozenset[Uid] = frozenset()
    body_sites: frozenset[str] = frozenset()
    departments: frozenset[Department] = frozenset()
    made_for: frozenset[MadeFor] = frozenset()
    priority: Annotated[int, Field(strict=True, ge=-MOST, le=MOST)] = 0
    window: Hours | None = None
    expires: date | None = None
    alternates: tuple[Name, ...] = ()
    triggers: frozenset[Trigger] = field(default=BY_ITSELF)
    enabled: bool = True

    @property
    def route(self) -> Route:
        """Return it as the policy takes it, in the hospital's own time."""
        hours = self.window
        return Route(
            name=self.name,
            recipient=self.recipient,
            purpose=self.purpose,
            conditions=Conditions(
                sop_classes=self.sop_classes,
                body_sites=self.body_sites,
                departments=self.departments,
                made_for=self.made_for,
            ),
            priority=self.priority,
            window=Window(days=hours.days, since=hours.since, until=hours.until) if hours else None,
            expires=self.expires,
            owner=self.owner,
            alternates=self.alternates,
            triggers=self.triggers,
            enabled=self.enabled,
            zone=LONDON,
        )


def route_faults(routes: Iterable[RouteChoice], find: Find) -> Iterator[str]:
    """Say what is wrong with routes, each by its name; ``find`` gives the destination of a name."""
    for each in routes:
        yield from (f"routes.{each.name}: {fault}" for fault in (*_own_faults(each), *_bound_faults(each, find)))


def _own_faults(route: RouteChoice) -> Iterator[str]:
    if not route.owner:
        yield "owner is missing; somebody must answer for it"
    if not route.triggers:
        yield "triggers is empty, so nothing would ever be sent; leave it out for all but key objects"
    if route.window is not None and not route.window.days:
        yield "window.days is empty, so it never opens; leave it out for every day"
    for hour in (route.window.since, route.window.until) if route.window else ():
        if hour.tzinfo is not None:
            yield "window: hours are the hospital's own; write them without a zone"
    yield from (f"body_sites: {code!r} is no code of CID 4029" for code in sorted(route.body_sites) if not _site(code))


def _site(code: str) -> bool:
    """Tell whether a body site has this code; its meaning or a plain word is none."""
    try:
        return body_site(code).value == code
    except PatientDetailsError:
        return False


def _bound_faults(route: RouteChoice, find: Find) -> Iterator[str]:
    """Say what is wrong with where it sends."""
    if len({route.recipient, *route.alternates}) <= len(route.alternates):
        yield "a recipient is there more than once"
    for name in (route.recipient, *route.alternates):
        if (found := find(name)) is None:
            yield f"recipient {name!r} is neither a node that may receive nor among the recipients"
        elif found.purpose is not route.purpose:
            yield f"it is for {route.purpose}, and {name} is bound to {found.purpose}"
