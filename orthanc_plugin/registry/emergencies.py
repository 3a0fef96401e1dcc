"""What a grant of emergency access makes of a request, and how the trail tells of it.

Knows grants and the policy's questions. Must not decide, nor know rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.model import BreakGlass, Case, Decision, Request
from orthanc_plugin.registry.breakglass import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """A live grant of emergency access, with what is decided under it and what would be without."""

    grant: Grant
    under_it: Decision
    without: Decision

    @property
    def overrides(self) -> bool:
        """Tell whether it is the grant that opens the picture."""
        return self.under_it.permits


def overriding(request: Request, grant: Grant) -> Request:
    """Return the same request made for emergency care, in which the original is what is needed."""
    given = BreakGlass(reason=grant.reason, by_clinician=True)  # policy.toml gives the role to clinicians only
    return replace(request, purpose=Purpose.EMERGENCY_CARE, identifiable=True, break_glass=given)


def nameless(case: Case, grant: Grant | None) -> Case:
    """Return the case with the grant's id for the reason of an emergency, which is a person's own words."""
    if grant is None or case.request.break_glass is None:
        return case
    named = replace(case.request.break_glass, reason=f"emergency access {grant.grant_id}")
    return replace(case, request=replace(case.request, break_glass=named))


def said(emergency: Emergency | None) -> str:
    """Return the words of the trail on emergency access, '' when there was none."""
    if emergency is None:
        return ""
    ordinary, under_it = emergency.without, emergency.under_it
    return (
        f"; emergency access {emergency.grant.grant_id}: {under_it.effect} ({', '.join(under_it.rules)})"
        f"; without it: {ordinary.effect} ({', '.join(ordinary.rules)})"
    )
