"""What somebody must do: opened by a decision or an event, owned by a role, closed by a person with a note.

Knows rows, and who does each kind within how many hours. Must not know why a task arises. A task names a consent, a
picture, a disclosure or a grant by its id, never a patient's number.

Sources: requirements 2.8 (obligations; a retrospective review within 72 hours, by someone else), 2.9 (recall, wrong
recipient: UK GDPR 33, 72 hours).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select, update

from orthanc_plugin.clock import Ids
from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.access import AccessTask
from orthanc_plugin.policy.devices import DeviceTask
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.eventmodel import TaskKind
from orthanc_plugin.policy.expirymodel import RetentionTask
from orthanc_plugin.policy.keyobjects import KeyObjectTask
from orthanc_plugin.policy.linkage import TASK as LINKAGE
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.policy.persons import OnePerson, same_person
from orthanc_plugin.policy.storing import StorageTask
from orthanc_plugin.registry.bulk import among, put
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import tasks

Row = dict[str, object]


@unique
class Owner(StrEnum):
    """Roles that have tasks."""

    CARE_TEAM = "CARE_TEAM"
    INFORMATION_GOVERNANCE = "INFORMATION_GOVERNANCE"
    CALDICOTT_GUARDIAN = "CALDICOTT_GUARDIAN"
    LEGAL = "LEGAL"
    SAFEGUARDING = "SAFEGUARDING"
    RECORDS_OFFICER = "RECORDS_OFFICER"
    PHOTOGRAPHY = "PHOTOGRAPHY"


@dataclass(frozen=True, slots=True)
class Duty:
    """Whose task it is, and within how many hours."""

    owner: Owner
    hours: int


DAY: Final = 24
WEEK: Final = 7 * DAY
KINDS: Final[dict[str, Duty]] = {
    Obligation.VERIFY_RESIDUAL_ID: Duty(Owner.PHOTOGRAPHY, WEEK),
    Obligation.REDACT_THIRD_PARTIES: Duty(Owner.PHOTOGRAPHY, WEEK),
    Obligation.SEEK_CONSENT: Duty(Owner.CARE_TEAM, 4 * WEEK),
    Obligation.SEEK_RECONSENT: Duty(Owner.CARE_TEAM, 4 * WEEK),
    Obligation.ASSESS_COMPETENCE: Duty(Owner.CARE_TEAM, 4 * WEEK),
    Obligation.CONSULT_FAMILY: Duty(Owner.CARE_TEAM, 4 * WEEK),
    Obligation.CONSIDER_FAMILY: Duty(Owner.CARE_TEAM, 4 * WEEK),
    Obligation.NOTIFY_PATIENT: Duty(Owner.CARE_TEAM, WEEK),
    Obligation.NOTIFY_IG: Duty(Owner.INFORMATION_GOVERNANCE, DAY),
    Obligation.IG_REVIEW: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    Obligation.RETROSPECTIVE_REVIEW: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    Obligation.CALDICOTT_REVIEW: Duty(Owner.CALDICOTT_GUARDIAN, 3 * DAY),
    Obligation.LEGAL_REVIEW: Duty(Owner.LEGAL, 3 * DAY),
    Obligation.SAFEGUARDING_REVIEW: Duty(Owner.SAFEGUARDING, 3 * DAY),
    Obligation.RECONCILE_IDENTITY: Duty(Owner.RECORDS_OFFICER, 3 * DAY),
    TaskKind.CONFIRM_RECALL: Duty(Owner.INFORMATION_GOVERNANCE, 2 * WEEK),
    TaskKind.BREACH_ASSESSMENT: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    TaskKind.CANDOUR_CHECK: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    TaskKind.TELL_PATIENT_NOT_RECALLABLE: Duty(Owner.CARE_TEAM, WEEK),
    TaskKind.PROPOSE_DISPOSAL: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
    RetentionTask.RESOLVE_IDENTITY: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
    RetentionTask.COMPLETE_RETENTION_FACTS: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
    TaskKind.DELETE_FROM_DEVICE: Duty(Owner.PHOTOGRAPHY, DAY),
    LINKAGE: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    DeviceTask.DEVICE_LOST: Duty(Owner.INFORMATION_GOVERNANCE, DAY),
    DeviceTask.AUTO_UPLOAD_SUSPECTED: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    DeviceTask.ENCRYPTION_WARNING: Duty(Owner.PHOTOGRAPHY, WEEK),
    DeviceTask.LATE_TRANSFER: Duty(Owner.PHOTOGRAPHY, WEEK),
    DisposalTask.UNPLANNED_DESTRUCTION: Duty(Owner.RECORDS_OFFICER, DAY),
    StorageTask.UNREADABLE_FILE: Duty(Owner.RECORDS_OFFICER, DAY),
    DisposalTask.KEPT_BY_A_COPY: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
    AccessTask.SUBJECT_ACCESS: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
    KeyObjectTask.EXPORT_REQUESTED: Duty(Owner.INFORMATION_GOVERNANCE, WEEK),
    KeyObjectTask.KEY_OBJECT_WITHOUT_EFFECT: Duty(Owner.INFORMATION_GOVERNANCE, 3 * DAY),
    KeyObjectTask.REJECTED_ELSEWHERE: Duty(Owner.RECORDS_OFFICER, 3 * DAY),
    KeyObjectTask.EXPIRED_ELSEWHERE: Duty(Owner.RECORDS_OFFICER, 4 * WEEK),
}

# Obligations that put work on somebody's list when a decision names them.
DEMANDED: Final = frozenset(
    {
        Obligation.VERIFY_RESIDUAL_ID,
        Obligation.SEEK_CONSENT,
        Obligation.SEEK_RECONSENT,
        Obligation.ASSESS_COMPETENCE,
        Obligation.NOTIFY_IG,
        Obligation.IG_REVIEW,
        Obligation.LEGAL_REVIEW,
        Obligation.CALDICOTT_REVIEW,
        Obligation.SAFEGUARDING_REVIEW,
        Obligation.CONSULT_FAMILY,
        Obligation.CONSIDER_FAMILY,
        Obligation.RECONCILE_IDENTITY,
        Obligation.RETROSPECTIVE_REVIEW,
        Obligation.NOTIFY_PATIENT,
    }
)


def _same(kind: str, subject: str) -> ColumnElement[bool]:
    return (tasks.c.kind == kind) & (tasks.c.subject == subject)


# Asked about every picture that comes in with a remark on it.
OPEN_KINDS: Final = prepared(
    select(tasks.c.kind).where(
        tasks.c.kind.in_([literal_column(f"'{each}'") for each in KINDS]),  # by the index
        tasks.c.subject == bindparam("subject"),
        tasks.c.closed_at.is_(None),
    )
)
OPEN: Final = prepared(
    select(tasks.c.task_id).where(
        tasks.c.kind == bindparam("kind"), tasks.c.subject == bindparam("subject"), tasks.c.closed_at.is_(None)
    )
)


def open_task(
    connection: Connection,
    *,
    task_id: str,
    kind: str,
    subject: str,
    reason: str,
    at: datetime,
    owner: str | None = None,
    due_at: datetime | None = None,
    not_by: str | None = None,
) -> None:
    """Open a task unless the same one is open already.

    Args:
        connection: open write transaction.
        task_id: fresh id.
        kind: one of ``KINDS``, which says who does it by when unless told otherwise.
        subject: what it is about: a SOP Instance UID, the id of a consent, disclosure or grant.
        reason: why, for a person.
        at: now.
        owner: role that does it.
        due_at: by when.
        not_by: who may not close it, because somebody else must look.
    """
    if OPEN.rows(connection, kind=kind, subject=subject):
        return
    duty = KINDS[kind]
    due = due_at or at + timedelta(hours=duty.hours)
    connection.execute(
        tasks.insert().values(
            task_id=task_id,
            kind=kind,
            subject=subject,
            reason=reason,
            opened_at=at.isoformat(),
            owner=owner or duty.owner,
            due_at=due.isoformat(),
            not_by=not_by,
        )
    )


def open_many(
    connection: Connection,
    *,
    kind: str,
    subjects: Collection[str],
    reason: str,
    at: datetime,
    ids: Ids,
) -> None:
    """Open a task of one kind on each of many subjects, unless the same one is open already."""
    same = (tasks.c.kind == kind, among(connection, tasks.c.subject, subjects), tasks.c.closed_at.is_(None))
    known = set(connection.execute(select(tasks.c.subject).where(*same)).scalars()) if subjects else set()
    missing = [each for each in dict.fromkeys(subjects) if each not in known]
    if not missing:
        return
    duty = KINDS[kind]
    put(
        connection,
        tasks,
        {"task_id": [ids() for _ in missing], "subject": missing},
        kind=kind,
        reason=reason,
        opened_at=at.isoformat(),
        owner=duty.owner.value,
        due_at=(at + timedelta(hours=duty.hours)).isoformat(),
    )


def asked_before(connection: Connection, *, kind: str, subject: str, reason: str) -> bool:
    """Tell whether the task is open, or was ever opened for this very reason and is done."""
    asked = tasks.c.closed_at.is_(None) | (tasks.c.reason == reason)
    return connection.execute(select(tasks.c.task_id).where(_same(kind, subject), asked)).first() is not None


def last_closed(connection: Connection, *, kind: str, subject: str) -> str | None:
    """Return when a task of this kind on this subject was last closed; None when none ever was."""
    return connection.execute(select(func.max(tasks.c.closed_at)).where(_same(kind, subject))).scalar()


def close_tasks(connection: Connection, *, kind: str, subject: str, by: str, at: datetime, note: str = "") -> None:
    """Close every open task of this kind on this subject, because what it asked for has been done."""
    close_many(connection, kind=kind, subjects=(subject,), by=by, at=at, note=note)


def close_many(
    connection: Connection, *, kind: str, subjects: Collection[str], by: str, at: datetime, note: str
) -> None:
    """Do the same on many subjects."""
    values = {"closed_at": at.isoformat(), "closed_by": by, "note": note}
    if subjects:
        same = (tasks.c.kind == kind, among(connection, tasks.c.subject, subjects), tasks.c.closed_at.is_(None))
        connection.execute(update(tasks).where(*same).values(values))


def close(
    connection: Connection, task_id: str, *, by: str, at: datetime, note: str, one_person: OnePerson = same_person
) -> Row:
    """Close one task; return it as it now stands.

    ``one_person`` tells whether two names are one person's; by themselves they are told apart by spelling alone.

    Raises:
        UnknownRecordError: there is no such task.
        IllegalTransitionError: it is closed, ``by`` may not close it, or the note is empty.
    """
    task = get(connection, task_id)
    if task["closed_at"] is not None:
        raise IllegalTransitionError("The task is closed already.", remedy="See 'consentgate task list --all'.")
    if one_person(str(task["not_by"] or ""), by):
        raise IllegalTransitionError(
            "The task is to be closed by someone other than the person it is about.",
            remedy="Have somebody else look at it and close it.",
        )
    if not note.strip():
        raise IllegalTransitionError("A task is closed with a note.", remedy="Say what was done or found.")
    values = {"closed_at": at.isoformat(), "closed_by": by, "note": note.strip()}
    connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(values))
    return {**task, **values}


def get(connection: Connection, task_id: str) -> Row:
    """Return one task.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(tasks).where(tasks.c.task_id == task_id)).first()
    if row is None:
        raise UnknownRecordError("No task has this id.", remedy="See 'consentgate task list'.")
    return dict(row._mapping)


