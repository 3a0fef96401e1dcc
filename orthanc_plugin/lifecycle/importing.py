"""Take patients' facts and consents in from CSV files, row by row, each wholly or not at all.

Knows the order: the file is looked through to its end first, then each row has its own transaction with its trail entry
and the note that it is done. So an import that was cut off is simply run again. Must not know the command line.

Source: issue 4, "in and out"; requirements 2.1, T-12. A row that fails goes to a file of its own, the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.errors import ConfigurationError, ConsentgateError, RegistryError
from orthanc_plugin.lifecycle import consenting, csvrows, patientrows, people
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Census, Fault, Line, Rejects, census, open_sheet
from orthanc_plugin.lifecycle.csvrows import Cells, RowError
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.registry import imports
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.stored import UnreadableRowError

Acting = Callable[[], Act]
TOLD_BY_FEED: Final = "told by the feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a kind of file holds.

    Attributes:
        name: the kind.
        columns: every column there may be.
        required: columns that must be there.
        key: the column whose repetition is told.
        identity: gives what a file may speak of only once; '' for a row that stands for itself.
        apply: puts a row into the registry and returns the id of what it became.
        edition: what makes the same words news, such as the moment that a feed tells them for.
    """

    name: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    key: str
    identity: Callable[[Cells, Act], str]
    apply: Callable[[Connection, Act, Cells, str], str]
    edition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How an import went. ``errors`` is the file of the rows that failed, None when none did."""

    applied: int
    known: int
    failed: int
    errors: Path | None


class _DryRunError(Exception):
    """Undoes the transaction of a row that was only tried."""


def _whose(cells: Cells, act: Act) -> str:
    return f"{cells.get('patient_id', '')}\n{cells.get('issuer', act.policy.intake.default_issuer)}"


def _apply_patient(connection: Connection, act: Act, cells: Cells, _digest: str) -> str:
    row = patientrows.patient_of(cells)
    told = Told(
        who=people.key(act, row.patient_id, row.issuer),
        facts=row.facts,
        reason=row.reason or TOLD_BY_FEED,
        as_of=row.as_of,
        merged_into=people.key(act, row.merged_into, row.merged_into_issuer) if row.merged_into else None,
    )
    return people.feed(connection, act, told)


def _apply_consent(connection: Connection, act: Act, cells: Cells, digest: str) -> str:
    record = csvrows.consent_of(cells, act.policy.forms, digest)
    return consenting.record(connection, act, record, csvrows.birth_date_of(cells)).id


KINDS: Final[Mapping[str, Rows]] = {
    "patients": Rows(
        name="patients",
        columns=patientrows.COLUMNS,
        required=patientrows.REQUIRED,
        key="patient_id",
        identity=_whose,
        apply=_apply_patient,
    ),
    "consents": Rows(
        name="consents",
        columns=csvrows.CONSENT_COLUMNS,
        required=csvrows.CONSENT_REQUIRED,
        key="id",
        identity=lambda cells, _act: cells.get("id", ""),
        apply=_apply_consent,
    ),
}


def import_rows(database: Database, acting: Acting, rows: Rows, path: Path, *, dry_run: bool = False) -> Report:
    """Apply every row of the file at ``path`` that can be applied and wasn't before.

    Raises:
        SheetError: the file can't be read as a whole; nothing was applied.
        RegistryError: the registry failed; what was applied before stays, and the next run goes on from there.
    """
    sheet = open_sheet(path, rows.columns, rows.required)
    act = acting()
    others = census(sheet, rows.name, lambda line: _identity(rows, line, act))
    applied = known = 0
    with Rejects(sheet) as rejects:
        for line in sheet.lines():
            try:
                new = _taken(database, acting(), rows, line, others, dry_run=dry_run)
            except ConsentgateError as error:
                if isinstance(error, RegistryError) and not isinstance(error, UnreadableRowError):
                    raise
                rejects.take(line, _faults(error))
                continue
            applied, known = applied + new, known + (not new)
    return Report(applied=applied, known=known, failed=rejects.count, errors=rejects.path if rejects.count else None)


def _identity(rows: Rows, line: Line, act: Act) -> str:
    return rows.identity(line.cells, act) or line.digest(rows.name)


def _taken(database: Database, act: Act, rows: Rows, line: Line, others: Census, *, dry_run: bool) -> bool:
    """Apply one row in a transaction of its own; False when it was applied before."""
    fault = line.fault or others.fault(line, _identity(rows, line, act), rows.key)
    if fault is not None:
        raise RowError((fault,))
    digest = line.digest(f"{rows.name}{rows.edition}")
    try:
        with database.writing() as connection:
            if imports.known(connection, digest):
                return False
            outcome = rows.apply(connection, act, line.cells, digest)
            imports.remember(connection, digest, kind=rows.name, outcome=outcome, by=act.by, at=act.at)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    return True


def _faults(error: ConsentgateError) -> tuple[Fault, ...]:
    if isinstance(error, RowError):
        return error.faults
    if isinstance(error, ConfigurationError) and error.problems:
        return csvrows.faults_of(error.problems)
    return (Fault(field="line", remedy=str(error)),)
