"""Disclosures (what left, to whom, for what) and tasks (what somebody must do).

Knows rows. A disclosure is written before the send, and its outcome after.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum, unique

from sqlalchemy import Connection, select, update

from orthanc_plugin.registry.tables import disclosures, tasks


@unique
class Delivery(StrEnum):
    """How a release ended."""

    BEGUN = "BEGUN"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One copy that left. ``released_uid`` is the SOP Instance UID the recipient got; ``sha256`` of its bytes."""

    disclosure_id: str
    decision_id: str
    sop_instance_uid: str
    released_uid: str
    recipient: str
    door: str
    purpose: str
    form: str
    profile: str
    consents: tuple[str, ...]
    sha256: str
    at: str
    outcome: Delivery = Delivery.BEGUN


def disclose(connection: Connection, disclosure: Disclosure) -> None:
    """Write down a release that is about to begin."""
    connection.execute(disclosures.insert().values({**asdict(disclosure), "consents": json.dumps(disclosure.consents)}))


def deliver(connection: Connection, disclosure_id: str, outcome: Delivery) -> None:
    """Write down how it ended."""
    connection.execute(update(disclosures).where(disclosures.c.disclosure_id == disclosure_id).values(outcome=outcome))


def disclosed(connection: Connection, sop_instance_uid: str | None = None) -> list[dict[str, object]]:
    """Return the disclosures, oldest first."""
    query = select(disclosures).order_by(disclosures.c.at)
    if sop_instance_uid is not None:
        query = query.where(disclosures.c.sop_instance_uid == sop_instance_uid)
    return [dict(row._mapping) for row in connection.execute(query)]


def open_task(connection: Connection, *, task_id: str, kind: str, subject: str, reason: str, at: datetime) -> None:
    """Open a task unless the same one is open already."""
    same = (tasks.c.kind == kind) & (tasks.c.subject == subject) & tasks.c.closed_at.is_(None)
    if connection.execute(select(tasks.c.task_id).where(same)).first() is None:
        connection.execute(
            tasks.insert().values(task_id=task_id, kind=kind, subject=subject, reason=reason, opened_at=at.isoformat())
        )


def close_tasks(connection: Connection, *, kind: str, subject: str, by: str, at: datetime) -> None:
    """Close every open task of this kind on this subject."""
    same = (tasks.c.kind == kind) & (tasks.c.subject == subject) & tasks.c.closed_at.is_(None)
    connection.execute(update(tasks).where(same).values(closed_at=at.isoformat(), closed_by=by))


def open_tasks(connection: Connection, kind: str | None = None) -> list[dict[str, object]]:
    """Return the open tasks, oldest first."""
    query = select(tasks).where(tasks.c.closed_at.is_(None)).order_by(tasks.c.opened_at)
    if kind is not None:
        query = query.where(tasks.c.kind == kind)
    return [dict(row._mapping) for row in connection.execute(query)]
