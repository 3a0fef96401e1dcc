"""The house rules that a linter can't see."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dicomwrap", "orthanc_plugin")
CAP = 350
READS_THE_CLOCK = ("now", "utcnow", "today", "localtime", "gmtime", "time", "monotonic", "perf_counter")
MAY_READ_THE_CLOCK = (Path("orthanc_plugin/clock.py"), Path("dicomwrap/cli"))
POLICY = ROOT / "orthanc_plugin" / "policy"


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Give the modules that a file imports, with the names taken from packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_look_at() -> None:
    assert all(len(sources(package)) > 10 for package in (*PACKAGES, "tests"))
    assert list(POLICY.glob("*.py"))


@pytest.mark.parametrize("path", sources(*PACKAGES, "demo", "tests"), ids=named)
def test_no_module_is_longer_than_the_cap(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= CAP


@pytest.mark.parametrize("path", sources("orthanc_plugin/policy"), ids=named)
def test_the_policy_imports_the_standard_library_the_vocabulary_and_itself(path: Path) -> None:
    own = ("orthanc_plugin.policy.", "dicomwrap.terms.")
    foreign = [
        module
        for module in imported(path)
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith(own)
    ]
    assert foreign == []


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=named)
def test_nobody_but_the_clock_reads_the_time(path: Path) -> None:
    place = path.relative_to(ROOT)
    if any(place == allowed or allowed in place.parents for allowed in MAY_READ_THE_CLOCK):
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    read = [
        f"line {call.lineno}"
        for call in calls
        if (isinstance(call.func, ast.Attribute) and call.func.attr in READS_THE_CLOCK)
        or (isinstance(call.func, ast.Name) and call.func.id in ("now", "today", "utcnow"))
    ]
    assert read == []


@pytest.mark.parametrize("path", sources(*PACKAGES), ids=named)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", [path for path in sources(*PACKAGES) if path.name == "__init__.py"], ids=named)
def test_an_init_holds_no_code(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    allowed = (ast.Expr, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    if path.parent.name != "dicomwrap":  # whose names are resolved lazily (PEP 562)
        assert all(isinstance(statement, allowed) for statement in body)


@pytest.mark.parametrize("path", sources("tests"), ids=named)
def test_no_test_patches_what_it_tests(path: Path) -> None:
    assert not [module for module in imported(path) if module.startswith(("unittest.mock", "mock"))]
