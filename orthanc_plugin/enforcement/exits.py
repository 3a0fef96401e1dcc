"""The table of HTTP exits: what each (method, route) is, and by what it names pictures. What isn't here is denied.

Knows how a request is matched to its row. Must not decide who may use it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from orthanc_plugin.config.settings import Settings
from orthanc_plugin.enforcement import dicomwebroutes, ownroutes, routes
from orthanc_plugin.enforcement.route import SUBJECTS, Kind, Route, pattern
from orthanc_plugin.registry.images import Subject

ROUTES: Final[tuple[Route, ...]] = (*ownroutes.ROUTES, *routes.ROUTES, *dicomwebroutes.ROUTES)
# Empty parts, parts that are one or two points, and characters that are read in more than one way.
UNCANONICAL: Final = re.compile(r"//|[\0\\%]|/\.{1,2}(?:/|\Z)")
METHODS: Final[dict[int, str]] = {1: "GET", 2: "POST", 3: "PUT", 4: "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A request matched to its row, and what names the pictures."""

    route: Route
    subject: Subject | None = None
    names: tuple[str, ...] = ()

    @property
    def door(self) -> str:
        """Return the exit's name for the trail; it has no identifiers in it."""
        return f"{self.route.method} {self.route.path}"


@cache
def _patterns() -> Mapping[tuple[str, str], tuple[tuple[re.Pattern[str], Route], ...]]:
    """Return the rows by method and first part of their path, in their order; no row's path begins with a name."""
    found: dict[tuple[str, str], tuple[tuple[re.Pattern[str], Route], ...]] = {}
    for route in ROUTES:
        key = (route.method, _first(route.path))
        found[key] = (*found.get(key, ()), (pattern(route.path), route))
    return found


def _first(path: str) -> str:
    return path.split("/", 2)[1]


def normalised(uri: str) -> str | None:
    """Return the path as Orthanc's router will read it, or None when it is not in canonical form."""
    if not uri.startswith("/") or UNCANONICAL.search(uri):
        return None
    return uri.rstrip("/") or "/"


def classify(method: str, uri: str, arguments: Mapping[str, str]) -> Match | None:
    """Return the row for a request; None, which means no, when there is none.

    Args:
        method: HTTP method as the handler will see it.
        uri: path as the filter is given it.
        arguments: GET arguments.
    """
    path = normalised(uri)
    if path is None or len({name.lower() for name in arguments}) < len(arguments):
        return None  # two arguments that differ by case only: a handler might read the other one
    for regex, route in _patterns().get((method, _first(path)), ()):
        found = regex.fullmatch(path)
        if found is None:
            continue
        if not route.subject:
            return Match(route=route)
        key = route.subject
        name = arguments.get(key[1:], "") if key.startswith("?") else found[key]
        return Match(route=route, subject=SUBJECTS[key], names=(name,))
    return None


def listed() -> list[dict[str, object]]:
    """Return the table for people and other programs."""
    return [
        {
            "method": route.method,
            "route": route.path,
            "kind": route.kind.value,
            "roles": list(_roles(route)),
            "reason": route.reason,
        }
        for route in ROUTES
    ]


def _roles(route: Route) -> Iterator[str]:
    """Give who may use a row: accounts with the role, 'any' bound account, and 'internal', which is Consentgate."""
    if route.kind is not Kind.FORBIDDEN:
        yield str(route.needs or "any")
    if route.internal:
        yield "internal"


def table_file(settings: Settings) -> Path:
    """Return where the running plugin leaves its table: beside the secret of its start, and gone when it stops."""
    return settings.path(settings.orthanc.boot_secret).with_name("doors.json")


def write_table(settings: Settings) -> Path:
    """Leave the table for ``consentgate doors``; there is nothing secret in it."""
    path = table_file(settings)
    path.write_text(json.dumps(listed(), indent=1), encoding="utf-8")
    return path
