"""Merge two numbers of one person, and undo that.

Knows whom each number was merged into, and through whom. Must not know rules. Everybody merged points straight at the
survivor, so that a decision never follows a chain; the history of changes keeps the chain, so that a merge in the
middle of it can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from orthanc_plugin.clock import Ids
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.tables import patient_changes
from orthanc_plugin.registry.tables import patients as rows

NAMES: Final = ("merged_into_id", "merged_into_issuer")
NOBODY: Final = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Who merges or unmerges, when and why."""

    reason: str
    by: str
    at: datetime
    ids: Ids


def survivor(connection: Connection, who: Key) -> Key | None:
    """Return whom the patient was merged into, None when nobody.

    Raises:
        UnknownRecordError: no such patient.
    """
    query = select(rows.c.merged_into_id, rows.c.merged_into_issuer).where(
        rows.c.patient_id == who[0], rows.c.issuer == who[1]
    )
    row = connection.execute(query).first()
    if row is None:
        raise UnknownRecordError(
            "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
        )
    return (row.merged_into_id, row.merged_into_issuer) if row.merged_into_id is not None else None


def merge(connection: Connection, who: Key, into: Key, why: Why) -> None:
    """Say that ``who`` is the same person as ``into``, whose number is kept.

    Raises:
        UnknownRecordError: one of them isn't on record.
        IllegalTransitionError: it is the same number, one of them was merged before, or their dates contradict.
    """
    if who == into:
        raise IllegalTransitionError("A patient can't be merged into itself.", remedy="Name two different numbers.")
    for each in (who, into):
        if survivor(connection, each) is not None:
            raise IllegalTransitionError(
                "One of the two was merged into another patient before.",
                remedy="Merge the number that was kept then, or undo that merge first.",
            )
    _refuse_contradictions(connection, who, into)
    _note(connection, who, None, into, why)
    for each in (who, *patients.merged_into(connection, who)):
        _point(connection, each, into)


def unmerge(connection: Connection, who: Key, why: Why) -> None:
    """Undo the merge of ``who``, who takes along everybody merged into it before.

    Raises:
        UnknownRecordError: it isn't on record.
        IllegalTransitionError: it was never merged.
    """
    kept = survivor(connection, who)
    if kept is None:
        raise IllegalTransitionError("The patient isn't merged into anybody.", remedy="Nothing is to be undone.")
    followers = [each for each in patients.merged_into(connection, kept) if who in _path(connection, each, kept)]
    _note(connection, who, kept, None, why)
    _point(connection, who, None)
    for each in followers:
        _point(connection, each, who)


def _refuse_contradictions(connection: Connection, who: Key, into: Key) -> None:
    one, other = patients.find(connection, *who), patients.find(connection, *into)
    if one is None or other is None:
        return
    for name, mine, theirs in (
        ("birth dates", one.dob, other.dob),
        ("dates of death", one.death_date, other.death_date),
    ):
        if mine is not None and theirs is not None and mine != theirs:
            raise IllegalTransitionError(
                f"The two have different {name}, so they may be two people.",
                remedy="Correct the one that is wrong, with a reason, then merge again.",
            )


def _note(connection: Connection, who: Key, old: Key | None, new: Key | None, why: Why) -> None:
    for name, before, after in zip(NAMES, old or NOBODY, new or NOBODY, strict=True):
        patients.note(
            connection, who, name, before, after, reason=why.reason, by=why.by, at=why.at, change_id=why.ids()
        )


def _point(connection: Connection, who: Key, to: Key | None) -> None:
    same = (rows.c.patient_id == who[0]) & (rows.c.issuer == who[1])
    connection.execute(update(rows).where(same).values(dict(zip(NAMES, to or NOBODY, strict=True))))


def _path(connection: Connection, who: Key, kept: Key) -> list[Key]:
    """Return the patients through whom ``who`` came to the survivor ``kept``, nearest first."""
    path: list[Key] = []
    nearest = _merged_by_hand_into(connection, who)
    while nearest is not None and nearest not in (kept, *path):
        path.append(nearest)
        nearest = _merged_by_hand_into(connection, nearest)
    return path


def _merged_by_hand_into(connection: Connection, who: Key) -> Key | None:
    """Return whom somebody merged ``who`` into; the row itself may point further by now."""
    change = patient_changes.c
    query = (
        select(change.field, change.new)
        .where(change.patient_id == who[0], change.issuer == who[1], change.field.in_(NAMES), change.new.is_not(None))
        .order_by(change.changed_at)
    )
    newest = {row.field: row.new for row in connection.execute(query)}
    return (newest["merged_into_id"], newest["merged_into_issuer"]) if newest else None
