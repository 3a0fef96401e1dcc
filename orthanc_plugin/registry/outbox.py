"""What is to be sent: queued by triggers, claimed by couriers, ended by what came of it, cancelled by a withdrawal.

Knows rows, and how couriers keep out of each other's way. Must not know routes, nor what is decided: a row is a wish,
and the decision is taken when it is sent. Whose turn it is, ``outboxclaims`` knows.

A claim is a lease: whoever doesn't renew it in time loses the rows to whoever claims next, and the fence, which grows
with every change of hands, tells the loser so. Time is the database's own: on PostgreSQL its server's, so that the
clock of a courier's host plays no part, and what a caller tells is only how long from now; on SQLite all who share the
file are on one host, and its clock is the caller's.

Sources: architecture 4 (outbox), enforcement 3.6; requirements 2.9 (what is queued is cancelled with the consent).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import holdings
from orthanc_plugin.registry.bulk import among, pieces
from orthanc_plugin.registry.named import those
from orthanc_plugin.registry.outboxclaims import claim as claim
from orthanc_plugin.registry.outboxclaims import first_due as first_due
from orthanc_plugin.registry.outboxclaims import highest as highest
from orthanc_plugin.registry.outboxclaims import is_due as is_due
from orthanc_plugin.registry.outboxrows import ANYWHERE, AT_ONCE, OPEN, as_text, moment_of, on_server
from orthanc_plugin.registry.outboxrows import Claimed as Claimed
from orthanc_plugin.registry.outboxrows import End as End
from orthanc_plugin.registry.outboxrows import Queued as Queued
from orthanc_plugin.registry.outboxrows import Row as Row
from orthanc_plugin.registry.outboxrows import State as State
from orthanc_plugin.registry.outboxstatements import BEGUN, ENDED, ENDED_EACH, HELD
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.tables import disclosures, images

GIVEN_BACK: Final = "the recipient has destroyed it or given it back"
CANCELLABLE: Final = (*OPEN, State.DEAD)
AGAIN: Final = (State.DEAD, State.REFUSED, State.CANCELLED)
RENEWED: Final = (
    *("recipient", "purpose", "study_instance_uid", "priority"),
    *("state", "cause", "queued_at", "changed_at", "next_try", "archive"),
)
AFRESH: Final[Row] = {"attempts": 0, "reason": ""}


def queue(connection: Connection, rows: Iterable[Queued], at: datetime, *, revive: bool = False) -> int:
    """Put rows in; return how many wait that didn't.

    What is there already is not queued twice: what a decision refused waits again, and with ``revive`` also what was
    cancelled.
    """
    found = {(row.sop_instance_uid, row.route): row for row in rows}
    if not found:
        return 0
    insert: postgresql.Insert | sqlite.Insert = (postgresql if on_server(connection) else sqlite).insert(outbox)
    again = (State.REFUSED, State.CANCELLED) if revive else (State.REFUSED,)
    statement = insert.on_conflict_do_update(
        index_elements=["sop_instance_uid", "route"],
        set_={**{name: insert.excluded[name] for name in RENEWED}, **AFRESH},
        where=or_(*(outbox.c.state == each for each in again)),  # a list isn't for many rows at once
    )
    when = {"state": State.WAITING, "queued_at": at.isoformat(), "changed_at": at.isoformat(), "next_try": AT_ONCE}
    places = holdings.places(connection, {uid for uid, _ in found})
    values = [{**asdict(row), **when, "archive": places.get(uid, ANYWHERE)} for (uid, _), row in found.items()]
    return connection.execute(statement, values, execution_options={"preserve_rowcount": True}).rowcount


def held(connection: Connection, claimed: Collection[Claimed], at: datetime) -> frozenset[int]:
    """Return the numbers of rows that are still the courier's, in the transaction that begins their releases."""
    named = those(connection, [each.outbox_id for each in claimed])
    moment = as_text(moment_of(connection, at))
    found = set(HELD.rows(connection, moment=moment, claimed=State.CLAIMED, those=named))
    return frozenset(each.outbox_id for each in claimed if (each.outbox_id, each.fence) in found)


