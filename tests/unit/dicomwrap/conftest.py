"""What the tests of the wrapper tell at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.terminal import TerminalReporter

PHOTOGRAPH = "photograph"


def _told(reporter: TerminalReporter) -> Iterator[str]:
    reports = [report for kind in ("passed", "failed") for report in reporter.stats.get(kind, [])]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PHOTOGRAPH and report.when == "call":
                yield f"{'' if report.passed else 'FAILED: '}{value}"


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print a table of the shared photographs: file, outcome, reason."""
    lines = sorted(_told(terminalreporter))
    if lines:
        terminalreporter.section("shared photographs")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def tell(record_property: object) -> object:
    """Give a function that puts a line into the table at the end."""
    return lambda name, outcome, reason="": record_property(PHOTOGRAPH, f"{name:52} {outcome:18} {reason}".rstrip())  # type: ignore[operator]
