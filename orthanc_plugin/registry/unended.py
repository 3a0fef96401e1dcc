"""Releases whose courier is gone and whose row nobody claims any more: their end has to be written down by others.

Knows rows. Must not know what follows. Whoever claims a dead courier's row settles what that had begun; a row that was
cancelled in its hands is claimed by nobody. A courier that lives and failed gives its rows back by itself.

Sources: architecture 4 (leases); requirements 2.8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, select, tuple_, update

from dicomwrap.terms import Purpose
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outboxrows import AT_ONCE, Claimed, State, as_text, moment_of
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.tables import disclosures

KEY: Final = (outbox.c.outbox_id, outbox.c.fence)
BROKE_OFF: Final = "the courier failed, and could not say how it ended"
Pause = Callable[[int], timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unended:
    """A release that began, of a row that is in nobody's hands any more.

    Attributes:
        since: when the row left the courier's hands, or when that last said that it is still at it.
    """

    disclosure_id: str
    sop_instance_uid: str
    route: str
    purpose: Purpose
    since: datetime


def left_behind(connection: Connection, disclosure_ids: Collection[str], before: datetime) -> list[Unended]:
    """Return which of these releases have not ended although their rows left every courier's hands before a moment.

    Args:
        connection: open transaction.
        disclosure_ids: of the releases.
        before: a courier that lost a row later than that may still be at it.
    """
    return [
        each
        for some in pieces(disclosure_ids)
        for each in _unended(connection, disclosures.c.disclosure_id.in_(some))
        if each.since <= before
    ]


def still_at_it(connection: Connection, claimed: Collection[Claimed], at: datetime) -> None:
    """Note that a courier hasn't ended with what was cancelled in its hands: a large picture takes hours to go."""
    for some in pieces(claimed):
        taken = [(each.outbox_id, each.fence + 1) for each in some]  # as ``outbox.cancel`` leaves it
        its = outbox.c.outbox_id.in_([each.outbox_id for each in some]), tuple_(*KEY).in_(taken)
        same = outbox.c.state == State.CANCELLED
        connection.execute(update(outbox).where(*its, same).values(changed_at=at.isoformat()))


def take_back(connection: Connection, courier: str, last: Collection[int], at: datetime, pause: Pause) -> list[Unended]:
    """Have what a courier claimed wait again, and return what it had begun of rows that are in its hands no more.

    A row is due at once. One that broke off the last time too waits as after any other failure: in front of a registry
    that comes and goes its attempts, meant to last for days, would be used up within the minute.

    Args:
        connection: open write transaction.
        courier: the one that asks, which has nothing in its hands.
        last: the rows that it had in hand last, for no index knows a courier's.
        at: now, by its clock.
        pause: how long to wait after so many attempts.
    """
    its = outbox.c.courier == courier
    mine = select(outbox.c.outbox_id, outbox.c.attempts, outbox.c.reason).where(its, outbox.c.state == State.CLAIMED)
    taken: dict[int, list[int]] = {}  # by how many attempts count for their pause, so that a study stays together
    for row in connection.execute(mine):
        taken.setdefault(row.attempts if row.reason == BROKE_OFF else 0, []).append(row.outbox_id)
    moment = moment_of(connection, at)
    for attempts, ids in taken.items():
        again = as_text(moment + pause(attempts)) if attempts else AT_ONCE
        values = {"state": State.WAITING, "reason": BROKE_OFF, "changed_at": at.isoformat(), "next_try": again}
        for some in pieces(ids):
            connection.execute(update(outbox).where(outbox.c.outbox_id.in_(some)).values(values))
    those = {*last, *(each for ids in taken.values() for each in ids)}
    return [each for some in pieces(those) for each in _unended(connection, its & outbox.c.outbox_id.in_(some))]


def _unended(connection: Connection, which: ColumnElement[bool]) -> list[Unended]:
    same = disclosures.c.disclosure_id == outbox.c.disclosure_id
    picture = outbox.c.sop_instance_uid == disclosures.c.sop_instance_uid  # which has an index
    query = (
        select(outbox.c.disclosure_id, outbox.c.sop_instance_uid, outbox.c.route, outbox.c.purpose)
        .add_columns(outbox.c.changed_at)
        .join(disclosures, same & picture)
        .where(which, disclosures.c.outcome == Delivery.BEGUN, outbox.c.state != State.CLAIMED)
    )
    return [
        Unended(
            disclosure_id=str(row.disclosure_id),
            sop_instance_uid=row.sop_instance_uid,
            route=row.route,
            purpose=Purpose(row.purpose),
            since=datetime.fromisoformat(row.changed_at),
        )
        for row in connection.execute(query)
    ]
