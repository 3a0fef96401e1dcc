"""The command ``dicomwrap worklist``: whom are we to photograph?

Knows options, the table and the file. Must not know DICOM's messages. The file names patients, so only its owner reads
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from dicomwrap.cli import clock
from dicomwrap.cli.nodes import caller, caller_options, node
from dicomwrap.durable import Disk, reason_of
from dicomwrap.errors import DicomwrapError, OutputError, WorklistError
from dicomwrap.sending.findscu import Question, find
from dicomwrap.sending.node import Node
from dicomwrap.worklist import WorklistItem, written

_COLUMNS: Final = ("#", "When", "Patient", "Name", "Born", "Sex", "Procedure", "Department", "Accession", "Admission")
_WIDTH: Final = 180  # of what isn't a terminal, so that a line stays a line


@click.command()
@click.option("--from", "source", type=node, metavar="AET@HOST:PORT", required=True, help="Who has the worklist.")
@click.option("--patient-id", default="", help="The patient's number.")
@click.option("--accession", default="", help="The order's accession number.")
@click.option("--date", "day", metavar="YYYY-MM-DD", default="", help="The scheduled day, or 'today'.  [default: any]")
@click.option("--modality", default="", help="Such as XC for photographs.")
@click.option("--station-aet", default="", help="For whom it is scheduled.")
@click.option("--admission-id", default="", help="The encounter's number.")
@click.option("--institution", default="", help="The institution's name.")
@click.option("--department", default="", help="The department's name.")
@caller_options
@click.option("--pick", type=click.IntRange(min=1), metavar="N", help="Take the item of that number only.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the items to this file, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
@click.pass_context
def worklist(
    context: click.Context,
    /,
    source: Node,
    day: str,
    pick: int | None,
    out: Path | None,
    as_json: bool,
    patient_id: str,
    accession: str,
    modality: str,
    station_aet: str,
    admission_id: str,
    institution: str,
    department: str,
    **options: object,
) -> None:
    """Ask for the worklist. In keys ``*`` stands for any signs and ``?`` for any one sign.

    Exit code 0: answered, be it with nothing. 1: not answered, no such number, or the file can't be written. 2: the
    call itself is wrong.
    """
    question = Question(
        patient_id=patient_id,
        accession=accession,
        day=_day(day, context),
        modality=modality,
        station_aet=station_aet,
        admission_id=admission_id,
        institution=institution,
        department=department,
    )
    try:
        items = _picked(find(question, source, caller(**options)), pick)  # type: ignore[arg-type]
        if out is not None:
            _write(items, out)
    except DicomwrapError as error:
        raise click.ClickException(str(error)) from error
    show(items, first=pick or 1, as_json=as_json)


def show(items: Sequence[WorklistItem], *, first: int, as_json: bool) -> None:
    """Print the items, numbered from ``first``."""
    if as_json:
        click.echo(written(items), nl=False)
    elif not items:
        click.echo("Nothing on the worklist matches.")
    else:
        terminal = Console()
        (terminal if terminal.is_terminal else Console(width=_WIDTH)).print(_table(items, first))


def _table(items: Sequence[WorklistItem], first: int) -> Table:
    table = Table(*(Column(name, overflow="fold") for name in _COLUMNS))  # a name is never cut short
    for number, item in enumerate(items, first):
        cells = (
            str(number),
            item.scheduled_at.replace("T", " "),
            item.patient_id,
            item.patient_name,
            item.birth_date,
            item.sex,
            item.requested_procedure or item.scheduled_step,
            item.department,
            item.accession,
            item.admission_id,
        )
        table.add_row(*map(Text, cells))  # as text: a name in brackets is no markup
    return table


def _day(text: str, context: click.Context) -> date | None:
    if text == "today":
        now: Callable[[], datetime] = getattr(context.obj, "now", clock.now)
        return now().date()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise click.UsageError("--date: write it as YYYY-MM-DD, or today.") from error


def _picked(items: tuple[WorklistItem, ...], pick: int | None) -> tuple[WorklistItem, ...]:
    if pick is None:
        return items
    if pick > len(items):
        raise WorklistError(f"The worklist has no item {pick}", f"It has {len(items)}; nothing was written.")
    return (items[pick - 1],)


def _write(items: Sequence[WorklistItem], out: Path) -> None:
    try:
        Disk().put(out, written(items).encode())
    except (OSError, ValueError) as error:
        raise OutputError(f"{out} can't be written ({reason_of(error)})") from error
