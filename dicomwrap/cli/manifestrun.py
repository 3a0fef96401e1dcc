"""Run a manifest: what is left of it, with a progress bar, each result noted as it comes.

Knows rich and the result file. Must not know what is in a row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import click

from dicomwrap.cli import report
from dicomwrap.cli.details import Details
from dicomwrap.cli.jobs import each
from dicomwrap.cli.manifest import Row, by_patient, read_manifest
from dicomwrap.cli.orders import Settings, UsageProblemsError
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.report import Outcome, Refused
from dicomwrap.cli.results import Entry, Results, keyed, namespace
from dicomwrap.cli.rows import Import, wrap_row

_DRAWN: Final = 200  # times at most
Done: TypeAlias = tuple[tuple[Outcome, ...], list[Entry]]


def run(
    manifest: Path, out: Path, *, results: Path, defaults: Details, settings: Settings, jobs: int, as_json: bool
) -> int:
    """Wrap every row that isn't done yet and return the exit code: 0, or 1 when a row is refused or an object outdated.

    Raises:
        DicomwrapError: the manifest as a whole can't be used.
        UsageProblemsError: the output folder can't be made.
    """
    papers = Papers(folder=manifest.parent)
    rows = tuple(keyed(row, papers) for row in read_manifest(manifest, defaults))
    _make_folders(out, results)
    noted = Results(results, manifest.parent)
    noted.load()
    whole = Import(out=out, settings=settings, papers=papers, studies=noted.studies, namespace=namespace(out))
    left = tuple(row for row in rows if not noted.is_done(row))
    refused = 0

    def work(group: tuple[Row, ...]) -> list[Done]:
        return [_done(row, wrap_row(row, whole), noted) for row in group]

    results_of_groups = each(work, by_patient(left), jobs)
    done = (result for group in results_of_groups for result in group)
    for outcomes, entries in _with_progress(done, len(rows), len(rows) - len(left)):
        noted.append(entries)
        refused += any(isinstance(outcome, Refused) for outcome in outcomes)
        for outcome in outcomes:
            _tell(outcome, as_json=as_json)
    superseded = noted.settle(rows)
    for file in superseded:
        click.echo(
            f"{report.safe(file)}: made for a row that says something else now; remove it if that was wrong", err=True
        )
    click.echo(
        f"{len(rows)} rows: {len(rows) - refused} wrapped ({len(rows) - len(left)} of them before), {refused} refused; "
        f"{report.safe(str(results))} has a row for each",
        err=True,
    )
    return 1 if refused or superseded else 0


def _done(row: Row, outcomes: tuple[Outcome, ...], noted: Results) -> Done:
    return outcomes, noted.entries(row, outcomes)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        click.echo(report.line(report.row(outcome)))
    elif isinstance(outcome, Refused):
        report.tell(outcome, quietly=True)


def _make_folders(out: Path, results: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        results.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblemsError([f"--out: the folder can't be made ({error.strerror})"]) from error


def _with_progress(done: Iterator[Done], total: int, before: int) -> Iterator[Done]:
    """Yield what comes, and show how far it is, when a person is looking."""
    if not sys.stderr.isatty():
        yield from done
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("wrapping"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Drawn by this thread: the children are forked while it is shown, and must not inherit another thread's locks.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar:
        task = bar.add_task("wrapping", total=total, completed=before)
        for number, result in enumerate(done, start=before + 1):
            yield result
            bar.update(task, completed=number, refresh=number % max(1, total // _DRAWN) == 0 or number == total)
