"""``consentgate task list | close``: what somebody must do."""

from __future__ import annotations

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import duties
from orthanc_plugin.registry import tasks
from orthanc_plugin.registry.tasks import Owner

COLUMNS = ("task_id", "kind", "subject", "owner", "due_at", "opened_at", "reason")
CLOSED_COLUMNS = ("closed_at", "closed_by", "note")


@click.group()
def task() -> None:
    """List and close what somebody must do."""


@task.command(name="list")
@click.option("--owner", type=click.Choice([*Owner]), help="Only this role's.")
@click.option("--overdue", is_flag=True, help="Only what should have been done by now.")
@click.option("--all", "everything", is_flag=True, help="What is closed too.")
@json_option
@told
def list_(owner: str | None, overdue: bool, everything: bool, as_json: bool) -> None:
    """List open tasks, the most urgent first."""
    if overdue and everything:
        raise click.UsageError("--overdue and --all contradict one another: what is closed is not overdue.")
    shared = services()
    late = shared.clock() if overdue else None
    with shared.database.reading() as connection:
        found = tasks.listed(connection, owner=owner, overdue_at=late, everything=everything)
    columns = COLUMNS + CLOSED_COLUMNS if everything else COLUMNS
    show(found, columns, as_json=as_json, empty="Nothing is to be done.")


@task.command()
@click.argument("task_id")
@click.option("--note", required=True, help="What was done or found.")
@by_option
@json_option
@told
def close(task_id: str, note: str, by: str, as_json: bool) -> None:
    """Close TASK_ID: it is done, and the note says what came of it."""
    shared = services()
    with shared.database.writing() as connection:
        closed = duties.close(connection, shared.act(by, "consentgate task"), task_id, note)
    shared.sign_head()
    say(closed, f"Closed: {closed['kind']} on {closed['subject']}.", as_json=as_json)
