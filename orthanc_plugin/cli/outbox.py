"""``consentgate route queue | retry``: what is to be sent and where it stands, and another try for what gave up.

Knows click. Must not decide: what waits again is decided when it is sent.
"""

from __future__ import annotations

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import requeueing
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.outbox import State

DOOR = "consentgate route"
COLUMNS = ("outbox_id", "route", "recipient", "state", "attempts", "next_try", "sop_instance_uid", "cause", "reason")


@click.command()
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only rows in this state.")
@click.option("--route", help="Only rows of this route.")
@click.option("--counts", is_flag=True, help="Only how many there are in each state.")
@json_option
@told
def queue(state: str | None, route: str | None, counts: bool, as_json: bool) -> None:
    """List what is to be sent and what came of it, in the order of the turns.

    Of a row that is CLAIMED, next_try says when the courier's lease runs out.
    """
    with services().database.reading() as connection:
        if counts:
            found: dict[str, object] = {name.value: many for name, many in outbox.counts(connection).items()}
            say(found, ", ".join(f"{name} {many}" for name, many in found.items()), as_json=as_json)
            return
        rows = outbox.listed(connection, State(state) if state else None, route)
    show(rows, COLUMNS, as_json=as_json, empty="Nothing is in the queue.")


@click.command()
@click.argument("outbox_id", type=click.IntRange(min=1), required=False)
@click.option("--route", help="Everything of this route that is DEAD.")
@click.option("--all-dead", is_flag=True, help="Everything that is DEAD.")
@by_option
@json_option
@told
def retry(outbox_id: int | None, route: str | None, all_dead: bool, by: str, as_json: bool) -> None:
    """Have row OUTBOX_ID wait again, which is DEAD, REFUSED or CANCELLED; or everything that is DEAD.

    Nothing is permitted by that: whether a picture may leave is decided again when it is sent.
    """
    if sum((outbox_id is not None, route is not None, all_dead)) != 1:
        raise click.UsageError("Name one row, or give --route NAME, or --all-dead.")
    shared = services()
    act = shared.act(by, DOOR)
    with shared.database.writing() as connection:
        again = requeueing.retry(connection, act, outbox_id=outbox_id, route=route)
    shared.sign_head()
    say({"waiting": again}, f"{again} row(s) wait again.", as_json=as_json)
