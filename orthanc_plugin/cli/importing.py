"""``consentgate import patients | consents``: from CSV files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.lifecycle.importing import KINDS, Report, import_rows

dry_run_option = click.option("--dry-run", is_flag=True, help="Try every row by itself and record nothing.")


@click.group(name="import")
def import_() -> None:
    """Take patients' facts and consents in from CSV files (docs/consents.md has the columns).

    Each row is recorded wholly or not at all. Rows that fail go to FILE.errors.csv with what is wrong; correct them
    there and import that file. An import that was cut off is run again: rows recorded before are passed over.
    """


def _sentence(report: Report, *, dry_run: bool) -> str:
    done = "could be recorded" if dry_run else "recorded"
    words = f"{report.applied} row(s) {done}, {report.known} recorded before, {report.failed} with errors."
    if report.errors is None:
        return words
    return f"{words} Those are in {report.errors}, which only you may read: it has patients' details."


def _run(kind: str, file: Path, by: str, *, dry_run: bool, as_json: bool) -> None:
    shared = services()
    report = import_rows(
        shared.database, lambda: shared.act(by, f"consentgate import {kind}"), KINDS[kind], file, dry_run=dry_run
    )
    shared.sign_head()
    say({**asdict(report), "dry_run": dry_run}, _sentence(report, dry_run=dry_run), as_json=as_json)
    sys.exit(1 if report.failed else 0)


@import_.command()
@click.argument("file", type=click.Path(path_type=Path))
@dry_run_option
@by_option
@json_option
@told
def patients(file: Path, dry_run: bool, by: str, as_json: bool) -> None:
    """Record the facts of patients in FILE (CSV)."""
    _run("patients", file, by, dry_run=dry_run, as_json=as_json)


@import_.command()
@click.argument("file", type=click.Path(path_type=Path))
@dry_run_option
@by_option
@json_option
@told
def consents(file: Path, dry_run: bool, by: str, as_json: bool) -> None:
    """Record the consents and refusals in FILE (CSV), by level of a form or with all their terms."""
    _run("consents", file, by, dry_run=dry_run, as_json=as_json)
