"""What is to be sent, and who sends it; what had no seal until now is sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, new_id, now
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.trail import append

revision = "0010"
down_revision = "0009"

ASKED = "sop_instance_uid, requester, recipient, purpose, profile, asked_at"
EARLIER = re.compile(
    r'"effect":"SEALED_AT_UPGRADE"|("|\\n)(disclosure end|review request|linkage refusal) [^"]+ sha256 '
)


def _text(name: str, length: int, default: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable, server_default=default)


def upgrade() -> None:
    """Add the outbox, and what routes look at of a picture."""
    op.create_table(
        "outbox",
        sa.Column("outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        _text("route", 64),
        _text("recipient", 64),
        _text("purpose", 32),
        _text("sop_instance_uid", 64),
        _text("study_instance_uid", 64),
        sa.Column("priority", sa.Integer(), nullable=False),
        _text("state", 16),
        _text("cause", 16),
        _text("queued_at", 40),
        _text("changed_at", 40),
        _text("next_try", 40, ""),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        _text("courier", 64, ""),
        sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        _text("decision_id", 64, nullable=True),
        _text("disclosure_id", 64, nullable=True),
        sa.PrimaryKeyConstraint("outbox_id"),
        sa.UniqueConstraint("sop_instance_uid", "route", name="outbox_once"),
    )
    op.create_index("outbox_by_turn", "outbox", ["state", "priority", "next_try"], unique=False)
    op.create_index("outbox_by_study", "outbox", ["route", "study_instance_uid", "state", "next_try"], unique=False)
    op.create_table("marks", _text("name", 32), _text("at", 40), sa.PrimaryKeyConstraint("name"))
    _policies()
    op.add_column("images", _text("body_site", 16, ""))
    op.add_column("images", _text("department", 64, ""))
    _seal_what_is_there(now, new_id)


def _seal_what_is_there(clock: Clock, ids: Ids) -> None:
    """Seal how disclosures ended and who asked, so that from here on every such row without a seal is forged.

    Once only: where the trail has such seals, the rows came under them, and one without is no older one.
    """
    connection = op.get_bind()
    bodies = connection.execute(sa.text("SELECT body FROM trail"), execution_options={"yield_per": 1000}).scalars()
    if not any(map(EARLIER.search, bodies)):
        append(connection, [_entry(ids(), clock(), seals) for seals in pieces(tuple(_seals(connection)))])


def _seals(connection: sa.Connection) -> Iterator[str]:
    ended = "SELECT disclosure_id, outcome FROM disclosures WHERE outcome <> 'BEGUN' ORDER BY disclosure_id"
    for disclosure_id, outcome in connection.execute(sa.text(ended)):
        yield sealed("disclosure end ", disclosure_id, outcome)
    for row in connection.execute(sa.text(f"SELECT {ASKED} FROM review_requests ORDER BY {ASKED}")).mappings():  # noqa: S608
        name = " ".join(row[each] for each in ("sop_instance_uid", "requester", "recipient", "purpose"))
        yield sealed("review request ", name, dict(row))
    for task_id, name in connection.execute(sa.text("SELECT task_id, name FROM linkage_requests ORDER BY 1, 2")):
        yield sealed("linkage refusal ", f"{task_id} {name}", (task_id, name))


def _entry(event_id: str, at: datetime, seals: tuple[str, ...]) -> AuditEvent:
    return AuditEvent(
        id=event_id,
        at=at,
        event=EventType.APPLICATION_ACTIVITY,
        outcome=Outcome.SUCCESS,
        actor="consentgate",
        door="consentgate db upgrade",
        effect="SEALED_AT_UPGRADE",
        detail="\n".join(seals),
    )


def _policies() -> None:
    op.create_table(
        "policy_versions",
        _text("digest", 64),
        sa.Column("body", sa.Text(), nullable=False),
        _text("replaces", 64),
        _text("proposed_at", 40),
        _text("proposed_by", 64),
        _text("activated_at", 40, nullable=True),
        _text("activated_by", 64, nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
