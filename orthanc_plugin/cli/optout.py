"""``consentgate optout import | show``: the national data opt-out.

Knows click. Must not know when an opt-out counts.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.clock import LONDON
from orthanc_plugin.lifecycle import optouts

DOOR: Final = "consentgate optout"


@click.group()
def optout() -> None:
    """Take in the list of national data opt-outs, and say of when the newest is."""


@optout.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as-of",
    required=True,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="When the list was taken, by the hospital's clock.",
)
@click.option("--complete", is_flag=True, help="Whoever is missing from the list has opted in again.")
@by_option
@json_option
@told
def import_(file: Path, as_of: datetime, complete: bool, by: str, as_json: bool) -> None:
    """Take in FILE, a CSV file of the numbers (patient_id, issuer) of patients who have opted out.

    What may no longer be used without their consent is cancelled where it is queued, and recalled where it is out.
    """
    shared = services()
    done = optouts.import_list(
        shared.database,
        lambda: shared.act(by, f"{DOOR} import"),
        file,
        as_of.replace(tzinfo=LONDON).astimezone(UTC),
        shared.release.under,
        complete=complete,
    )
    shared.sign_head()
    report, found = done.report, done.found
    counted = {
        **asdict(report),
        "opted_in": done.opted_in,
        "kept": done.kept,
        "cancelled": len(found.sends),
        "recalls": found.back,
        "not_recallable": found.lost,
    }
    words = (
        f"{report.applied} opt-out(s) recorded, {report.known} recorded before, {report.failed} with errors;"
        f" {done.opted_in} opted in again. {len(found.sends)} queued send(s) cancelled, {len(found.back)} copies"
        f" recalled; {len(found.lost)} can't be had back."
    )
    if done.kept:
        words += (
            f" {done.kept} stay opted out: a number merged into theirs says so, or it was recorded since the list was"
            " made (consentgate patient show)."
        )
    say(counted, words if report.errors is None else f"{words} Errors are in {report.errors}.", as_json=as_json)
    sys.exit(1 if report.failed else 0)


@optout.command()
@json_option
@told
def show(as_json: bool) -> None:
    """Say of when the newest list is, and how many patients have opted out."""
    with services().database.reading() as connection:
        last, many = optouts.taken_in(connection), len(optouts.opted_out(connection))
    words = (
        f"{many} patient(s) have opted out; the newest list is of {last:%Y-%m-%d %H:%M}." if last else "No list yet."
    )
    say({"as_of": last.isoformat() if last else None, "opted_out": many}, words, as_json=as_json)
