"""Versions of the retention schedule: who proposed each, what it would move, who activated it.

Knows rows. Must not know rules nor who may activate. The text itself is kept, so that a file that was changed since
counts for nothing, and every date can be reckoned again under the version of its time.

Source: requirements T-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.retentiontables import retention_schedules
from orthanc_plugin.registry.stored import sealed, unreadable

SEAL: Final = "retention schedule "


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of the schedule as it stands in the registry; ``moved``: what the dry run counted."""

    digest: str
    version: str
    body: str
    moved: Mapping[str, object]
    proposed_at: str
    proposed_by: str
    activated_at: str | None
    activated_by: str | None

    @property
    def pending(self) -> bool:
        """Tell whether it waits for somebody to activate it: it never was, or was proposed anew since."""
        return self.activated_at is None or self.activated_at < self.proposed_at


def propose(
    connection: Connection,
    digest: str,
    *,
    version: str,
    body: str,
    moved: Mapping[str, object],
    by: str,
    at: datetime,
) -> Version:
    """File a version, which counts for nothing until it is activated; when it was in force before stays written."""
    said = {"moved": json.dumps(dict(moved), sort_keys=True), "proposed_at": at.isoformat(), "proposed_by": by}
    known = update(retention_schedules).where(retention_schedules.c.digest == digest).values(said)
    if not connection.execute(known).rowcount:
        new = {"digest": digest, "version": version, "body": body}
        connection.execute(retention_schedules.insert().values(**new, **said))
    return get(connection, digest)


def activate(connection: Connection, digest: str, *, by: str, at: datetime) -> Version:
    """Note that a version is in force from now on.

    Raises:
        UnknownRecordError: nobody has proposed it.
    """
    values = {"activated_at": at.isoformat(), "activated_by": by}
    connection.execute(update(retention_schedules).where(retention_schedules.c.digest == digest).values(values))
    return get(connection, digest)


def active(connection: Connection) -> Version | None:
    """Return the version in force, None before any was activated."""
    table = retention_schedules.c
    query = select(retention_schedules).where(table.activated_at.is_not(None)).order_by(table.activated_at.desc())
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _version(row)


def get(connection: Connection, digest: str) -> Version:
    """Return a version.

    Raises:
        UnknownRecordError: nobody has proposed it.
    """
    row = connection.execute(select(retention_schedules).where(retention_schedules.c.digest == digest)).first()
    if row is None:
        raise UnknownRecordError(
            "No schedule with this SHA-256 was proposed.",
            remedy="Propose it: 'consentgate retention schedule propose'.",
        )
    return _version(row)


def listed(connection: Connection) -> tuple[Version, ...]:
    """Return every version, oldest proposal first."""
    table = retention_schedules.c
    query = select(retention_schedules).order_by(table.proposed_at, table.digest)
    return tuple(_version(row) for row in connection.execute(query))


def seal(connection: Connection, digest: str) -> str:
    """Return the words that tie a version as it stands to its entry in the trail."""
    row = connection.execute(select(retention_schedules).where(retention_schedules.c.digest == digest)).one()
    return sealed(SEAL, digest, dict(row._mapping))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version as it stands."""
    for row in connection.execute(select(retention_schedules), execution_options=IN_PARTS):
        yield sealed(SEAL, row.digest, dict(row._mapping))


def _version(row: Row[tuple[object, ...]]) -> Version:
    try:
        moved = dict(json.loads(row.moved))
    except (ValueError, TypeError):
        raise unreadable("retention_schedules.moved") from None
    return Version(
        digest=row.digest,
        version=row.version,
        body=row.body,
        moved=moved,
        proposed_at=row.proposed_at,
        proposed_by=row.proposed_by,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
    )