def holds(connection: Connection, claimed: Claimed, at: datetime) -> bool:
    """Tell whether the row is."""
    return claimed.outbox_id in held(connection, (claimed,), at)


def renew(connection: Connection, claimed: Collection[Claimed], at: datetime, until: datetime) -> tuple[Claimed, ...]:
    """Extend the leases; return the rows that are still the courier's."""
    lease = as_text(moment_of(connection, at) + (until - at))
    ids: set[int] = set()
    for piece in pieces(claimed):
        fences = tuple_(outbox.c.outbox_id, outbox.c.fence).in_([(each.outbox_id, each.fence) for each in piece])
        by_key = outbox.c.outbox_id.in_([each.outbox_id for each in piece])
        held = (by_key, fences, outbox.c.state == State.CLAIMED)
        extended = update(outbox).where(*held).values(next_try=lease).returning(outbox.c.outbox_id)
        ids.update(connection.execute(extended).scalars())
    return tuple(each for each in claimed if each.outbox_id in ids)


def begun(connection: Connection, claimed: Claimed, decision_id: str, disclosure_id: str) -> None:
    """Write down by which decision and disclosure the row's picture begins to leave."""
    begun_together(connection, ((claimed, decision_id, disclosure_id),))


def begun_together(connection: Connection, those: Iterable[tuple[Claimed, str, str]]) -> None:
    """Write down the same of several rows: each with its decision and disclosure."""
    BEGUN.run_each(connection, ({"decision": by, "disclosure": as_, **_ours(row)} for row, by, as_ in those))


def ended(
    connection: Connection,
    claimed: Claimed,
    state: State,
    at: datetime,
    *,
    reason: str = "",
    next_try: datetime | None = None,
    untried: bool = False,
) -> bool:
    """Write down what came of it; False when the row is in other hands, or was cancelled, so nothing was written.

    ``next_try`` is by the courier's clock, as ``at`` is. ``untried``: nobody was called, so it doesn't count.
    """
    end = End(claimed=claimed, state=state, reason=reason, next_try=next_try, untried=untried)
    return bool(ENDED.rows(connection, **_end(connection, end, at)))


def ended_together(connection: Connection, ends: Iterable[End], at: datetime) -> None:
    """Write down what came of several, each unless it is in other hands or was cancelled."""
    ENDED_EACH.run_each(connection, [_end(connection, each, at) for each in ends])


def _end(connection: Connection, end: End, at: datetime) -> Row:
    when = AT_ONCE if end.next_try is None else as_text(moment_of(connection, at) + (end.next_try - at))
    values: Row = {"ended": end.state, "why": end.reason, "again": when, "at": at.isoformat()}
    return {"tried": end.claimed.attempts - end.untried, **values, **_ours(end.claimed)}


def _ours(claimed: Claimed) -> Row:
    """Return what the row still is while it is the courier's, as the prepared statements ask for it."""
    return {"which": claimed.outbox_id, "held": claimed.fence, "claimed": State.CLAIMED}


def cancel(
    connection: Connection,
    reason: str,
    at: datetime,
    *,
    pictures: Collection[str] | None = None,
    patient: tuple[str, str] | None = None,
    route: str | None = None,
    purposes: Collection[Purpose] | None = None,
    recipient: str | None = None,
) -> int:
    """Cancel what has not been sent, also what a courier has in hand; return how much.

    Args:
        connection: open write transaction.
        reason: why, for a person; it names no patient.
        at: now.
        pictures: of these pictures.
        patient: of this patient's pictures, by the number and issuer that the pictures say.
        route: of this route.
        purposes: only what was queued for one of these.
        recipient: only what was queued for this one.
    """
    also: list[ColumnElement[bool]] = [] if purposes is None else [outbox.c.purpose.in_(tuple(purposes))]
    also += [] if recipient is None else [outbox.c.recipient == recipient]
    return sum(
        _cancelled(connection, reason, at, each, *also) for each in _chosen(connection, pictures, patient, route)
    )


