"""``consentgate retention facts pull``: ask a FHIR server for facts, and take them in as a file of them is taken in.

Knows click and where the settings are. Must not know what facts mean.
"""

from __future__ import annotations

import csv
import ssl
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from dicomwrap.durable import reason_of
from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.config.factsources import FactSource
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.fhir import episodes
from orthanc_plugin.fhir.diagnoses import Diagnoses
from orthanc_plugin.fhir.server import FhirServer
from orthanc_plugin.fhir.trials import Trials
from orthanc_plugin.lifecycle import retentionrows, scheduling
from orthanc_plugin.policy.expirymodel import Schedule, Trigger
from orthanc_plugin.services import Services

DOOR: Final = "consentgate retention facts pull"
KEEP: Final = "Where lines that fail are kept, which only you may read [default: beside settings.toml]."


@click.command()
@click.argument("source")
@click.option("--errors", "folder", type=click.Path(path_type=Path, file_okay=False), help=KEEP)
@by_option
@json_option
@told
def pull(source: str, folder: Path | None, by: str, as_json: bool) -> None:
    """Ask the FHIR server that settings.toml names SOURCE, and take in what it tells.

    Every page is had before anything is taken in. Where the server can't be asked nothing changes; the source grows
    stale, and then nothing is proposed. Exit status 1 when a line failed.
    """
    shared = services()
    known = shared.settings.fact_sources.get(source)
    if known is None:
        raise ConfigurationError(
            f"settings.toml names no source '{source}' that could be asked.", remedy="Add [fact_sources.NAME] to it."
        )
    with shared.database.reading() as connection:
        schedule = scheduling.in_force(connection)
    answer = _server(shared, known).ask(known.url, known.also, shared.clock())
    lines = episodes.told(
        answer.bundle,
        known.system,
        complete=known.complete,
        diagnoses=_diagnoses(known, schedule),
        trials=Trials(system=known.trials.system, regimes=known.trials.regimes) if known.trials else None,
    )
    with TemporaryDirectory(prefix="consentgate-") as work:
        file = _written(Path(work) / f"{source}.csv", lines)
        found = retentionrows.take_in(
            shared.database, lambda: shared.act(by, DOOR), schedule, file, source, answer.as_of
        )
        kept = _kept(found.report.errors, folder or shared.settings.folder)
    shared.sign_head()
    fresh = found.feed.told_at.isoformat() if found.feed else None
    report = found.report
    sentence = f"{report.applied} row(s) recorded, {report.known} recorded before, {report.failed} with errors."
    ending = f" {source} is fresh as of {fresh}." if fresh else f" Those are in {kept}; {source} isn't fresh."
    counted = {**asdict(report), "errors": kept, "source": source, "fresh_as_of": fresh}
    say(counted, sentence + ending, as_json=as_json)
    sys.exit(1 if report.failed else 0)


def _diagnoses(source: FactSource, schedule: Schedule) -> Diagnoses | None:
    """Return how diagnoses are read; those must have a day from which the schedule in force counts."""
    if source.diagnoses is None:
        return None
    counted = (rule.applies.category for rule in schedule.rules if rule.trigger is Trigger.CANCER_DIAGNOSIS)
    return Diagnoses(categories=source.diagnoses.categories, dated=frozenset(name for name in counted if name))


def _server(shared: Services, source: FactSource) -> FhirServer:
    try:
        context = ssl.create_default_context(cafile=str(shared.settings.path(source.ca)) if source.ca else None)
        token = shared.settings.path(source.token_file).read_text(encoding="ascii") if source.token_file else ""
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "The certificates or the token of the source can't be read.",
            remedy="See to 'ca' (PEM) and 'token_file' of [fact_sources] in settings.toml, and to the rights on them.",
        ) from error
    return FhirServer(context=context, token=(token.splitlines() or [""])[0].strip(), ticks=shared.ticks)


def _written(file: Path, lines: Sequence[dict[str, str]]) -> Path:
    columns = [name for name in retentionrows.COLUMNS if any(name in line for line in lines)]
    with file.open("x", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, columns)
        writer.writeheader()
        writer.writerows(lines)
    return file


def _kept(errors: Path | None, folder: Path) -> str | None:
    """Keep the lines that failed, with what is wrong, where the next pull replaces them."""
    if errors is None:
        return None
    place = folder / errors.name
    try:
        place.unlink(missing_ok=True)
        place.touch(mode=0o600, exist_ok=False)
        place.write_bytes(errors.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"Lines failed, and can't be kept ({reason_of(error)}).", remedy="Name a folder of yours with --errors."
        ) from error
    return str(place)
