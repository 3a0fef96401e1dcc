"""The facts that decisions were taken on, so that they can be taken again.

Knows rows named by the SHA-256 of what they hold: many decisions rest on the same facts, which are kept once. The
request and the policy of a decision are in its trail entry.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orthanc_plugin.audit.event import canonical
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.casefile import facts_as_mapping
from orthanc_plugin.policy.model import Case
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import unreadable
from orthanc_plugin.registry.tables import snapshots

KEPT: Final = prepared(
    sqlite_insert(snapshots).on_conflict_do_nothing(),
    postgresql=postgresql_insert(snapshots).on_conflict_do_nothing(),
)


class Snapshot(NamedTuple):
    """The facts of a decision as text, and its digest."""

    digest: str
    body: str

    def keep(self, connection: Connection) -> str:
        """Keep them, and return their digest."""
        KEPT.run(connection, digest=self.digest, body=self.body)
        return self.digest


def of(case: Case) -> Snapshot:
    """Return the facts of ``case`` (not what was asked, nor the policy)."""
    return named(canonical(facts_as_mapping(case)))


def named(body: str) -> Snapshot:
    """Return the facts that this text tells."""
    return Snapshot(_digest(body), body)


def keep(connection: Connection, case: Case) -> str:
    """Keep the facts of ``case`` and return their digest."""
    return of(case).keep(connection)


def read(connection: Connection, digest: str) -> dict[str, object]:
    """Return the facts with this digest: a case of the case format but for ``id``, ``policy`` and ``request``.

    Raises:
        UnknownRecordError: they weren't kept.
        UnreadableRowError: they aren't what was kept.
    """
    row = connection.execute(select(snapshots.c.body).where(snapshots.c.digest == digest)).first()
    if row is None:
        raise UnknownRecordError(
            "The facts of this decision were not kept.",
            remedy="Decisions that an older version recorded can't be taken again.",
        )
    if _digest(row.body) != digest:
        raise unreadable("snapshots.body")
    facts: dict[str, object] = json.loads(row.body)
    return facts


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
