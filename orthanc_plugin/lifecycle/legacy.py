"""Adopt the pictures that the archive held before Consentgate: they become usable for care, and for nothing else.

Knows what must hold: the start-up found the picture, and the archive still gives back the very bytes it read then. Must
not judge use: the policy treats legacy pictures as without consent (care team only, consent to be sought). Done in
batches; a run that is cut off is taken up where it ended by the next.

Sources: requirements 2.9 (bulk legacy import), 2.6 R8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle import rejecting, routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry import legacy, tasks
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append

BATCH: Final = 100


@unique
class Fate(StrEnum):
    """What became of one picture."""

    ADOPTED = "ADOPTED"
    CHANGED = "CHANGED"
    UNREAD = "UNREAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of the pictures, by SOP Instance UID.

    Attributes:
        adopted: usable for care from now on.
        changed: the archive has other bytes than those found at the start; they stay in quarantine.
        unread: the archive did not give them back; they stay in quarantine.
        left: how many pictures are in quarantine inside the archive at the end.
    """

    adopted: tuple[str, ...]
    changed: tuple[str, ...]
    unread: tuple[str, ...]
    left: int


def adopt(
    database: Database, archive: ImageArchive, acting: Callable[[], Act], *, study: str | None, reason: str
) -> Report:
    """Adopt one study's pictures, or all (``study`` None); ``acting`` gives the act at the moment of each batch."""
    fate: dict[str, Fate] = {}
    run = acting().ids()
    for batch in _batches(database, study):
        found = {row.sop_instance_uid: _fate(archive, row) for row in batch}
        proven = [row for row in batch if found[row.sop_instance_uid] is Fate.ADOPTED]
        with database.writing() as connection:
            missed = _adopted(connection, acting(), proven, run, reason)
        fate |= found | dict.fromkeys(missed, Fate.CHANGED)
    with database.reading() as connection:
        return Report(
            adopted=_those(fate, Fate.ADOPTED),
            changed=_those(fate, Fate.CHANGED),
            unread=_those(fate, Fate.UNREAD),
            left=legacy.left(connection),
        )


def _batches(database: Database, study: str | None) -> Iterator[list[ImageRow]]:
    after = ""
    while True:
        with database.reading() as connection:
            batch = legacy.found(connection, study=study, after=after, most=BATCH)
        if not batch:
            return
        yield batch
        after = batch[-1].sop_instance_uid


def _fate(archive: ImageArchive, row: ImageRow) -> Fate:
    try:
        digest = hashlib.sha256(archive.read(row.orthanc_instance)).hexdigest()
    except ArchiveError:
        return Fate.UNREAD
    return Fate.ADOPTED if digest == row.sha256 else Fate.CHANGED


def _adopted(connection: Connection, act: Act, rows: list[ImageRow], run: str, reason: str) -> list[str]:
    """Make the pictures active, each with its entry; return those that were changed meanwhile and are left alone.

    The reason is a person's own words, so it stays in the task by which somebody else looks at the run.
    """
    done = [row for row in rows if legacy.adopt(connection, row)]
    rejecting.adopted(connection, [row.sop_instance_uid for row in done])
    for row in done:
        routing.queue_picture(connection, act, row.sop_instance_uid, Trigger.RELEASED)
    if done:
        tasks.open_task(
            connection,
            task_id=act.ids(),
            kind=Obligation.IG_REVIEW,
            subject=run,
            reason=f"pictures from before were adopted: {reason}",
            at=act.at,
            not_by=act.by,
        )
    append(
        connection,
        [
            act.event(
                EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
                "LEGACY_ADOPTED",
                subject=row.sop_instance_uid,
                detail=f"adoption {run}; sha256 read back {row.sha256}",
            )
            for row in done
        ],
    )
    return [row.sop_instance_uid for row in rows if row not in done]


def _those(fate: dict[str, Fate], wanted: Fate) -> tuple[str, ...]:
    return tuple(uid for uid, found in fate.items() if found is wanted)
