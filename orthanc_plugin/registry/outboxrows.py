"""What a row of the outbox is: where it may stand, what it says, and how it tells time.

Knows columns, and whose clock counts: the database's (see ``outbox``). Must not know what becomes of rows. Source:
architecture 4 (outbox).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique
from typing import Final, cast

from sqlalchemy import Connection

from orthanc_plugin.registry.outboxstatements import SERVER_TIME

Row = dict[str, object]

AT_ONCE: Final = ""
ANYWHERE: Final = ""  # nobody has said which archive has the picture, so any courier may try


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


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What came of a row in a courier's hands; ``untried``: nobody was called, so it doesn't count as an attempt.

    ``next_try`` is by the courier's clock.
    """

    claimed: Claimed
    state: State
    reason: str = ""
    next_try: datetime | None = None
    untried: bool = False


OPEN: Final = (State.WAITING, State.CLAIMED)


def moment_of(connection: Connection, at: datetime) -> datetime:
    """Return what time it is where the rows are: a courier whose clock is ahead must not take what another has."""
    if not on_server(connection):
        return at
    ((now,),) = SERVER_TIME.rows(connection)
    return cast("datetime", now).astimezone(UTC)


def on_server(connection: Connection) -> bool:
    """Tell whether the rows are in PostgreSQL."""
    return connection.dialect.name == "postgresql"


def as_text(moment: datetime) -> str:
    """Return a moment as the rows hold it: of one length, so that text sorts as time does under every collation."""
    return moment.isoformat(timespec="microseconds")
