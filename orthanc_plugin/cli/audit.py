"""``consentgate audit tail | verify``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from orthanc_plugin.audit.chain import verify as walk
from orthanc_plugin.cli.common import json_option, say, services, show, told
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.trail import Trail


@click.group()
def audit() -> None:
    """Read and verify the audit trail."""


@audit.command()
@click.option("-n", "--count", default=20, show_default=True, help="How many entries.")
@json_option
@told
def tail(count: int, as_json: bool) -> None:
    """Show the newest entries, oldest first."""
    columns = ("seq", "at", "actor", "door", "effect", "reasons", "id")
    show(services().trail.tail(count), columns, as_json=as_json, empty="The trail is empty.")


@audit.command()
@click.option("--database", help="Verify the trail in this database (such as a copy) instead of the registry's.")
@json_option
@told
def verify(database: str | None, as_json: bool) -> None:
    """Prove the trail whole: every entry follows the one before it, and every signed head is met.

    Exit status 1 when it isn't; the first entry that doesn't hold is named.
    """
    shared = services()
    trail = Trail(open_database(database)) if database else shared.trail
    signed = shared.heads.signed()
    found = walk(trail.entries(), signed)
    if found.whole:
        sentence = f"The trail is whole: {found.entries} entries hold, {len(signed)} signed heads are met."
    else:
        sentence = f"The trail is broken: {found.problem}. {found.entries} entries before it hold."
    say({"whole": found.whole, "signed_heads": len(signed), **asdict(found)}, sentence, as_json=as_json)
    sys.exit(0 if found.whole else 1)
