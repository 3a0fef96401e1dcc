"""``consentgate image backfill``: what routes ask of pictures that were filed before there were routes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from orthanc_plugin.archive.remote import read_place
from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.enforcement.describing import described
from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.lifecycle.backfill import UNSETTLED, Backfill, Fate

DOOR: Final = "consentgate image backfill"
LEFT: Final = " Those are as they were; see to them, and run it again."


@click.command()
@click.option("--again", is_flag=True, help="Look at all there are, not only at what no run has looked at.")
@by_option
@json_option
@told
def backfill(again: bool, by: str, as_json: bool) -> None:
    """Read body site and department from pictures of which neither is on record, for routes that ask for them.

    Run it once on each node, while Orthanc runs. Nothing that is on record is changed, and nothing is queued. Cut off,
    the next run takes it up. Exit status 1 when a picture can't be read, or isn't the one that was accepted.
    """
    shared = services()
    place = read_place(shared.settings.path(shared.settings.orthanc.boot_secret))
    with archive(shared) as running:
        work = Backfill(
            database=shared.database,
            archive=running,
            name=place.archive,
            describe=described,
            acting=lambda: shared.act(by, DOOR),
        )
        start = work.start(again=again)
        counted = _counted(work.run(start), work.left(start))
    shared.sign_head()
    unsettled = any(counted[fate] for fate in UNSETTLED)
    sentence = ", ".join(f"{counted[fate]} {fate}" for fate in Fate) + "."
    say({fate.name.lower(): counted[fate] for fate in Fate}, sentence + LEFT * unsettled, as_json=as_json)
    sys.exit(1 if unsettled else 0)


def _counted(found: Iterator[tuple[str, Fate]], total: int) -> Counter[Fate]:
    """Count what became of the pictures, and name those that somebody must see to."""
    counted: Counter[Fate] = Counter()
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        for uid, fate in progress.track(found, total=total, description="Reading"):
            counted[fate] += 1
            if fate in UNSETTLED:
                click.echo(f"{uid}: {fate}", err=True)
    return counted
