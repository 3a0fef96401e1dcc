"""The audit trail in the registry: append-only, one chain over all nodes.

Knows rows. The chain itself is in ``audit.chain``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from sqlalchemy import Connection, false, func, or_, select

from orthanc_plugin.audit.chain import GENESIS, Entry, link
from orthanc_plugin.audit.event import AuditEvent, Stencilled
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.engine import IN_PARTS, Database
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stopping import mark
from orthanc_plugin.registry.tables import trail

HEAD: Final = prepared(select(trail.c.seq, trail.c.digest).order_by(trail.c.seq.desc()).limit(1))
ENTRY: Final = prepared(trail.insert())
AS_WRITTEN: Final = attrgetter(*ENTRY.names)
HEAD_SEEN: Final = "consentgate.head"  # number and digest of the last entry that this connection saw or wrote
Moment = tuple[int, datetime]  # an entry's number, and when it was written


def append(connection: Connection, events: Iterable[AuditEvent | Stencilled]) -> None:
    """Append ``events`` in the transaction of ``connection`` (which must hold the write lock)."""
    written = tuple(events)
    if not written:
        return
    seq, head = newest(connection)
    entries: list[Entry] = []
    for event in written:
        entries.append(link(seq + 1, event.id, head, event.body()))
        seq, head = entries[-1].seq, entries[-1].digest
    ENTRY.run_many(connection, map(AS_WRITTEN, entries))
    connection.info[HEAD_SEEN] = seq, head
    mark(connection, written, append)


def newest(connection: Connection) -> tuple[int, str]:
    """Return the number and the digest of the last entry."""
    return next(((int(str(seq)), str(digest)) for seq, digest in HEAD.rows(connection)), (0, GENESIS))


def said_since(connection: Connection, seq: int, word: str) -> Iterator[tuple[str, str, str]]:
    """Give what each entry from ``seq`` on says besides its fields, where that begins with ``word``, oldest first.

    Each with its subject and who acted. The whole trail from there on is looked through.
    """
    told = trail.c.body.contains(word, autoescape=True)
    query = select(trail.c.body).where(trail.c.seq >= seq, told).order_by(trail.c.seq)
    for row in connection.execute(query, execution_options=IN_PARTS):
        body = json.loads(row.body)
        if str(body["detail"]).startswith(word):
            yield str(body["subject"]), str(body["actor"]), str(body["detail"])


def of_subjects(connection: Connection, subjects: Collection[str]) -> Iterator[dict[str, object]]:
    """Give what each entry about one of these says, with its number, oldest first: the whole trail is read."""
    told = or_(false(), *(trail.c.body.contains(json.dumps(each), autoescape=True) for each in subjects))
    query = select(trail.c.seq, trail.c.body).where(told).order_by(trail.c.seq)
    for row in connection.execute(query, execution_options=IN_PARTS):
        body = json.loads(row.body)
        if body["subject"] in subjects:
            yield {"seq": row.seq, **body}


def effects(connection: Connection, seq: int, effect: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Give the id and the fields of each entry after ``seq`` that has this effect, oldest first."""
    told = trail.c.body.contains(json.dumps(effect), autoescape=True)
    query = select(trail.c.event_id, trail.c.body).where(trail.c.seq > seq, told).order_by(trail.c.seq)
    for row in connection.execute(query, execution_options=IN_PARTS):
        body = json.loads(row.body)
        if body["effect"] == effect:
            yield str(row.event_id), body


def newest_at(connection: Connection) -> datetime | None:
    """Return the moment of the last entry, None when there is none."""
    seq, _ = newest(connection)
    return _at(connection, seq) if seq else None


def _at(connection: Connection, seq: int) -> datetime:
    body = connection.execute(select(trail.c.body).where(trail.c.seq == seq)).scalar_one()
    return datetime.fromisoformat(json.loads(body)["at"])


def passed(connection: Connection, seq: int, now: datetime, most: timedelta) -> timedelta:
    """Return how much time has passed since an entry; of a silence between two entries, or until now, ``most`` counts.

    Only where many entries lie further apart are those between them read.
    """
    last, _ = newest(connection)
    first, ended = _at(connection, seq), _at(connection, last)
    return _between(connection, (seq, first), (last, ended), most) + min(now - ended, most)


def _between(connection: Connection, first: Moment, last: Moment, most: timedelta) -> timedelta:
    time = last[1] - first[1]
    if time <= most:
        return max(time, timedelta())
    if last[0] - first[0] == 1:
        return most
    seq = (first[0] + last[0]) // 2
    middle = seq, _at(connection, seq)
    return _between(connection, first, middle, most) + _between(connection, middle, last, most)


def length(connection: Connection) -> int:
    """Return the number of the last entry, 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(trail.c.seq), 0))).scalar_one())


def events_after(connection: Connection, seq: int) -> Iterator[str]:
    """Give what kind of event each entry after ``seq`` is of."""
    for row in connection.execute(select(trail.c.body).where(trail.c.seq > seq), execution_options=IN_PARTS):
        yield str(json.loads(row.body)["event"])


def details(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give what each entry says besides its fields, and who acted, oldest first."""
    for row in connection.execute(select(trail.c.body).order_by(trail.c.seq), execution_options=IN_PARTS):
        body = json.loads(row.body)
        yield str(body["detail"]), str(body["actor"])


class Trail:
    """The trail of one registry."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, *events: AuditEvent) -> None:
        """Append ``events`` durably, all or none.

        Raises:
            RegistryError: nothing was written, so nothing may be released.
        """
        with self.database.writing() as connection:
            append(connection, events)

    def entries(self) -> Iterator[Entry]:
        """Give every entry in order."""
        with self.database.reading() as connection:
            for row in connection.execute(select(trail).order_by(trail.c.seq), execution_options=IN_PARTS):
                yield Entry(**row._mapping)

    def head(self) -> Entry | None:
        """Return the last entry, or None when there is none."""
        with self.database.reading() as connection:
            row = connection.execute(select(trail).order_by(trail.c.seq.desc()).limit(1)).first()
        return Entry(**row._mapping) if row else None

    def entry(self, seq: int) -> Entry | None:
        """Return the entry with this number, or None."""
        with self.database.reading() as connection:
            row = connection.execute(select(trail).where(trail.c.seq == seq)).first()
        return Entry(**row._mapping) if row else None

    def tail(self, count: int) -> list[dict[str, object]]:
        """Return the last ``count`` entries, oldest first, each with its number."""
        with self.database.reading() as connection:
            rows = connection.execute(select(trail).order_by(trail.c.seq.desc()).limit(count)).all()
        return [{"seq": row.seq, **json.loads(row.body)} for row in reversed(rows)]

    def find(self, event_id: str) -> dict[str, object]:
        """Return the entry with this id, such as a decision id.

        Raises:
            UnknownRecordError: there is none.
        """
        with self.database.reading() as connection:
            row = connection.execute(select(trail).where(trail.c.event_id == event_id)).first()
        if row is None:
            raise UnknownRecordError("No entry of the trail has this id.", remedy="See 'consentgate audit tail'.")
        return {"seq": row.seq, **json.loads(row.body)}
