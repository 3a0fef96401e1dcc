"""``consentgate disclosure``: what left, and what became of it: recalled, wrongly sent, published, cut off."""

from __future__ import annotations

from collections.abc import Callable

import click
from sqlalchemy import Connection

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import recall
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.eventmodel import Recall
from orthanc_plugin.registry import ledger

COLUMNS = ("disclosure_id", "at", "sop_instance_uid", "recipient", "purpose", "form", "kind", "outcome", "recall")


@click.group()
def disclosure() -> None:
    """Show what left, and record what became of it."""


@disclosure.command(name="list")
@click.option("--image", help="Only copies of this picture (SOP Instance UID).")
@click.option("--recall", "standing", type=click.Choice([*Recall]), help="Only those whose recall stands so.")
@json_option
@told
def list_(image: str | None, standing: str | None, as_json: bool) -> None:
    """List disclosures, oldest first."""
    with services().database.reading() as connection:
        found = ledger.disclosed(connection, image)
    rows = [row for row in found if standing in (None, row["recall"])]
    show(rows, COLUMNS, as_json=as_json, empty="Nothing has left.")


def _done(disclosure_id: str, by: str, step: Callable[[Connection, Act], object]) -> ledger.Row:
    """Do ``step`` in one transaction; return the disclosure as it then stands."""
    shared = services()
    with shared.database.writing() as connection:
        step(connection, shared.act(by, "consentgate disclosure"))
        row = ledger.get(connection, disclosure_id)
    shared.sign_head()
    return row


@disclosure.command()
@click.argument("disclosure_id")
@click.option("--how", required=True, help="How it is known, such as: letter of the publisher, on file.")
@by_option
@json_option
@told
def recalled(disclosure_id: str, how: str, by: str, as_json: bool) -> None:
    """Record that the recipient has destroyed or returned the copy."""
    row = _done(disclosure_id, by, lambda connection, act: recall.confirm(connection, act, disclosure_id, how))
    say(row, "Recorded: the copy is gone. The recall is closed.", as_json=as_json)


@disclosure.command()
@click.argument("disclosure_id")
@click.option("--reason", required=True, help="What happened, in words.")
@by_option
@json_option
@told
def wrong_recipient(disclosure_id: str, reason: str, by: str, as_json: bool) -> None:
    """Record that the copy went to somebody who should not have it."""
    row = _done(
        disclosure_id, by, lambda connection, act: recall.wrong_recipient(connection, act, disclosure_id, reason)
    )
    said = "Recorded: the copy is recalled; the breach is to be assessed within 72 hours (see 'consentgate task list')."
    say(row, said, as_json=as_json)


@disclosure.command()
@click.argument("disclosure_id")
@by_option
@json_option
@told
def published(disclosure_id: str, by: str, as_json: bool) -> None:
    """Record that the copy was published, and can't be had back."""
    row = _done(disclosure_id, by, lambda connection, act: recall.published(connection, act, disclosure_id))
    say(row, "Recorded: published. A withdrawal can't bring it back; the patient is told then.", as_json=as_json)


@disclosure.command()
@click.argument("disclosure_id")
@by_option
@json_option
@told
def key_destroyed(disclosure_id: str, by: str, as_json: bool) -> None:
    """Record that nobody can tie the anonymised copy to the patient any more."""
    row = _done(disclosure_id, by, lambda connection, act: recall.key_destroyed(connection, act, disclosure_id))
    say(row, "Recorded: nobody can tell any more whose copy it is.", as_json=as_json)
