"""Data keys that were there before had no seal of their own: each is sealed once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from alembic import op

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import Clock, Ids, new_id, now
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.trail import append

revision = "0028"
down_revision = "0027"

SEAL = "storage key "
NAMES: Final = ("key_id", "kind", "subject", "wrapped", "site_key", "created_at", "destroyed_at")
EARLIER = f"SELECT count(*) FROM trail WHERE body LIKE '%{SEAL}{'_' * 32} sha256 %'"  # noqa: S608 - a name has 32 digits


def upgrade() -> None:
    """Seal each data key."""
    _seal_what_is_there(now, new_id)


def _seal_what_is_there(clock: Clock, ids: Ids) -> None:
    """Seal each key once: where the trail has such seals, a row without one is no older one."""
    connection = op.get_bind()
    if connection.execute(sa.text(EARLIER)).scalar_one() == 0:
        append(connection, [_entry(ids(), clock(), seals) for seals in pieces(tuple(_seals(connection)))])


def _seals(connection: sa.Connection) -> Iterator[str]:
    for row in connection.execute(sa.text(f"SELECT {', '.join(NAMES)} FROM storage_keys ORDER BY 1")):  # noqa: S608
        yield sealed(SEAL, str(row.key_id), dict(row._mapping))


def _entry(event_id: str, at: datetime, seals: tuple[str, ...]) -> AuditEvent:
    return AuditEvent(
        id=event_id,
        at=at,
        event=EventType.APPLICATION_ACTIVITY,
        outcome=Outcome.SUCCESS,
        actor="consentgate",
        door="consentgate db upgrade",
        effect="DATA_KEYS_SEALED_AT_UPGRADE",
        detail="\n".join(seals),
    )
