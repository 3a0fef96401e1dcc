"""What preflight has to say of one option.

Knows nothing but its words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orthanc_plugin.enforcement.options import Severity
from orthanc_plugin.errors import OpenExitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One option that is not as it must be."""

    severity: Severity
    option: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.option}: {self.problem} {self.remedy}"


def refused(option: str, problem: str, remedy: str) -> Finding:
    """Return a finding that keeps Orthanc from starting."""
    return Finding(severity=Severity.REFUSE, option=option, problem=problem, remedy=remedy)


def warned(option: str, problem: str, remedy: str) -> Finding:
    """Return a finding that is told, and no more."""
    return Finding(severity=Severity.WARN, option=option, problem=problem, remedy=remedy)


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, refusals first."""
    return tuple(sorted(found, key=lambda finding: (finding.severity is Severity.WARN, finding.option)))


def require_safe(found: Iterable[Finding]) -> None:
    """Refuse to go on while there is a refusal in ``found``.

    Raises:
        OpenExitError: with every refusal and its remedy.
    """
    refusals = tuple(str(finding) for finding in found if finding.severity is Severity.REFUSE)
    if refusals:
        raise OpenExitError("Consentgate does not start: images could leave unasked, or be lost.", problems=refusals)
