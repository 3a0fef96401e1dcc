"""``consentgate quarantine list | show | release``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, show, told
from orthanc_plugin.cli.running import filing
from orthanc_plugin.lifecycle.filing import confirm, link
from orthanc_plugin.registry import quarantine as held_objects

DOOR = "consentgate quarantine"


@click.group()
def quarantine() -> None:
    """Show and release what is held back; none of it is in the archive."""


@quarantine.command(name="list")
@click.option("--all", "everything", is_flag=True, help="What was released or deleted too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List what is held, with the reasons."""
    with services().database.reading() as connection:
        found = held_objects.listed(connection, None) if everything else held_objects.open_(connection)
    columns = ("quarantine_id", "received_at", "origin", "status", "reasons", "size")
    show([asdict(each) for each in found], columns, as_json=as_json, empty="Nothing is in quarantine.")


@quarantine.command(name="show")
@click.argument("quarantine_id")
@json_option
@told
def show_(quarantine_id: str, as_json: bool) -> None:
    """Show one held object's record (not the picture)."""
    with services().database.reading() as connection:
        held = held_objects.get(connection, quarantine_id)
    lines = (f"{key.replace('_', ' ')}: {plain(value)}" for key, value in asdict(held).items())
    say(asdict(held), "\n".join(lines), as_json=as_json)


@quarantine.command()
@click.argument("quarantine_id")
@click.option("--consent", "consent_id", help="The consent on record that covers this photograph.")
@click.option("--patient-supplied", is_flag=True, help="It says that the patient supplied it, and that is so.")
@by_option
@json_option
@told
def release(quarantine_id: str, consent_id: str | None, patient_supplied: bool, by: str, as_json: bool) -> None:
    """Offer a held object to the archive again; it goes in only if nothing stands against it any more."""
    shared = services()
    with shared.database.writing() as connection:
        held = held_objects.get(connection, quarantine_id)
        if consent_id is not None:
            link(connection, shared.act(by, DOOR), quarantine_id, consent_id)
        if patient_supplied:
            confirm(connection, shared.act(by, DOOR), quarantine_id)
    if held.status is held_objects.Status.RELEASED:
        say({"released": True}, "It was released before.", as_json=as_json)
        return
    with filing(shared) as way:
        released = way.file(held, shared.act(by, DOOR))
    shared.sign_head()
    if released:
        say({"released": True}, "Released: it is in the archive now.", as_json=as_json)
        return
    with shared.database.reading() as connection:
        reasons = held_objects.get(connection, quarantine_id).reasons
    say({"released": False, "reasons": reasons}, f"Still held: {'; '.join(reasons)}", as_json=as_json)
    sys.exit(1)
