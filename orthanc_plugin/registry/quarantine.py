"""The list of what is held in the quarantine spool, and why.

Knows rows. The bytes are in ``registry.spool``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from sqlalchemy import Connection, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.tables import quarantine


@unique
class Status(StrEnum):
    """Where a held object stands."""

    HELD = "HELD"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object in quarantine. ``consent_id`` is a consent an officer linked to it; ``size`` is in bytes."""

    quarantine_id: str
    sop_instance_uid: str
    sha256: str
    size: int
    spool_name: str
    reasons: tuple[str, ...]
    origin: str
    received_at: str
    status: Status = Status.HELD
    consent_id: str | None = None
    settled_at: str | None = None
    settled_by: str | None = None


def _held(row: object) -> Held:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    return Held(**{**values, "reasons": tuple(json.loads(values["reasons"])), "status": Status(values["status"])})


def same(connection: Connection, sop_instance_uid: str, sha256: str) -> Held | None:
    """Return the row of exactly this object, so that a sender's retry makes no second one."""
    row = connection.execute(
        select(quarantine).where(quarantine.c.sop_instance_uid == sop_instance_uid, quarantine.c.sha256 == sha256)
    ).first()
    return _held(row) if row else None


def hold(connection: Connection, held: Held) -> None:
    """Record that the object is held, or held again after an earlier release."""
    known = same(connection, held.sop_instance_uid, held.sha256)
    values = {
        "spool_name": held.spool_name,
        "reasons": json.dumps(held.reasons),
        "received_at": held.received_at,
        "origin": held.origin,
        "status": Status.HELD,
    }
    if known is None:
        keys = ("quarantine_id", "sop_instance_uid", "sha256", "size", "consent_id")
        connection.execute(quarantine.insert().values({**{key: getattr(held, key) for key in keys}, **values}))
    else:
        connection.execute(update(quarantine).where(quarantine.c.quarantine_id == known.quarantine_id).values(values))


def listed(connection: Connection, status: Status | None = Status.HELD) -> list[Held]:
    """Return what is held (or all that ever was, with ``status`` None), oldest first."""
    query = select(quarantine).order_by(quarantine.c.received_at)
    if status is not None:
        query = query.where(quarantine.c.status == status)
    return [_held(row) for row in connection.execute(query)]


def get(connection: Connection, quarantine_id: str) -> Held:
    """Return one row.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(quarantine).where(quarantine.c.quarantine_id == quarantine_id)).first()
    if row is None:
        raise UnknownRecordError("Nothing in quarantine has this id.", remedy="See 'consentgate quarantine list'.")
    return _held(row)


def link(connection: Connection, quarantine_id: str, consent_id: str) -> None:
    """Record the consent that an officer says covers the object."""
    connection.execute(
        update(quarantine).where(quarantine.c.quarantine_id == quarantine_id).values(consent_id=consent_id)
    )


def settle(connection: Connection, quarantine_id: str, *, by: str, at: datetime) -> None:
    """Record that the object has left quarantine for the archive."""
    connection.execute(
        update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id)
        .values(status=Status.RELEASED, settled_at=at.isoformat(), settled_by=by)
    )
