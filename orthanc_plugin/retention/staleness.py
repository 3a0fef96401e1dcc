"""Say which sources are too old for a proposal to rest on, since when, and what to do about it.

Knows what each source has told, and when. Must not reckon dates.

Source: requirement T-12 (older than ``max_feed_age``: no proposals are made).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry import retentionfacts
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.retentiongather import Around
from orthanc_plugin.registry.retentiontables import retention_facts
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.records import Records

REMEDY: Final = (
    "Take in what the source tells now ('consentgate retention facts import' or 'pull', or have it push). Lines that "
    "failed are in FILE.errors.csv: correct them, and import that file with the same --as-of. See 'consentgate "
    "retention facts feeds'."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A source that is too old: the moment up to which all it knew was taken in, None when never; and why, in words."""

    source: str
    told_at: datetime | None
    why: str


class StaleFactsError(IllegalTransitionError):
    """Nothing is proposed: ``sources`` are too old."""

    remedy = REMEDY

    def __init__(self, sources: Sequence[Aged]) -> None:
        super().__init__(f"Nothing is proposed on facts that are too old: {'; '.join(each.why for each in sources)}.")
        self.sources = tuple(sources)


class AsIfFresh(Records):
    """Looks at records as if no source were too old: to count them, never to propose them."""

    def around(self, connection: Connection, act: Act) -> Around:
        """Return what all records share now, but for what is too old."""
        return replace(super().around(connection, act), stale=())


def aged(connection: Connection, act: Act, shared: Around) -> tuple[Aged, ...]:
    """Return the sources that are too old now, in the schedule's order."""
    known = retentionfacts.feeds(connection)
    return tuple(
        Aged(source=name, told_at=told_at, why=_why(connection, act, shared, name, told_at))
        for name in shared.stale
        for told_at in (known[name].told_at if name in known else None,)
    )


def _why(connection: Connection, act: Act, shared: Around, source: str, told_at: datetime | None) -> str:
    if told_at is None:
        words = f"all that {source} knows was never told"
    elif told_at > act.at:
        words = f"{source} is fresh as of {told_at.isoformat()}, which this machine's clock has to come"
    else:
        hours = shared.schedule.max_feed_age / timedelta(hours=1)
        words = f"{source} is fresh as of {told_at.isoformat()} only, which is more than {hours:g} hours ago"
    half = [moment for moment in _told(connection, source) if told_at is None or moment > told_at]
    if half:
        words += f", and of what it told as of {max(half).isoformat()} not all was taken in"
    return words


def _told(connection: Connection, source: str) -> list[datetime]:
    """Return the moments of which anything was taken in from a source."""
    query = select(retention_facts.c.told_at).where(retention_facts.c.source == source).distinct()
    return [datetime.fromisoformat(each) for each in connection.execute(query, execution_options=IN_PARTS).scalars()]
