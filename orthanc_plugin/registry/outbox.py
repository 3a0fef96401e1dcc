"""What is to be sent: queued by triggers, claimed by couriers, ended by what came of it, cancelled by a withdrawal.

Knows rows, and how couriers keep out of each other's way. Must not know routes, nor what is decided: a row is a wish,
and the decision is taken when it is sent.

A claim is a lease: whoever doesn't renew it in time loses the rows to whoever claims next, and the fence, which grows
with every change of hands, tells the loser so. Time is the database's own: on PostgreSQL its server's, so that the
clock of a courier's host plays no part, and what a caller tells is only how long from now; on SQLite all who share the
file are on one host, and its clock is the caller's.

Each look for work goes by the index to the first row of each priority, however many rows there are, waiting or not due.

Sources: architecture 4 (outbox), enforcement 3.6; requirements 2.9 (what is queued is cancelled with the consent).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique
from typing import Final, cast

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_, update
from sqlalchemy import Row as SqlRow
from sqlalchemy.dialects import postgresql, sqlite

from dicomwrap.terms import Purpose
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.bulk import among, pieces
from orthanc_plugin.registry.outboxstatements import BEGUN, ENDED, HELD, SERVER_TIME
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.tables import images

Row = dict[str, object]
Head = SqlRow[tuple[object, ...]]

AT_ONCE: Final = ""


@unique
class State(StrEnum):
    """Where a row stands.

    Attributes:
        WAITING: to be sent, now or from ``next_try`` on.
        CLAIMED: a courier has it until its lease runs out.
        DELIVERED: the recipient has it.
        REFUSED: a decision said no; the next trigger asks again.
        DEAD: tried often enough; somebody must look.
        CANCELLED: withdrawn, refused, or no longer what it was; a new consent asks again.
    """

    WAITING = "WAITING"
    CLAIMED = "CLAIMED"
    DELIVERED = "DELIVERED"
    REFUSED = "REFUSED"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """One picture for one route; ``cause`` is the trigger's name."""

    route: str
    recipient: str
    purpose: str
    sop_instance_uid: str
    study_instance_uid: str
    priority: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One row in a courier's hands.

    Attributes:
        attempts: how often it was claimed, this time included.
        fence: what must still be the row's when the courier acts on it.
        disclosure_id: of the attempt before, if one went as far.
    """

    outbox_id: int
    route: str
    recipient: str
    purpose: str
    sop_instance_uid: str
    study_instance_uid: str
    priority: int
    cause: str
    attempts: int
    fence: int
    disclosure_id: str | None


OPEN: Final = (State.WAITING, State.CLAIMED)
CANCELLABLE: Final = (*OPEN, State.DEAD)
AGAIN: Final = (State.DEAD, State.REFUSED, State.CANCELLED)
HANDED: Final = tuple(outbox.c[name] for name in Claimed.__dataclass_fields__)
HEAD: Final = tuple(outbox.c[name] for name in ("state", "priority", "route", "study_instance_uid"))
RENEWED: Final = (
    *("recipient", "purpose", "study_instance_uid", "priority"),
    *("state", "cause", "queued_at", "changed_at", "next_try"),
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
    insert: postgresql.Insert | sqlite.Insert = (postgresql if _on_server(connection) else sqlite).insert(outbox)
    again = (State.REFUSED, State.CANCELLED) if revive else (State.REFUSED,)
    statement = insert.on_conflict_do_update(
        index_elements=["sop_instance_uid", "route"],
        set_={**{name: insert.excluded[name] for name in RENEWED}, **AFRESH},
        where=or_(*(outbox.c.state == each for each in again)),  # a list isn't for many rows at once
    )
    when = {"state": State.WAITING, "queued_at": at.isoformat(), "changed_at": at.isoformat(), "next_try": AT_ONCE}
    values = [{**asdict(row), **when} for row in found.values()]
    return connection.execute(statement, values, execution_options={"preserve_rowcount": True}).rowcount


def claim(
    connection: Connection, courier: str, at: datetime, until: datetime, most: int, since: datetime | None = None
) -> tuple[Claimed, ...]:
    """Give a courier up to ``most`` rows of one route and study, of the highest priority that is due.

    Args:
        connection: open write transaction.
        courier: its name, for whoever looks at the queue.
        at: now, by the courier's clock.
        until: when the lease runs out, by the same clock.
        most: how many rows.
        since: only what was due then, by the same clock; what is due by now unless given.
    """
    moment = _moment(connection, at)
    by = moment - (at - since) if since else moment
    heads = [head for state in OPEN if (head := _head(connection, state, by)) is not None]
    if not heads:
        return ()
    first = max(heads, key=lambda head: int(head.priority))
    same = (outbox.c.route == first.route) & (outbox.c.study_instance_uid == first.study_instance_uid)
    due = (outbox.c.state == first.state) & (outbox.c.next_try <= _text(by))
    turn = select(outbox.c.outbox_id).where(same, due).order_by(outbox.c.next_try).limit(most)
    ids = tuple(connection.execute(turn.with_for_update(skip_locked=True)).scalars())
    handed = {
        "state": State.CLAIMED,
        "courier": courier,
        "next_try": _text(moment + (until - at)),
        "changed_at": at.isoformat(),
        "attempts": outbox.c.attempts + 1,
        "fence": outbox.c.fence + 1,
    }
    taken = connection.execute(update(outbox).where(outbox.c.outbox_id.in_(ids)).values(handed).returning(*HANDED))
    return tuple(sorted((Claimed(**row._mapping) for row in taken), key=lambda each: each.outbox_id))


def is_due(connection: Connection, at: datetime) -> bool:
    """Tell whether there is anything to claim; unlike a claim this keeps nobody waiting, so it can be asked often."""
    moment = _moment(connection, at)
    return any(_head(connection, state, moment, lock=False) is not None for state in OPEN)


def _head(connection: Connection, state: State, moment: datetime, *, lock: bool = True) -> Head | None:
    """Return the first row in this state that is due, of the highest priority; each step is one look at the index."""
    priority = connection.execute(highest(state, None)).scalar()
    while priority is not None:
        first = first_due(state, priority, moment)
        turn = first.with_for_update(skip_locked=True) if lock else first
        if (head := connection.execute(turn).first()) is not None:
            return head
        priority = connection.execute(highest(state, priority)).scalar()
    return None


def highest(state: State, below: int | None) -> Select[int]:
    """Return what asks for the highest priority of rows in this state, ``below`` another unless that is None."""
    query = select(outbox.c.priority).where(outbox.c.state == state).order_by(outbox.c.priority.desc()).limit(1)
    return query if below is None else query.where(outbox.c.priority < below)


def first_due(state: State, priority: int, moment: datetime) -> Select[tuple[object, ...]]:
    """Return what asks for the row that has been due the longest of those in this state and of this priority."""
    these = (outbox.c.state == state) & (outbox.c.priority == priority)
    query = select(*HEAD).where(these, outbox.c.next_try <= _text(moment))
    return query.order_by(outbox.c.next_try).limit(1)


def holds(connection: Connection, claimed: Claimed, at: datetime) -> bool:
    """Tell whether the row is still the courier's, in the transaction that begins the release."""
    return bool(HELD.rows(connection, moment=_text(_moment(connection, at)), **_ours(claimed)))


def renew(connection: Connection, claimed: Collection[Claimed], at: datetime, until: datetime) -> tuple[Claimed, ...]:
    """Extend the leases; return the rows that are still the courier's."""
    lease = _text(_moment(connection, at) + (until - at))
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
    BEGUN.run(connection, decision=decision_id, disclosure=disclosure_id, **_ours(claimed))


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
    when = AT_ONCE if next_try is None else _text(_moment(connection, at) + (next_try - at))
    values: Row = {"ended": state, "why": reason, "again": when, "at": at.isoformat()}
    return bool(ENDED.rows(connection, tried=claimed.attempts - untried, **values, **_ours(claimed)))


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


def _moment(connection: Connection, at: datetime) -> datetime:
    """Return what time it is where the rows are: a courier whose clock is ahead must not take what another has."""
    if not _on_server(connection):
        return at
    ((now,),) = SERVER_TIME.rows(connection)
    return cast("datetime", now).astimezone(UTC)


def _on_server(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _text(moment: datetime) -> str:
    """Return a moment as the rows hold it: of one length, so that text sorts as time does under every collation."""
    return moment.isoformat(timespec="microseconds")
