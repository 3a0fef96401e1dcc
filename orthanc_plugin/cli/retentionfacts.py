"""``consentgate retention facts ...``: what feeds tell that retention dates rest on, by CSV or from FHIR."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.clock import LONDON
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.fhir import episodes
from orthanc_plugin.lifecycle import people, retaining, retentionrows, scheduling, takingback
from orthanc_plugin.lifecycle.retaining import Gap
from orthanc_plugin.lifecycle.retentionrows import Intake
from orthanc_plugin.policy.expiry import stale
from orthanc_plugin.registry import patients, retentionfacts
from orthanc_plugin.registry.retentionfacts import Recorded
from orthanc_plugin.services import Services

DOOR: Final = "consentgate retention facts import"
DAY_LENGTH: Final = len("2026-11-22")


def _moment(_context: click.Context, _option: click.Parameter, value: str) -> datetime:
    """Return the moment in UTC; a day counts from its beginning at the hospital."""
    try:
        if len(value) == DAY_LENGTH:
            return datetime.combine(date.fromisoformat(value), time(), LONDON).astimezone(UTC)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter("give YYYY-MM-DD, or a moment with its offset such as 2026-11-22T06:00+00:00.")


def _source(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not 0 < len(value.strip()) <= retentionrows.LONGEST:
        raise click.BadParameter(f"give the source's name, in at most {retentionrows.LONGEST} characters.")
    return value.strip()


@click.group()
def facts() -> None:
    """Take in and show what retention dates rest on: contacts, episodes, deaths, diagnoses, trials."""


@facts.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", required=True, callback=_source, help="Whose facts they are, such as pas.")
@click.option("--as-of", required=True, callback=_moment, help="When the source was asked; a day, or a moment.")
@by_option
@json_option
@told
def import_(file: Path, source: str, as_of: datetime, by: str, as_json: bool) -> None:
    """Take FILE (CSV) in: what SOURCE knew then. docs/retention.md has the columns.

    Lines that fail go to FILE.errors.csv with what is wrong, and the source counts as fresh only when there are none.
    An import that was cut off is run again.
    """
    shared = services()
    with shared.database.reading() as connection:
        schedule = scheduling.in_force(connection)
    found = retentionrows.take_in(shared.database, lambda: shared.act(by, DOOR), schedule, file, source, as_of)
    shared.sign_head()
    fresh = found.feed.told_at if found.feed else None
    say({**asdict(found.report), "source": source, "fresh_as_of": fresh}, _sentence(found, source), as_json=as_json)
    sys.exit(1 if found.report.failed else 0)


def _sentence(found: Intake, source: str) -> str:
    report = found.report
    words = f"{report.applied} row(s) recorded, {report.known} recorded before, {report.failed} with errors."
    if found.feed is not None:
        return f"{words} {source} is fresh as of {found.feed.told_at.isoformat()}."
    return (
        f"{words} Those are in {report.errors}, which only you may read. {source} isn't fresh until they are taken in: "
        "correct them there, and import that file with the same --as-of."
    )


@facts.command(name="from-fhir")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--system", required=True, help="System of the identifier that is the patient's number here.")
@click.option("--complete", is_flag=True, help="BUNDLE has every encounter of each of its patients.")
@json_option
@told
def from_fhir(bundle: Path, file: Path, system: str, complete: bool, as_json: bool) -> None:
    """Write what BUNDLE (FHIR R4: Patient, Encounter) tells to FILE (CSV), to be imported.

    Only with --complete does it say of anybody that they are not under care.
    """
    try:
        lines = episodes.told(bundle.read_bytes(), system, complete=complete)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{bundle.name} can't be read, or {file.name} can't be written ({error.strerror}).",
            remedy="Give a readable Bundle, and the name of a file that isn't there yet.",
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, [name for name in retentionrows.COLUMNS if any(name in line for line in lines)])
        writer.writeheader()
        writer.writerows(lines)
    said = f"{len(lines)} patient(s) written to {file}, which only you may read. Import it with 'facts import'."
    say({"patients": len(lines), "file": str(file)}, said, as_json=as_json)


@facts.command(name="show")
@click.argument("patient_id")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@json_option
@told
def show_(patient_id: str, issuer: str | None, as_json: bool) -> None:
    """Show what each source has told of a patient, under every number of theirs.

    Under "seen" is what to agree with to all that a source has taken back and nobody has agreed to ('facts agree').
    """
    shared = services()
    who = people.key(shared.act("consentgate", DOOR), patient_id, issuer)
    with shared.database.reading() as connection:
        every = retentionfacts.of(connection, patients.numbers(connection, who))
    rows = [_row(each) | {"seen": _seen(each, every)} for each in every]
    columns = ("source", "told_at", "patient_id", *retentionfacts.NAMES, "taken_back", "agreed_by", "seen")
    show(rows, columns, as_json=as_json, empty="No source has told anything of this patient.")


def _seen(found: Recorded, every: Sequence[Recorded]) -> str | None:
    return takingback.in_doubt(every, found.by.source) if found.doubtful else None


def _row(found: Recorded) -> dict[str, object]:
    head = {"patient_id": found.who[0], "issuer": found.who[1], "source": found.by.source}
    taken = {name: each.as_of for name, each in found.taken_back.items()}
    back = {"taken_back": taken or None, "agreed_by": found.agreed_by}
    return {
        **head,
        "trial_id": found.by.trial_id,
        "told_at": found.by.told_at.isoformat(),
        **dict(_said(found)),
        **back,
    }


def _said(found: Recorded) -> Iterator[tuple[str, object]]:
    for name, value in asdict(found.told).items():
        yield name, retentionrows.NONE if value == () else value


@facts.command()
@click.argument("patient_id")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@click.option("--source", required=True, help="Which source has taken something back, such as pas.")
@click.option("--seen", required=True, help="What you looked at: the word that 'facts show' has under \"seen\".")
@click.option("--reason", required=True, help="How you know that it was right to; name no patient.")
@by_option
@json_option
@told
def agree(patient_id: str, issuer: str | None, source: str, seen: str, reason: str, by: str, as_json: bool) -> None:
    """Agree that SOURCE was right to take back what it told of a patient; until then their records have no date.

    Never by who took it in, nor to what came in after you looked. From then on dates are worked out by what other
    sources tell.
    """
    shared = services()
    act = shared.act(by, "consentgate retention facts agree")
    with shared.database.writing() as connection:
        found = takingback.agree(connection, act, people.key(act, patient_id, issuer), source, reason, seen)
    shared.sign_head()
    names = sorted({name for each in found for name in each.doubtful})
    said = f"Agreed: {source} doesn't tell {', '.join(names)} any more. Dates are by what other sources tell."
    say({"source": source, "taken_back": names, "agreed_by": by}, said, as_json=as_json)


@facts.command()
@json_option
@told
def feeds(as_json: bool) -> None:
    """Show how fresh each source is, and whether that is fresh enough to propose anything."""
    shared = services()
    with shared.database.reading() as connection:
        schedule, known = scheduling.in_force(connection), retentionfacts.feeds(connection)
    rows = [
        {
            "source": name,
            "told_at": known[name].told_at.isoformat() if name in known else None,
            "needed": name in schedule.feeds,
            "stale": stale(known[name].told_at if name in known else None, shared.clock(), schedule),
        }
        for name in dict.fromkeys((*schedule.feeds, *known))
    ]
    show(rows, ("source", "told_at", "needed", "stale"), as_json=as_json, empty="No source is known.")


@facts.command()
@json_option
@told
def gaps(as_json: bool) -> None:
    """List the records that have no date because something isn't known, and what that is."""
    _, found = _gaps()
    _show(found, as_json=as_json)


@facts.command()
@by_option
@json_option
@told
def ask(by: str, as_json: bool) -> None:
    """Open a task for each record that has no date, and close those of records that have one by now."""
    shared, found = _gaps()
    with shared.database.writing() as connection:
        retaining.ask(connection, shared.act(by, "consentgate retention facts ask"), found)
    shared.sign_head()
    _show(found, as_json=as_json)


def _gaps() -> tuple[Services, tuple[Gap, ...]]:
    shared = services()
    with shared.database.reading() as connection:
        return shared, tuple(retaining.gaps(connection, scheduling.in_force(connection), shared.clock()))


def _show(found: tuple[Gap, ...], *, as_json: bool) -> None:
    rows = [
        {"study": gap.study_instance_uid, "missing": list(gap.found.missing), "tasks": list(gap.found.tasks)}
        for gap in found
    ]
    show(rows, ("study", "missing", "tasks"), as_json=as_json, empty="Every record has what its date rests on.")
