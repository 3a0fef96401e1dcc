"""Releases whose courier is gone and whose row nobody claims any more: their end has to be written down by others.

Knows rows. Must not know what follows. Whoever claims a dead courier's row settles what that had begun; a row that was
cancelled in its hands is claimed by nobody.

Sources: architecture 4 (leases); requirements 2.8.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from dicomwrap.terms import Purpose
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outboxrows import State
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.tables import disclosures


@dataclass(frozen=True, slots=True, kw_only=True)
class Unended:
    """A release that began, of a row that has been in nobody's hands for a while."""

    disclosure_id: str
    sop_instance_uid: str
    route: str
    purpose: Purpose


def left_behind(connection: Connection, disclosure_ids: Collection[str], before: datetime) -> list[Unended]:
    """Return which of these releases have not ended although their rows left every courier's hands before a moment.

    Args:
        connection: open transaction.
        disclosure_ids: of the releases.
        before: a courier that lost a row later than that may still be at it.
    """
    same = disclosures.c.disclosure_id == outbox.c.disclosure_id
    picture = outbox.c.sop_instance_uid == disclosures.c.sop_instance_uid  # which has an index
    found: list[Unended] = []
    for some in pieces(disclosure_ids):
        query = (
            select(outbox.c.disclosure_id, outbox.c.sop_instance_uid, outbox.c.route, outbox.c.purpose)
            .add_columns(outbox.c.changed_at)
            .join(disclosures, same & picture)
            .where(disclosures.c.disclosure_id.in_(some), disclosures.c.outcome == Delivery.BEGUN)
            .where(outbox.c.state != State.CLAIMED)
        )
        found += [
            Unended(
                disclosure_id=str(row.disclosure_id),
                sop_instance_uid=row.sop_instance_uid,
                route=row.route,
                purpose=Purpose(row.purpose),
            )
            for row in connection.execute(query)
            if datetime.fromisoformat(row.changed_at) <= before
        ]
    return found
