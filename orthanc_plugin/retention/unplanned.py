"""A picture that is gone from the archive though nobody decided on it: it is told, and somebody has to look into it.

Knows which pictures the archive must have. Must not know how it was noticed.

Sources: requirements 4, acceptance test (f); NHS Records Management Code 5.2 (destruction is authorised).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, images, keptcopies, tasks
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention.acting import Act

WORDS: Final = "the archive has lost it, and no disposition was approved"


def missing(connection: Connection, orthanc_instance: str) -> list[ImageRow]:
    """Return the picture that Orthanc called so, if the archive must have it."""
    if disposals.expected(connection, orthanc_instance):
        return []
    found = images.find(connection, Subject.INSTANCE, (orthanc_instance,))
    return [row for row in found if row.status is not ImageStatus.DISPOSED]


def tell(connection: Connection, act: Act, gone: Iterable[str]) -> tuple[str, ...]:
    """Open a task for each picture that is gone, once, with its entry, and forget its copies; return the UIDs."""
    told = []
    for row in (row for each in gone for row in missing(connection, each)):
        uid, kind = row.sop_instance_uid, DisposalTask.UNPLANNED_DESTRUCTION
        told.append(uid)
        if tasks.asked_before(connection, kind=kind, subject=uid, reason=WORDS):
            continue
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=uid, reason=WORDS, at=act.at)
        event = act.event(EventType.STUDY_DELETED, kind, subject=uid, outcome=Outcome.FAILURE, reasons=(WORDS,))
        append(connection, [event])
    keptcopies.forget(connection, told)
    return tuple(told)
