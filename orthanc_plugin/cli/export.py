"""``consentgate export list | show``: what was asked for by key objects, and how that stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from orthanc_plugin.cli.common import json_option, plain, services, show, told
from orthanc_plugin.lifecycle import exportrequests
from orthanc_plugin.registry import keyobjects
from orthanc_plugin.registry.keyobjects import Came, State

DOOR: Final = "consentgate export"
COLUMNS: Final = ("request", "received_at", "sender", "state", "purpose", "pictures", "queued", "reason")
PICTURES: Final = ("sop_instance_uid", "standing", "recipient", "reason")


@click.group()
def export() -> None:
    """Show what workstations asked to have exported, by key objects, and how each request stands."""


@export.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Key objects that ask for no export, or had no effect, too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List the requests, oldest first."""
    with services().database.reading() as connection:
        found = keyobjects.listed(connection, None if everything else State.REQUESTED)
    show([_listed(each) for each in found], COLUMNS, as_json=as_json, empty="Nothing was asked for.")


@export.command(name="show")
@click.argument("request")
@json_option
@told
def show_(request: str, as_json: bool) -> None:
    """Show, for each picture of REQUEST (the key object's UID), whether it is queued, waits, is refused, or left.

    What is refused or waits is what would be decided now; it is decided when the picture is sent.
    """
    shared = services()
    with shared.database.reading() as connection:
        came = keyobjects.get(connection, request)
        act = shared.act("consentgate", DOOR)
        asked = came.state is State.REQUESTED
        found = exportrequests.standings(connection, act, came, shared.release.under) if asked else ()
    if not as_json:
        click.echo("\n".join(f"{name}: {plain(value)}" for name, value in _listed(came).items()))
    show([asdict(each) for each in found], PICTURES, as_json=as_json, empty="It asks for no export.")


def _listed(came: Came) -> dict[str, object]:
    values = {**asdict(came), "pictures": len(came.pictures), "request": came.key_object_uid}
    return {name: values[name] for name in (*COLUMNS, "title", "modifiers", "study_instance_uid")}
