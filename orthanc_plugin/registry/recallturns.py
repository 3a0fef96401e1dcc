"""Notices of recall in a courier's hands: claimed under a lease, ended by what came of them; the copies they name.

Knows rows. Every write transaction has the registry to itself, so two couriers never claim the same row. A claim is a
lease: whoever takes longer loses the row to whoever claims next, and the fence tells the loser so. What is said twice
is the same notice, so nothing is lost when a courier dies between saying it and writing that down.

Sources: architecture 4 (leases); requirements 2.9.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, select, update

from orthanc_plugin.policy.eventmodel import Recall
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.recalls import COLUMNS, Recalled, recalled
from orthanc_plugin.registry.recalltables import recall_copies, recalls
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.tables import disclosures, images


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A notice in a courier's hands; ``fence`` must still be the row's when the courier writes what came of it."""

    recall: Recalled
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """A copy that a notice speaks of.

    Attributes:
        released_uid: what the recipient has it under.
        anonymised: whether the recipient got it without the patient's identity; then nothing else here may be told.
        purpose: what for, and ``left_at`` when, it left.
        begun_at: when it began to leave, if nobody knows yet how that ended.
        needed: the recipient has the very same object for a reason that still stands.
        orthanc_instance: what our archive calls the original, '' when it is destroyed.
    """

    disclosure_id: str
    sop_instance_uid: str
    released_uid: str
    sop_class_uid: str
    anonymised: bool
    purpose: str
    left_at: str
    begun_at: str | None
    needed: bool
    patient_id: str
    issuer: str
    study_instance_uid: str
    series_instance_uid: str
    orthanc_instance: str


UNREADABLE: Final = "the row holds something that this version can't read"
FILED: Final = ("patient_id", "issuer", "study_instance_uid", "series_instance_uid")


def claim(connection: Connection, courier: str, at: datetime, until: datetime, most: int) -> tuple[Turn, ...]:
    """Give a courier up to ``most`` notices that are due, the longest due first; its lease runs out at ``until``.

    One that can't be read holds up no other; its row says so.
    """
    ids = tuple(connection.execute(_due(at).limit(most)).scalars())
    taken = {
        "next_try": moment(until),
        "courier": courier,
        "fence": recalls.c.fence + 1,
        "attempts": recalls.c.attempts + 1,
    }
    these = update(recalls).where(recalls.c.recall_id.in_(ids)).values(taken)
    turns: list[Turn] = []
    for row in connection.execute(these.returning(recalls.c.fence, *COLUMNS)).all():
        try:
            turns.append(Turn(fence=row.fence, recall=recalled(row, without=("fence",))))
        except UnreadableRowError:
            this = recalls.c.recall_id == row.recall_id
            connection.execute(update(recalls).where(this).values(problem=UNREADABLE))
    return tuple(turns)


def holds(connection: Connection, turn: Turn) -> bool:
    """Tell whether the notice is still the courier's, and still to go out."""
    same = (recalls.c.recall_id == turn.recall.recall_id, recalls.c.fence == turn.fence)
    found = connection.execute(select(recalls.c.recall_id).where(*same, recalls.c.next_try.is_not(None)))
    return found.first() is not None


def later(connection: Connection, turn: Turn, at: datetime, problem: str) -> None:
    """Write why a notice did not go out, and when it is tried again."""
    same = (recalls.c.recall_id == turn.recall.recall_id, recalls.c.fence == turn.fence)
    values = {"next_try": moment(at), "problem": problem, "courier": ""}
    connection.execute(update(recalls).where(*same, recalls.c.next_try.is_not(None)).values(values))


def due(connection: Connection, at: datetime) -> bool:
    """Tell whether any notice is to go out now."""
    return connection.execute(_due(at).limit(1)).first() is not None


def _due(at: datetime) -> Select[tuple[str]]:
    return select(recalls.c.recall_id).where(recalls.c.next_try <= moment(at)).order_by(recalls.c.next_try)


def noticed(connection: Connection, recall: Recalled, there: Collection[str] = ()) -> list[Noticed]:
    """Return the copies of a recall that are still to be had back, in the order in which they left.

    Args:
        connection: open transaction.
        recall: which.
        there: other recipients of policy.toml that are the same machine.
    """
    same = (recall_copies.c.recall_id == recall.recall_id, disclosures.c.recall == Recall.OPEN)
    kept = [recall_copies.c[name].label(f"kept_{name}") for name in FILED]
    query = (
        select(disclosures, images.c.sop_class_uid, images.c.orthanc_instance, *kept)
        .add_columns(*(images.c[name] for name in FILED))
        .join(recall_copies, recall_copies.c.disclosure_id == disclosures.c.disclosure_id)
        .outerjoin(images, images.c.sop_instance_uid == disclosures.c.sop_instance_uid)
        .where(*same, disclosures.c.outcome != Delivery.FAILED)
        .order_by(disclosures.c.at, disclosures.c.disclosure_id)
    )
    rows = [dict(row._mapping) for row in connection.execute(query)]
    needed = _needed(connection, (recall.recipient, *there), rows)
    return [_noticed(row, needed) for row in rows]


def _needed(connection: Connection, recipients: Sequence[str], rows: Sequence[dict[str, object]]) -> set[str]:
    """Return the UIDs that the recipient also has for a reason that still stands."""
    found: set[str] = set()
    for some in pieces({str(row["sop_instance_uid"]) for row in rows}):
        query = select(disclosures.c.released_uid).where(
            disclosures.c.sop_instance_uid.in_(some),
            disclosures.c.recipient.in_(recipients),
            disclosures.c.recall == Recall.NONE,
            disclosures.c.outcome != Delivery.FAILED,
        )
        found.update(connection.execute(query).scalars())
    return found


def _noticed(row: dict[str, object], needed: set[str]) -> Noticed:
    """Return one copy; of a picture that is destroyed, what was kept beside the copy says where it was filed."""
    destroyed = not row["study_instance_uid"]
    filed = {name: str(row[f"kept_{name}" if destroyed else name]) for name in FILED}
    return Noticed(
        disclosure_id=str(row["disclosure_id"]),
        sop_instance_uid=str(row["sop_instance_uid"]),
        released_uid=str(row["released_uid"]),
        sop_class_uid=str(row["sop_class_uid"] or ""),
        anonymised=row["form"] == Effect.PERMIT_ANONYMISED,
        purpose=str(row["purpose"]),
        left_at=str(row["at"]),
        begun_at=str(row["at"]) if row["outcome"] == Delivery.BEGUN else None,
        needed=row["released_uid"] in needed,
        orthanc_instance="" if destroyed else str(row["orthanc_instance"]),
        **filed,
    )


def moment(at: datetime) -> str:
    """Return a moment as the rows hold it: of one length, so that text sorts as time does under every collation."""
    return at.isoformat(timespec="microseconds")
