"""Records that are transferred to a place of deposit, and where a decision says that one goes.

What copies were marked as (published, key destroyed) had no seal until now, and is sealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, new_id, now
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.trail import append

revision = "0016"
down_revision = "0015"

MARK = "disclosure mark "
MARKED = (
    "SELECT disclosure_id, kind, key_destroyed FROM disclosures WHERE kind <> 'COPY' OR key_destroyed <> 0 ORDER BY 1"
)
EARLIER = "SELECT count(*) FROM trail WHERE body LIKE '%disclosure mark %sha256 %'"


def _text(name: str, length: int, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, server_default=default)


def upgrade() -> None:
    """Add the transfers, and the place to each decision."""
    op.add_column("disposition_decisions", _text("place", 64, ""))
    op.create_table(
        "disposition_transfers",
        _text("transfer_id", 64),
        _text("plan_id", 64),
        sa.Column("line", sa.Integer(), nullable=False),
        _text("decision_id", 64),
        _text("study_sha256", 64),
        _text("place", 64),
        _text("state", 16),
        _text("begun_by", 64),
        _text("begun_at", 40),
        sa.Column("objects", sa.Integer(), nullable=False),
        _text("exported_at", 40, ""),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"),
        _text("bag_sha256", 64, ""),
        _text("receipt_sha256", 64, ""),
        _text("received_by", 64, ""),
        _text("received_on", 10, ""),
        _text("entered_by", 64, ""),
        _text("entered_at", 40, ""),
        _text("confirmed_by", 64, ""),
        _text("confirmed_at", 40, ""),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("transfer_id"),
    )
    op.create_index("disposition_transfers_by_line", "disposition_transfers", ["plan_id", "line"], unique=False)
    op.create_index("disposition_transfers_by_state", "disposition_transfers", ["state"], unique=False)
    _seal_what_is_there(now, new_id)


def _seal_what_is_there(clock: Clock, ids: Ids) -> None:
    """Seal each mark once: where the trail has such seals, a row without one is no older one."""
    connection = op.get_bind()
    if connection.execute(sa.text(EARLIER)).scalar_one() == 0:
        append(connection, [_entry(ids(), clock(), seals) for seals in pieces(tuple(_seals(connection)))])


def _seals(connection: sa.Connection) -> Iterator[str]:
    for name, kind, key_destroyed in connection.execute(sa.text(MARKED)):
        yield sealed(MARK, name, (kind, key_destroyed))


def _entry(event_id: str, at: datetime, seals: tuple[str, ...]) -> AuditEvent:
    return AuditEvent(
        id=event_id,
        at=at,
        event=EventType.APPLICATION_ACTIVITY,
        outcome=Outcome.SUCCESS,
        actor="consentgate",
        door="consentgate db upgrade",
        effect="MARKS_SEALED_AT_UPGRADE",
        detail="\n".join(seals),
    )
