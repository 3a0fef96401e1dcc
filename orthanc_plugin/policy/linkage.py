"""Whether so much of one patient is out in anonymised form that a person must look before more leaves.

Knows which audiences overlap, and how to count: what leaves of one study under one profile is one release, however many
pictures and however often. Must not know the ledger. What one visit doesn't tell, several can together; a reader who
sees them all pieces the details together (requirements 002-60; GMC social media 18 and 19).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dicomwrap.terms import Audience

TASK: Final = "LINKAGE_REVIEW"
# Anybody may be in these: what is published, or shown at a conference, everyone may have seen.
OPEN_AUDIENCES: Final = frozenset({Audience.JOURNAL, Audience.MEDIA, Audience.EXTERNAL_AUDIENCE})
# People who work together, so one person may be in several.
OF_THE_TRUST: Final = frozenset(
    {
        Audience.CARE_TEAM,
        Audience.TRUST_CLINICIAN,
        Audience.TRUST_STUDENTS,
        Audience.NAMED_COLLEAGUE,
        Audience.RESEARCH_TEAM,
        Audience.RECORDS_OFFICER,
    }
)
OF_PARTNERS: Final = frozenset({Audience.NAMED_COLLEAGUE, Audience.PARTNER_ORG_CLINICIAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An anonymised copy of a picture that left, or is to leave.

    Attributes:
        study: of which study.
        profile: under which profile it was made, so what it tells.
        audience: who received it; None when nobody can say any more.
        at: when it left.
    """

    study: str
    profile: str
    audience: Audience | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many releases of one patient there may be within how long before a person looks."""

    releases: int
    window: timedelta


def overlap(one: Audience | None, other: Audience | None) -> bool:
    """Tell whether somebody may be in both audiences; whoever is unknown may be anybody."""
    if one is None or other is None or one is other or not OPEN_AUDIENCES.isdisjoint((one, other)):
        return True
    return any({one, other} <= together for together in (OF_THE_TRUST, OF_PARTNERS))


def needs_review(released: Iterable[Copy], asked: Copy, limit: Limit, settled_at: datetime | None) -> bool:
    """Tell whether ``asked`` would be one release too many for those who may have seen the others.

    Args:
        released: the patient's copies that are out.
        asked: the one to leave now.
        limit: the hospital's.
        settled_at: when a person last looked and let more leave.
    """
    since = asked.at - limit.window
    if settled_at is not None:
        since = max(since, settled_at)
    seen = {
        (each.study, each.profile) for each in released if each.at > since and overlap(each.audience, asked.audience)
    }
    return (asked.study, asked.profile) not in seen and len(seen) >= limit.releases
