"""The key objects that came, who sent each, what it asked for and what came of that.

Knows rows. Must not know titles, nor what may be asked. Of one that comes again there is one row, as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, delete, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.keyobjecttables import key_objects
from orthanc_plugin.registry.outbox import State as Outbox
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.stored import sealed, texts, word

SEAL: Final = "key object "


@unique
class State(StrEnum):
    """What came of a key object.

    Attributes:
        REQUESTED: what it asks for was queued, as far as routes are for it.
        REJECTED: what it rejects is held back.
        NO_EFFECT: it asks for nothing, or its sender may not ask; ``reason`` says which.
    """

    REQUESTED = "REQUESTED"
    REJECTED = "REJECTED"
    NO_EFFECT = "NO_EFFECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One key object.

    Attributes:
        title: scheme and code of its title, such as ``DCM:128710``.
        modifiers: scheme and code of each modifier of the title.
        pictures: the SOP Instance UIDs that it lists.
        sender: the binding in policy.toml; '' when nobody knows who sent it.
        purpose: what an export was asked for; '' when none was.
        reason: why it had no effect; '' when it had one.
        queued: how many rows of the outbox wait because of it.
    """

    key_object_uid: str
    study_instance_uid: str
    title: str
    modifiers: tuple[str, ...]
    pictures: tuple[str, ...]
    sender: str
    received_at: str
    state: State
    purpose: str = ""
    reason: str = ""
    queued: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A row of the outbox, as far as whoever asked is told."""

    sop_instance_uid: str
    recipient: str
    state: Outbox
    reason: str


def record(connection: Connection, came: Came) -> str:
    """Write down what came of one; return the words that tie the row to its entry in the trail."""
    row = {**asdict(came), "modifiers": json.dumps(came.modifiers), "pictures": json.dumps(came.pictures)}
    connection.execute(delete(key_objects).where(key_objects.c.key_object_uid == came.key_object_uid))
    connection.execute(key_objects.insert().values(row))
    return sealed(SEAL, came.key_object_uid, row)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every key object as it stands."""
    for row in connection.execute(select(key_objects), execution_options=IN_PARTS):
        yield sealed(SEAL, str(row.key_object_uid), dict(row._mapping))


def find(connection: Connection, key_object_uid: str) -> Came | None:
    """Return what came of one, None when it never came."""
    row = connection.execute(select(key_objects).where(key_objects.c.key_object_uid == key_object_uid)).first()
    return None if row is None else _came(dict(row._mapping))


def get(connection: Connection, key_object_uid: str) -> Came:
    """Return what came of one.

    Raises:
        UnknownRecordError: it never came.
    """
    found = find(connection, key_object_uid)
    if found is None:
        raise UnknownRecordError("No key object has this UID.", remedy="See 'consentgate export list --all'.")
    return found


def listed(connection: Connection, state: State | None) -> list[Came]:
    """Return those in this state, or all, oldest first."""
    query = select(key_objects).order_by(key_objects.c.received_at, key_objects.c.key_object_uid)
    if state is not None:
        query = query.where(key_objects.c.state == state)
    return [_came(dict(row._mapping)) for row in connection.execute(query)]


def _came(row: dict[str, object]) -> Came:
    lists = {name: texts(row[name], f"key_objects.{name}") for name in ("modifiers", "pictures")}
    state = word(State, row["state"], "key_objects.state")
    return Came(**{**row, **lists, "state": state})  # type: ignore[arg-type]


def sends(connection: Connection, uids: Collection[str], purpose: str) -> list[Send]:
    """Return how these pictures stand in the outbox for a purpose."""
    columns = [outbox.c[name] for name in Send.__dataclass_fields__]
    query = select(*columns).where(outbox.c.purpose == purpose).order_by(outbox.c.outbox_id)
    each = (query.where(outbox.c.sop_instance_uid.in_(piece)) for piece in pieces(uids))
    rows = (row for asked in each for row in connection.execute(asked))
    return [Send(**{**row._mapping, "state": word(Outbox, row.state, "outbox.state")}) for row in rows]


def rearm(connection: Connection, uids: Collection[str], at: datetime) -> int:
    """Have what a key object asked for, and a decision refused, wait again, because something has changed."""
    refused = (outbox.c.state == Outbox.REFUSED, outbox.c.cause == Trigger.KEY_OBJECT)
    values = {"state": Outbox.WAITING, "next_try": "", "changed_at": at.isoformat(), "attempts": 0, "reason": ""}
    again = update(outbox).where(*refused).values(values)
    return sum(connection.execute(again.where(outbox.c.sop_instance_uid.in_(piece))).rowcount for piece in pieces(uids))
