"""The commands ``verify``, ``inspect`` and ``unwrap``: options, exit codes, lines and JSON.

Knows click. Must not know DICOM: what a command does is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dicomwrap.cli.report import safe
from dicomwrap.errors import DicomwrapError

if TYPE_CHECKING:
    from dicomwrap.unwrap import Unwrapped
    from dicomwrap.verify import Verdict

_FILES: Final = click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=True)
)
_KEY: Final = click.option(
    "--stamp-key", type=click.Path(path_type=Path), help="File with the key that consent stamps are sealed with."
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of lines.")


@click.command()
@_FILES
@_JSON
@_KEY
def verify(files: tuple[Path, ...], as_json: bool, stamp_key: Path | None) -> None:
    """Judge each FILE, a DICOM photograph of anybody's: is it sound, and does anything hide in it?

    Exit code 0: no errors; warnings and notes may be told. 1: a file has errors. 2: the call itself is wrong.
    """
    from dicomwrap.verify import verify_file

    key = key_from(stamp_key)
    verdicts = []
    for file in files:
        verdict = verify_file(file, key=key)
        verdicts.append(verdict)
        if not as_json:
            _tell_verdict(verdict)
    if as_json:
        click.echo(json.dumps([_verdict_json(verdict) for verdict in verdicts], indent=1))
    sys.exit(0 if all(verdict.ok for verdict in verdicts) else 1)


@click.command()
@_FILES
@_JSON
@_KEY
def inspect(files: tuple[Path, ...], as_json: bool, stamp_key: Path | None) -> None:
    """Say what each FILE is: whose, of what, taken when, with what, and under which consent.

    The answer names the patient. Exit code 0: all were read. 1: some weren't. 2: the call itself is wrong.
    """
    from dicomwrap.cli.summarylines import lines
    from dicomwrap.summary import summary_of_file

    key = key_from(stamp_key)
    summaries = [summary_of_file(file, key=key) for file in files]
    if as_json:
        click.echo(json.dumps([summary.as_json() for summary in summaries], indent=1))
    else:
        for summary in summaries:
            for line in lines(summary):
                click.echo(safe(line), err=bool(summary.error))
    sys.exit(1 if any(summary.error for summary in summaries) else 0)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The photograph, or a folder for it.")
@_JSON
def unwrap(file: Path, out: Path, as_json: bool) -> None:
    """Give the photograph in FILE back: the same picture bits, its colour profile, and nothing else.

    The photograph that comes out carries no consent any more, and names no patient: whoever passes it on answers for
    both. Nothing is overwritten. Exit code 0: written. 1: not written. 2: the call itself is wrong.
    """
    from dicomwrap.unwrap import unwrap as give_back

    try:
        unwrapped = give_back(file, out)
    except DicomwrapError as error:
        _tell_refusal(file, error, as_json=as_json)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"unwrapped": [asdict(each) for each in unwrapped], "refused": []}, indent=1))
        return
    for each in unwrapped:
        _tell_unwrapped(file, each)


def key_from(path: Path | None) -> bytes | None:
    """Return the key in a file, as ``dicomwrap wrap`` reads it.

    Raises:
        click.UsageError: there is none.
    """
    from dicomwrap.cli.orders import UsageProblemsError
    from dicomwrap.cli.wrapcommand import stamp_key

    try:
        return stamp_key(path)
    except UsageProblemsError as error:
        raise click.UsageError("\n".join(error.problems)) from error


def _tell_verdict(verdict: Verdict) -> None:
    file = safe(verdict.file)
    for finding in verdict.findings:
        click.echo(f"{file}: {finding.severity} {finding.code}: {safe(finding.message)}")
    counts = Counter(finding.severity.value for finding in verdict.findings)
    told = ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts.items())
    click.echo(f"{file}: {'fit' if verdict.ok else 'not fit'}{f' ({told})' if told else ''}")


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    findings = [
        {"code": each.code, "severity": each.severity.value, "message": each.message} for each in verdict.findings
    ]
    return {"file": verdict.file, "ok": verdict.ok, "findings": findings}


def _tell_refusal(file: Path, error: DicomwrapError, *, as_json: bool) -> None:
    click.echo(f"{safe(str(file))}: {safe(str(error))}", err=True)
    if as_json:
        refused = {"file": str(file), "reason": error.reason, "remedy": error.remedy}
        click.echo(json.dumps({"unwrapped": [], "refused": [refused]}, indent=1))


def _tell_unwrapped(file: Path, unwrapped: Unwrapped) -> None:
    click.echo(f"{safe(str(file))} -> {safe(unwrapped.photo)}")
    if unwrapped.left_out:
        click.echo(f"{safe(unwrapped.photo)}: left out: {', '.join(unwrapped.left_out)}", err=True)
    for warning in unwrapped.warnings:
        click.echo(f"{safe(unwrapped.photo)}: warning: {warning}", err=True)
