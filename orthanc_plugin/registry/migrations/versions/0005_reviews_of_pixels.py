"""Reviews in steps, tied to the pixels and to a profile; and who asked for the copies that wait for one."""

from __future__ import annotations

import re
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, new_id, now
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.trail import append

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; what is there stays a verdict on the very bytes that it named, whatever the profile."""
    op.add_column("reviews", sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("reviews", sa.Column("kind", sa.String(length=16), nullable=False, server_default="VERDICT"))
    for name in ("pixels", "profile", "profile_digest"):
        op.add_column("reviews", sa.Column(name, sa.String(length=64), nullable=False, server_default=""))
    for name in ("regions", "findings"):
        op.add_column("reviews", sa.Column(name, sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "review_requests",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid", "requester", "recipient", "purpose"),
    )
    _seal_what_is_there(now, new_id)


def _seal_what_is_there(clock: Clock, ids: Ids) -> None:
    """Seal the reviews that version 0.1 left unsealed, so that from here on every one without a seal is forged."""
    connection = op.get_bind()
    columns = "review_id, sop_instance_uid, sha256, outcome, checklist, reviewer, reviewed_at, note"
    rows = connection.execute(sa.text(f"SELECT {columns} FROM reviews ORDER BY review_id")).mappings().all()  # noqa: S608
    if not rows:
        return
    bodies = connection.execute(sa.text("SELECT body FROM trail")).scalars()
    known = {name for body in bodies for name in re.findall(r"review record (\S+) sha256 ", body)}
    unsealed = (row for row in rows if row["review_id"] not in known)
    seals = (sealed("review record ", row["review_id"], dict(row)) for row in unsealed)
    append(connection, [_entry(ids(), clock(), seal) for seal in seals])


def _entry(event_id: str, at: datetime, seal: str) -> AuditEvent:
    return AuditEvent(
        id=event_id,
        at=at,
        event=EventType.APPLICATION_ACTIVITY,
        outcome=Outcome.SUCCESS,
        actor="consentgate",
        door="consentgate db upgrade",
        effect="REVIEW_SEALED",
        detail=seal,
    )
