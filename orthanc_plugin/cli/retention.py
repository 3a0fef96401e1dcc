"""``consentgate retention``: how long what is kept; its commands are in modules of their own beside this one.

Here: ``retention due``, which needs neither a database nor settings.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orthanc_plugin.cli import casejson
from orthanc_plugin.cli.common import told
from orthanc_plugin.cli.disposition import apply_, approve, decide, plan, plans, refresh, show_, undo
from orthanc_plugin.cli.dispositionreports import destroyed, reconcile, report
from orthanc_plugin.cli.factpull import pull
from orthanc_plugin.cli.retentionfacts import facts
from orthanc_plugin.cli.retentionschedule import schedule as schedules
from orthanc_plugin.config.schedulefile import load_schedule, shipped
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.expiry import due as reckoned
from orthanc_plugin.policy.expirycases import DueCase, due_answer, parse_due_case
from orthanc_plugin.policy.expirydoubts import doubts
from orthanc_plugin.policy.expirymodel import Due, Schedule, Status

FAULTY = 1
UNREADABLE = 2


@click.group()
def retention() -> None:
    """Keep as long as the law says, not longer (docs/retention.md)."""


facts.add_command(pull)
retention.add_command(facts)
retention.add_command(schedules)
for each in (plan, plans, refresh, show_, decide, approve, undo, apply_, reconcile, report, destroyed):
    retention.add_command(each)


@retention.command()
@click.option(
    "--case", "source", type=click.Path(), required=True, help="File of one case or a list (JSON), or - for stdin."
)
@click.option(
    "--schedule",
    "file",
    type=click.Path(path_type=Path),
    help="A retention.toml [default: the one that is shipped, NHS England].",
)
@click.option("--explain", is_flag=True, help="Tell each case in words instead of JSON.")
@told
def due(source: str, file: Path | None, explain: bool) -> None:
    """Say until when a record is kept at least, by which rule, and whether it may be proposed.

    Neither a database nor settings are needed: one case gives one object, a list gives a list. A case that can't be
    read is UNRESOLVED, without a date; what is wrong with it is told on stderr, and the exit status is 1. Facts that
    contradict each other are named on stderr, too; what rests on them is UNRESOLVED.
    """
    schedule = shipped() if file is None else load_schedule(file)
    try:
        value = casejson.read(source)
    except (OSError, ValueError, RecursionError) as error:
        click.echo(f"consentgate: The cases can't be read: {error}. Give one case object, or a list of them.", err=True)
        sys.exit(UNREADABLE)
    each = enumerate(value if isinstance(value, list) else [value])
    found = [_found(one, schedule, f"case[{at}]") for at, one in each]
    if explain:
        click.echo("\n\n".join(_in_words(case_id, answer) for case_id, answer, _ in found))
    else:
        answers = [due_answer(case_id, answer) for case_id, answer, _ in found]
        click.echo(casejson.written(answers if isinstance(value, list) else answers[0]))
    sys.exit(0 if all(read for _, _, read in found) else FAULTY)


def _found(value: object, schedule: Schedule, place: str) -> tuple[str, Due, bool]:
    """Return the id of a case, what follows, and whether it could be read."""
    try:
        case = _read(value, schedule, place)
    except CaseError as error:
        for problem in error.problems:
            click.echo(f"consentgate: {problem}", err=True)
        click.echo(f"consentgate: {error.remedy}", err=True)
        return _called(value, place), Due(status=Status.UNRESOLVED, words=error.problems), False
    for doubt in doubts(case.facts):
        click.echo(f"consentgate: {place}.inputs.{doubt.field}: not known: {doubt.words}", err=True)
    return case.id, reckoned(case.schedule, case.facts, case.as_of), True


def _read(value: object, schedule: Schedule, place: str) -> DueCase:
    """Return a case.

    Raises:
        CaseError: it can't be read, or has a field twice, of which nobody can say which was meant.
    """
    if problems := tuple(casejson.repeated(value, place)):
        raise CaseError(problems, remedy="Correct the places that are named; docs/retention.md has the format.")
    return parse_due_case(value, schedule, place)


def _called(value: object, place: str) -> str:
    """Return what the answer to a case that can't be read is called: its id, or its place where it has none."""
    name = str(value.get("id") or "") if isinstance(value, dict) else ""
    return name if name.strip() else place


def _in_words(case_id: str, found: Due) -> str:
    lines = (f"{case_id}: {found.status}", *found.words, *(f"To do: {task}." for task in found.tasks))
    return "\n  ".join(lines)
