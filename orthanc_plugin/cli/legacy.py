"""``consentgate legacy adopt``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.lifecycle import legacy as pictures


@click.group()
def legacy() -> None:
    """Take over the pictures that the archive held before Consentgate."""


@legacy.command()
@click.option("--study", help="Only this study's (Study Instance UID).")
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--reason", required=True, help="Why they may be used for care, such as the project's name.")
@by_option
@json_option
@told
def adopt(study: str | None, everything: bool, reason: str, by: str, as_json: bool) -> None:
    """Make the pictures that the start-up found usable by the care team, and by nobody else.

    Each is read back first and must be what was found then. A run that is cut off is taken up by the next.
    Exit status 1 when some could not be adopted.
    """
    if (study is None) is not everything:
        raise click.UsageError("Give either --study UID or --all.")
    if not reason.strip():
        raise click.UsageError("Give the reason in words.")
    shared = services()
    with archive(shared) as running:
        report = pictures.adopt(
            shared.database,
            running,
            lambda: shared.act(by, "consentgate legacy"),
            study=study,
            reason=reason.strip(),
        )
    shared.sign_head()
    sentence = (
        f"{len(report.adopted)} adopted, for care only. {len(report.changed)} were changed since the start-up found "
        f"them, {len(report.unread)} could not be read; {report.left} remain in quarantine inside the archive."
    )
    say(asdict(report), sentence, as_json=as_json)
    sys.exit(1 if report.changed or report.unread else 0)