def cancel_rows(connection: Connection, reason: str, at: datetime, rows: Collection[int]) -> int:
    """Cancel rows by their numbers, as ``cancel`` does."""
    return sum(_cancelled(connection, reason, at, outbox.c.outbox_id.in_(piece)) for piece in pieces(rows))


def given_back(connection: Connection, disclosure_ids: Collection[str], at: datetime) -> None:
    """Cancel what was delivered by these disclosures and isn't there any more, so that it can be sent anew."""
    values = {"state": State.CANCELLED, "reason": GIVEN_BACK, "changed_at": at.isoformat(), "next_try": AT_ONCE}
    for piece in pieces(disclosure_ids):
        of = select(disclosures.c.sop_instance_uid).where(disclosures.c.disclosure_id.in_(piece))  # which has an index
        those = (outbox.c.sop_instance_uid.in_(of), outbox.c.disclosure_id.in_(piece))
        gone = update(outbox).where(*those, outbox.c.state == State.DELIVERED)
        connection.execute(gone.values({**values, "fence": outbox.c.fence + 1}))


def _cancelled(connection: Connection, reason: str, at: datetime, *which: ColumnElement[bool]) -> int:
    values = {"state": State.CANCELLED, "reason": reason, "changed_at": at.isoformat(), "next_try": AT_ONCE}
    unsent = update(outbox).where(outbox.c.state.in_(CANCELLABLE), *which)
    return connection.execute(unsent.values({**values, "fence": outbox.c.fence + 1})).rowcount


def _chosen(
    connection: Connection, pictures: Collection[str] | None, patient: tuple[str, str] | None, route: str | None
) -> Iterator[ColumnElement[bool]]:
    if pictures:
        yield among(connection, outbox.c.sop_instance_uid, pictures)
    if patient is not None:
        theirs = (images.c.patient_id == patient[0]) & (images.c.issuer == patient[1])
        yield outbox.c.sop_instance_uid.in_(select(images.c.sop_instance_uid).where(theirs))
    if route is not None:
        yield outbox.c.route == route


def retry(
    connection: Connection, at: datetime, *, outbox_id: int | None = None, route: str | None = None
) -> tuple[int, ...]:
    """Have rows wait again: one that isn't waiting or sent, or what is dead, of a route or at all; return which.

    Raises:
        UnknownRecordError: no such row can wait again.
    """
    chosen = [outbox.c.state == State.DEAD]
    if outbox_id is not None:
        chosen = [outbox.c.outbox_id == outbox_id, outbox.c.state.in_(AGAIN)]
    elif route is not None:
        chosen.append(outbox.c.route == route)
    values = {"state": State.WAITING, "next_try": AT_ONCE, "changed_at": at.isoformat(), **AFRESH}
    again = connection.execute(update(outbox).where(*chosen).values(values).returning(outbox.c.outbox_id))
    ids = tuple(sorted(again.scalars()))
    if outbox_id is not None and not ids:
        raise UnknownRecordError("No such row can wait again.", remedy="See 'consentgate route queue'.")
    return ids


def listed(connection: Connection, state: State | None = None, route: str | None = None) -> list[Row]:
    """Return rows, in the order of their turns."""
    query = select(outbox).order_by(outbox.c.state, outbox.c.priority.desc(), outbox.c.next_try, outbox.c.outbox_id)
    if state is not None:
        query = query.where(outbox.c.state == state)
    if route is not None:
        query = query.where(outbox.c.route == route)
    return [dict(row._mapping) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[State, int]:
    """Return how many rows there are in each state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    found = {State(str(state)): int(count) for state, count in connection.execute(query)}
    return {state: found.get(state, 0) for state in State}
