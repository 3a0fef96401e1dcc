"""Where each record (a study) stands by a schedule, and the tasks of those that have no date.

Knows how a study's pictures come together: it is kept as long as the last of them, and has no date while one has none.
Must not know rules, nor propose anything.

Sources: requirements T-3 (no due date and a task, never a guess), T-11.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, case, func, select

from orthanc_plugin.clock import hospital_day
from orthanc_plugin.lifecycle import duties
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirymodel import Due, RetentionTask, Schedule, Status
from orthanc_plugin.policy.model import ImageStatus, MadeFor
from orthanc_plugin.registry import images, tasks
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.retentiongather import Around, gather
from orthanc_plugin.registry.tables import images as rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A record without a date, and why."""

    study_instance_uid: str
    found: Due


def studies(connection: Connection) -> Iterator[tuple[str, list[ImageRow]]]:
    """Give each study with one picture of each kind in it: dates and holds of one kind rest on the same.

    Of other uses than care each picture may have a promise of its own.
    """
    alone = case((rows.c.made_for == MadeFor.CARE, ""), else_=rows.c.sop_instance_uid)
    kind = (rows.c.study_instance_uid, rows.c.patient_id, rows.c.issuer, rows.c.made_for, rows.c.made_on, alone)
    query = select(rows.c.study_instance_uid, func.min(rows.c.sop_instance_uid)).group_by(*kind).order_by(kind[0])
    study, pictures = "", list[ImageRow]()
    query = query.where(rows.c.status != ImageStatus.DISPOSED)
    for found, uid in connection.execute(query, execution_options=IN_PARTS):
        if found != study and pictures:
            yield study, pictures
            pictures = []
        row = images.get(connection, uid)
        study, pictures = found, [*pictures, *([row] if row is not None else [])]
    if pictures:
        yield study, pictures


def of_study(connection: Connection, schedule: Schedule, pictures: list[ImageRow], now: datetime) -> Due:
    """Return what follows for a study as far as dates go, whatever holds it and however fresh the sources are."""
    alone = Around(day=hospital_day(now), schedule=schedule, stale=(), holds=(), requests=())
    found = [due(schedule, gather(connection, row, alone), alone.day) for row in pictures]
    return next((each for each in found if each.due_date is None), None) or max(found, key=last_day)


def gaps(connection: Connection, schedule: Schedule, now: datetime) -> Iterator[Gap]:
    """Give every record that has no date because something isn't known."""
    for study, pictures in studies(connection):
        found = of_study(connection, schedule, pictures, now)
        if found.status is Status.UNRESOLVED:
            yield Gap(study_instance_uid=study, found=found)


def ask(connection: Connection, act: Act, found: tuple[Gap, ...]) -> None:
    """Open a task for what isn't known of each record, and close those of records that have what they lacked."""
    needed = {(str(kind), gap.study_instance_uid): gap for gap in found for kind in gap.found.tasks}
    for (kind, study), gap in needed.items():
        reason = f"no retention date: not known: {'; '.join(gap.found.missing)}"
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=study, reason=reason, at=act.at)
    for task in (task for kind in RetentionTask for task in tasks.open_tasks(connection, kind)):
        if (task["kind"], task["subject"]) not in needed:
            duties.close(connection, act, str(task["task_id"]), "what was missing is known")


def last_day(found: Due) -> date:
    """Return the last day that a record is kept at least; without a date, for ever."""
    return found.due_date or date.max
