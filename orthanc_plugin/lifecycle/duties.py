"""Tasks: put on somebody's list, and done.

Knows which tasks are closed by the act that they ask for. Must not know why they arise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.access import AccessTask
from orthanc_plugin.policy.eventmodel import Task, TaskKind
from orthanc_plugin.policy.linkage import TASK
from orthanc_plugin.policy.model import Obligation
from orthanc_plugin.registry import tasks
from orthanc_plugin.registry.trail import append

# A note alone would leave undone what the rows of the registry wait for.
DONE_BY: Final[dict[str, str]] = {
    TaskKind.CONFIRM_RECALL: "consentgate disclosure recalled",
    Obligation.VERIFY_RESIDUAL_ID: "consentgate review confirm",
    Obligation.RETROSPECTIVE_REVIEW: "consentgate break-glass review",
    AccessTask.SUBJECT_ACCESS: "consentgate subject-access close",
    TASK: "consentgate linkage permit",
}


def open_tasks(connection: Connection, act: Act, opened: Iterable[Task], *, subject: str, reason: str) -> None:
    """Put tasks on their owners' lists; ``subject`` is what a task is about that names nothing else."""
    for task in opened:
        tasks.open_task(
            connection,
            task_id=act.ids(),
            kind=task.kind,
            subject=task.subject or subject,
            reason=reason,
            at=act.at,
        )


def close(connection: Connection, act: Act, task_id: str, note: str) -> tasks.Row:
    """Close a task with a note of what was done or found; return it as it now stands.

    Raises:
        UnknownRecordError: there is no such task.
        IllegalTransitionError: it is closed, whoever acts may not close it, or an act of its own does that.
    """
    task = tasks.get(connection, task_id)
    command = DONE_BY.get(str(task["kind"]))
    if command is not None:
        raise IllegalTransitionError(
            f"A task {task['kind']} is closed by doing what it asks for.", remedy=f"Use '{command}'."
        )
    closed = tasks.close(connection, task_id, by=act.by, at=act.at, note=note, one_person=act.policy.one_person)
    told = act.event(
        EventType.APPLICATION_ACTIVITY,
        "TASK_CLOSED",
        subject=task_id,
        reasons=(f"{task['kind']} on {task['subject']}",),
    )
    append(connection, [told])
    return closed
