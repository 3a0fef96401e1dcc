"""A picture that is gone from the archive though nobody decided on it: it is told, and somebody has to look into it.

Knows which pictures the archive must have. Must not know how it was noticed.

Sources: requirements 4, acceptance test (f); NHS Records Management Code 5.2 (destruction is authorised).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, images, keptcopies, tasks
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention.acting import Act

WORDS: Final = "the archive has lost it, and no disposition was approved"


def missing(connection: Connection, instances: Collection[str]) -> list[ImageRow]:
    """Return the pictures that Orthanc called so, of those that the archive must have."""
    unasked = {*instances} - disposals.expected(connection, instances)
    rows = (row for some in pieces(sorted(unasked)) for row in images.find(connection, Subject.INSTANCE, some))
    return [row for row in rows if row.status is not ImageStatus.DISPOSED]


def tell(connection: Connection, act: Act, gone: Collection[str]) -> tuple[str, ...]:
    """Open a task for each picture that is gone, once, with its entry, and forget its copies; return the UIDs."""
    told = []
    for row in missing(connection, gone):
        uid, kind = row.sop_instance_uid, DisposalTask.UNPLANNED_DESTRUCTION
        told.append(uid)
        if tasks.asked_before(connection, kind=kind, subject=uid, reason=WORDS):
            continue
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=uid, reason=WORDS, at=act.at)
        event = act.event(EventType.STUDY_DELETED, kind, subject=uid, outcome=Outcome.FAILURE, reasons=(WORDS,))
        append(connection, [event])
    keptcopies.forget(connection, told)
    return tuple(told)
