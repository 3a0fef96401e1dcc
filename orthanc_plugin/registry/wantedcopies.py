"""Copies that somebody waits for, and that are to be made ahead: a picture and a profile each.

Knows rows. A row is a hint and no permission: whoever makes the copy asks whether anybody may have it. Must not know
how copies are made. Source: ADR 59.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, select, update

from orthanc_plugin.registry.holdings import archive_holdings
from orthanc_plugin.registry.keptcopytables import wanted_copies
from orthanc_plugin.registry.outboxrows import OPEN
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import images

MOST_ATTEMPTS: Final = 3
LEASE: Final = timedelta(minutes=5)  # after which whoever took one has ended
_rows, _held = wanted_copies.c, archive_holdings.c
FORGET: Final = prepared(delete(wanted_copies).where(_rows.sop_instance_uid == bindparam("uid")))


class Wanted(NamedTuple):
    """A copy that is to be made ahead."""

    number: int
    picture: str
    profile: str


def queued_for(connection: Connection, picture: str) -> tuple[str, ...]:
    """Return the recipients to whom routes are to send a picture."""
    query = select(outbox.c.recipient).where(outbox.c.sop_instance_uid == picture, outbox.c.state.in_(OPEN))
    return tuple(connection.execute(query).scalars())


def want(connection: Connection, picture: str, profiles: Collection[str], at: datetime) -> None:
    """Have copies of a picture made ahead under each of these profiles."""
    for profile in sorted(profiles):
        same = (_rows.sop_instance_uid == picture, _rows.profile == profile)
        connection.execute(delete(wanted_copies).where(*same))
        moment = at.isoformat()
        row = {"sop_instance_uid": picture, "profile": profile, "asked_at": moment, "attempts": 0, "next_try": moment}
        connection.execute(wanted_copies.insert().values(row))


def waits(connection: Connection, at: datetime, archive: str) -> bool:
    """Tell whether one is to be made now of what this archive has, or nobody has said to have."""
    return connection.execute(select(_rows.number).where(*_due(at, archive)).limit(1)).first() is not None


def _due(at: datetime, archive: str) -> tuple[ColumnElement[bool], ...]:
    same = (images.c.sop_instance_uid == _rows.sop_instance_uid, _held.orthanc_instance == images.c.orthanc_instance)
    elsewhere = exists().where(*same, _held.archive != archive)
    return _rows.next_try <= at.isoformat(), ~elsewhere


def take(connection: Connection, at: datetime, most: int, archive: str) -> tuple[Wanted, ...]:
    """Take some of these, the oldest first; one that nobody could make several times is wanted no more."""
    connection.execute(delete(wanted_copies).where(_rows.attempts >= MOST_ATTEMPTS, _rows.next_try <= at.isoformat()))
    query = select(_rows.number, _rows.sop_instance_uid, _rows.profile).where(*_due(at, archive))
    found = tuple(Wanted(*row) for row in connection.execute(query.order_by(_rows.number).limit(most)))
    if found:
        taken = update(wanted_copies).where(_rows.number.in_([each.number for each in found]))
        connection.execute(taken.values(attempts=_rows.attempts + 1, next_try=(at + LEASE).isoformat()))
    return found


def made(connection: Connection, wanted: Wanted) -> None:
    """Want a copy no more."""
    connection.execute(delete(wanted_copies).where(_rows.number == wanted.number))


def forget(connection: Connection, picture: str) -> None:
    """Want no copy of a picture."""
    FORGET.run(connection, uid=picture)
