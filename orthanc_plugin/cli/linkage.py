"""``consentgate linkage list | permit``: look at what is out of one patient before more of it leaves."""

from __future__ import annotations

from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import linkage as linking
from orthanc_plugin.policy.linkage import TASK
from orthanc_plugin.registry import linkage as rows
from orthanc_plugin.registry import tasks

DOOR = "consentgate linkage"


@click.group()
def linkage() -> None:
    """Show and settle linkage reviews: so much of one patient is out anonymised that a person must look."""


@linkage.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the open reviews with what is out of each patient, as the ledger has it."""
    shared = services()
    with shared.database.reading() as connection:
        since = shared.clock() - shared.policy.linkage.limit.window
        found = [
            {**task, "study": each.study, "recipient": each.recipient, "purpose": each.purpose, "at": each.at}
            for task in tasks.open_tasks(connection, TASK)
            for each in rows.left(connection, rows.of_whom(connection, str(task["subject"]))[0], since)
        ]
    columns = ("task_id", "study", "recipient", "purpose", "at")
    listed = [{name: row[name] for name in columns} for row in found]
    show(listed, columns, as_json=as_json, empty="No linkage review is open.")


@linkage.command()
@click.argument("task_id")
@click.option("--note", required=True, help="What you looked at, and why more may leave.")
@by_option
@json_option
@told
def permit(task_id: str, note: str, by: str, as_json: bool) -> None:
    """Let as many studies of this patient leave again as policy.toml says; never who asked for them."""
    shared = services()
    with shared.database.writing() as connection:
        review = linking.permit(connection, shared.act(by, DOOR), task_id, note)
    shared.sign_head()
    again = shared.policy.linkage.releases
    say(asdict(review), f"Settled: {again} more may leave before somebody looks again.", as_json=as_json)