def open_tasks(connection: Connection, kind: str | None = None) -> list[Row]:
    """Return the open tasks, oldest first."""
    query = select(tasks).where(tasks.c.closed_at.is_(None)).order_by(tasks.c.opened_at, tasks.c.task_id)
    if kind is not None:
        query = query.where(tasks.c.kind == kind)
    return [dict(row._mapping) for row in connection.execute(query)]


def open_kinds(connection: Connection, subject: str) -> frozenset[str]:
    """Return the kinds of task that are open on this subject."""
    return frozenset(str(kind) for (kind,) in OPEN_KINDS.rows(connection, subject=subject))


def listed(
    connection: Connection, *, owner: str | None = None, overdue_at: datetime | None = None, everything: bool = False
) -> list[Row]:
    """Return tasks, the most urgent first: open ones, or all; of one role; those due before ``overdue_at``."""
    query = select(tasks).order_by(tasks.c.due_at.is_(None), tasks.c.due_at, tasks.c.opened_at, tasks.c.task_id)
    if not everything:
        query = query.where(tasks.c.closed_at.is_(None))
    if owner is not None:
        query = query.where(tasks.c.owner == owner)
    if overdue_at is not None:
        query = query.where(tasks.c.closed_at.is_(None), tasks.c.due_at < overdue_at.isoformat())
    return [dict(row._mapping) for row in connection.execute(query)]
