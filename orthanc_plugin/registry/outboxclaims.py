"""Who has rows of the outbox in hand: couriers claim what is due, each what its own archive has.

Knows the order of turns. Must not know routes, nor what is decided. Each look for work goes by the index to the first
row of each priority, however many rows there are, waiting, not due, or another archive's: a courier looks at what its
archive has and at what nobody has said of which has it. Source: architecture 4 (outbox); docs/adr/0049.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, Select, select, update
from sqlalchemy import Row as SqlRow

from orthanc_plugin.registry.outboxrows import ANYWHERE, OPEN, Claimed, State, as_text, moment_of
from orthanc_plugin.registry.outboxtables import outbox

Head = SqlRow[tuple[object, ...]]

HANDED: Final = tuple(outbox.c[name] for name in Claimed.__dataclass_fields__)
HEAD: Final = tuple(outbox.c[name] for name in ("state", "priority", "next_try", "route", "study_instance_uid"))


def claim(
    connection: Connection,
    courier: str,
    at: datetime,
    until: datetime,
    most: int,
    since: datetime | None = None,
    *,
    archive: str = ANYWHERE,
    by_route: Mapping[str, int] = MappingProxyType({}),
) -> tuple[Claimed, ...]:
    """Give a courier up to ``most`` rows of one route and study, of the highest priority that is due.

    Args:
        connection: open write transaction.
        courier: its name, for whoever looks at the queue.
        at: now, by the courier's clock.
        until: when the lease runs out, by the same clock.
        most: how many rows.
        since: only what was due then, by the same clock; what is due by now unless given.
        archive: the one it reads from, as the holdings call it: of what others have it is given nothing.
        by_route: how many rows of some routes instead.
    """
    moment = moment_of(connection, at)
    by = moment - (at - since) if since else moment
    first = _first(connection, archive, by, lock=True)
    if first is None:
        return ()
    same = (outbox.c.route == first.route) & (outbox.c.study_instance_uid == first.study_instance_uid)
    due = (outbox.c.state == first.state) & (outbox.c.next_try <= as_text(by))
    here = outbox.c.archive.in_((archive, ANYWHERE))
    turn = select(outbox.c.outbox_id).where(same, due, here).order_by(outbox.c.next_try)
    turn = turn.limit(by_route.get(str(first.route), most))
    ids = tuple(connection.execute(turn.with_for_update(skip_locked=True)).scalars())
    handed = {
        "state": State.CLAIMED,
        "courier": courier,
        "next_try": as_text(moment + (until - at)),
        "changed_at": at.isoformat(),
        "attempts": outbox.c.attempts + 1,
        "fence": outbox.c.fence + 1,
    }
    taken = connection.execute(update(outbox).where(outbox.c.outbox_id.in_(ids)).values(handed).returning(*HANDED))
    return tuple(sorted((Claimed(**row._mapping) for row in taken), key=lambda each: each.outbox_id))


def is_due(connection: Connection, at: datetime, archive: str = ANYWHERE) -> bool:
    """Tell whether there is anything to claim; unlike a claim this keeps nobody waiting, so it can be asked often."""
    return _first(connection, archive, moment_of(connection, at), lock=False) is not None


def _first(connection: Connection, archive: str, moment: datetime, *, lock: bool) -> Head | None:
    """Return the row whose turn it is: of the highest priority, waiting before given up, due the longest."""
    here = tuple(dict.fromkeys((archive, ANYWHERE)))
    heads = [_head(connection, state, each, moment, lock=lock) for state in OPEN for each in here]
    return min((each for each in heads if each is not None), key=_turn, default=None)


def _turn(head: Head) -> tuple[int, int, str]:
    return -int(head.priority), OPEN.index(State(head.state)), str(head.next_try)


def _head(connection: Connection, state: State, archive: str, moment: datetime, *, lock: bool) -> Head | None:
    """Return the first row in this state that is due, of the highest priority; each step is one look at the index."""
    priority = connection.execute(highest(state, None, archive)).scalar()
    while priority is not None:
        first = first_due(state, priority, moment, archive)
        turn = first.with_for_update(skip_locked=True) if lock else first
        if (head := connection.execute(turn).first()) is not None:
            return head
        priority = connection.execute(highest(state, priority, archive)).scalar()
    return None


def highest(state: State, below: int | None, archive: str = ANYWHERE) -> Select[int]:
    """Return what asks for the highest priority of an archive's rows in this state, ``below`` another unless None."""
    these = (outbox.c.state == state) & (outbox.c.archive == archive)
    query = select(outbox.c.priority).where(these).order_by(outbox.c.priority.desc()).limit(1)
    return query if below is None else query.where(outbox.c.priority < below)


def first_due(state: State, priority: int, moment: datetime, archive: str = ANYWHERE) -> Select[tuple[object, ...]]:
    """Return what asks for an archive's row that has been due the longest in this state and of this priority."""
    these = (outbox.c.state == state) & (outbox.c.archive == archive) & (outbox.c.priority == priority)
    query = select(*HEAD).where(these, outbox.c.next_try <= as_text(moment))
    return query.order_by(outbox.c.next_try).limit(1)
