"""The core's paths that Consentgate answers are one expression for Orthanc, and every call reaches its path's hook."""

from __future__ import annotations

import json
import re

import pytest

from orthanc_plugin.archive.embedded import EmbeddedCore
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.exits import ROUTES
from orthanc_plugin.enforcement.overrides import by_path, overrides
from orthanc_plugin.enforcement.route import Kind
from orthanc_plugin.enforcement.switchboard import Hook, Switchboard, expression
from tests.fakes.exits import NOBODY
from tests.fakes.orthanc import RestOutput
from tests.fakes.world import MODALITIES, World

BODIES = [route.path for route in ROUTES if route.kind is Kind.BODY]
# A part of a path: one that is fixed somewhere, one that stands for a name, and ones that fit nothing.
PARTS = sorted({part for path in BODIES for part in path.split("/")[1:] if not part.startswith("{")})
FIRST = sorted({path.split("/")[1] for path in BODIES} | {"app", "consentgate"})
NAMES = [NOBODY, "1.2.3", "", " ", "a\nb", "find", "studies"]


@pytest.fixture
def paths(world: World) -> list[str]:
    """Give the expression of each path."""
    every = overrides(world.services, world.archive, EmbeddedCore(), MODALITIES, world.worker(), Acceptances().settled)
    return [regex for regex, _ in by_path(every)]


def whole() -> re.Pattern[str]:
    return re.compile(expression(BODIES))


def test_it_fits_what_one_of_the_paths_fits_and_nothing_else(paths: list[str]) -> None:
    asked = {"/".join(["", *parts]) for first in FIRST for second in NAMES for parts in longer(first, second)}
    asked |= {re.sub(r"\{\w+\}", NOBODY, route.path) for route in ROUTES}
    one = whole()
    for uri in asked:
        assert bool(one.fullmatch(uri)) is any(re.fullmatch(path, uri) for path in paths), uri
    assert sum(bool(one.fullmatch(uri)) for uri in asked) > len(paths)


def longer(first: str, second: str) -> list[list[str]]:
    """Return paths that begin so, up to the length of the longest."""
    found = [[first], [first, second]]
    for third in PARTS:
        found += [[first, second, third], [first, "studies", second, third], [first, "studies", second, third, second]]
        found += [[first, "studies", second, "series", second, third]]
    return found


@pytest.mark.parametrize("templates", [("/a",), ("/a", "/a/{x}"), ("/a/{x}", "/a/{y}/b"), ("/a.b", "/{x}")])
def test_templates_of_any_kind_are_told_as_they_are(templates: tuple[str, ...]) -> None:
    one = re.compile(expression(templates))
    for uri in ("", "/", "/a", "/a/", "/a/1", "/a/1/b", "/a/1/b/c", "/a.b", "/b"):
        fits = any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), uri) for each in templates)
        assert bool(one.fullmatch(uri)) is fits, uri


def told(name: str) -> Hook:
    """Return a hook that answers by its name."""

    def hook(output: RestOutput, uri: str, **request: object) -> None:
        output.AnswerBuffer(f"{name} {uri} {request['method']}".encode(), "text/plain")

    return hook


def called(uri: str, *paths: str) -> RestOutput:
    output = RestOutput()
    Switchboard({path: told(path) for path in paths}).hook(output, uri, method="GET")
    return output


def test_a_call_reaches_the_hook_of_its_path_as_it_came(paths: list[str]) -> None:
    for path in paths:
        uri = path.replace("([^/]+)", NOBODY)
        for given in (uri, uri + "/"):
            assert called(given, *paths).body == f"{path} {given} GET".encode()


@pytest.mark.parametrize("uri", ["/nothing", "/a/../a", "/a//", "a", "/a%2f"])
def test_what_fits_no_path_is_answered_by_nobody_else(uri: str) -> None:
    output = called(uri, "/a")
    assert output.status == 404
    assert json.loads(output.body)["error"]


def test_no_single_picture_is_asked_for_by_it() -> None:
    one = whole()
    pictures = {re.sub(r"\{\w+\}", NOBODY, route.path) for route in ROUTES if route.kind is Kind.IMAGE}
    assert [path for path in pictures if one.fullmatch(path)] == []
