"""The national data opt-out, as a list of the patients who have opted out.

Knows how a list becomes facts of patients, and what it forbids from then on. Must not know when an opt-out counts: the
policy does, and it counts for research and planning in identifiable form without the patient's own consent, never for
consented or anonymised use.

Who is in the list has opted out, whether they are on record already or not. Who is missing has opted in again only
when the list is said to be complete: half a file must not undo anybody's choice.

Sources: requirements G-NDO, R9 (d) (section 251), T-12 (freshness).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import people, redeciding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Fault, SheetError, open_sheet
from orthanc_plugin.lifecycle.csvrows import Cells, RowError
from orthanc_plugin.lifecycle.importing import Acting, Report, Rows, import_rows
from orthanc_plugin.lifecycle.people import FactsError, Told
from orthanc_plugin.lifecycle.redeciding import Found, Rulings, ruling
from orthanc_plugin.policy.recalling import Cause
from orthanc_plugin.policy.reviewing import Under
from orthanc_plugin.registry import marks
from orthanc_plugin.registry import patients as known
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.marks import OPT_OUTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.tables import images, patients
from orthanc_plugin.registry.trail import append

COLUMNS: Final = ("patient_id", "issuer")
FACT: Final = "national_data_opt_out"
LISTED: Final = "in the list of national data opt-outs"
MISSING: Final = "no longer in the list of national data opt-outs"
REASON: Final = "the patient has opted out of uses beyond care"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a list came to.

    Attributes:
        opted_in: how many were missing from a complete list.
        kept: how many were missing, and stay opted out all the same: a number merged into theirs says so, or somebody
            recorded it since the list was made.
        found: what the opt-outs cancel and recall.
    """

    report: Report
    opted_in: int
    kept: int
    found: Found


def import_list(
    database: Database,
    acting: Acting,
    path: Path,
    as_of: datetime,
    under: Callable[[str], Under],
    *,
    complete: bool,
) -> Imported:
    """Take a list in, then cancel and recall what it forbids; one that was cut off is imported again.

    Raises:
        SheetError: the file can't be read as a whole; nothing was recorded.
        IllegalTransitionError: a newer list was taken in before, or this one is from the future.
        RegistryError: the registry failed.
    """
    with database.reading() as connection:
        _require_fresh(connection, acting(), as_of)
        if complete and opted_out(connection):
            _require_somebody(path)
    report = import_rows(database, acting, _rows(as_of), path)
    opted_in, kept = _opt_in(database, acting, path, as_of) if complete and not report.failed else (0, 0)
    found = _sweep(database, acting(), under)
    with database.writing() as connection:
        act = acting()
        subject = act.ids()
        redeciding.apply(connection, act, found, Cause.OPTED_OUT, subject, REASON)
        marks.mark(connection, OPT_OUTS, as_of)
        counted = (f"as of {as_of.isoformat()}", f"opted out: {report.applied + report.known}", f"opted in: {opted_in}")
        append(connection, [act.event(EventType.PATIENT_RECORD, "OPT_OUT_LIST", subject=subject, reasons=counted)])
    return Imported(report=report, opted_in=opted_in, kept=kept, found=found)


def taken_in(connection: Connection) -> datetime | None:
    """Return of when the newest list is; None when there was none."""
    return marks.marked(connection, OPT_OUTS)


def opted_out(connection: Connection) -> tuple[Key, ...]:
    """Return the numbers of the patients who have opted out."""
    query = select(patients.c.patient_id, patients.c.issuer).where(patients.c.national_data_opt_out == 1)
    return tuple((row.patient_id, row.issuer) for row in connection.execute(query))


def _require_fresh(connection: Connection, act: Act, as_of: datetime) -> None:
    last = taken_in(connection)
    if as_of > act.at:
        raise IllegalTransitionError("The list is from the future.", remedy="Check --as-of, or this machine's clock.")
    if last is not None and as_of < last:
        raise IllegalTransitionError("A newer list was taken in before.", remedy="Take in the newest list.")


def _require_somebody(path: Path) -> None:
    """Refuse a complete list of nobody: an export that failed would opt everybody in again."""
    if next(open_sheet(path, COLUMNS, COLUMNS[:1]).lines(), None) is None:
        raise SheetError(
            f"{path.name} names nobody, so it is no complete list.",
            remedy="Have it exported again; who has opted in again is recorded with 'consentgate patient set "
            "--no-opt-out'. Nothing was recorded.",
        )


def _rows(as_of: datetime) -> Rows:
    def apply(connection: Connection, act: Act, cells: Cells, _digest: str) -> str:
        if "patient_id" not in cells:
            raise RowError((Fault(field="patient_id", remedy="Write the patient's number."),))
        kept, *_ = known.numbers(connection, _whose(act, cells))  # a number that was given up is this one's
        return people.feed(connection, act, _told(kept, as_of, LISTED, opted_out=True))

    return Rows(
        name="opt-outs",
        columns=COLUMNS,
        required=("patient_id",),
        key="patient_id",
        identity=lambda cells, act: "\n".join(_whose(act, cells)),
        apply=apply,
        edition=as_of.isoformat(),
    )


def _whose(act: Act, cells: Cells) -> Key:
    return people.key(act, cells.get("patient_id", ""), cells.get("issuer"))


def _told(who: Key, as_of: datetime, reason: str, *, opted_out: bool) -> Told:
    return Told(who=who, facts={FACT: opted_out}, reason=reason, as_of=as_of)


def _opt_in(database: Database, acting: Acting, path: Path, as_of: datetime) -> tuple[int, int]:
    """Record who is missing from a complete list: no number of theirs is in it; return how many, and how many can't be.

    What a number says that was merged into another is changed by nobody, so whoever it is stays opted out; so does who
    has opted out since the list was made. Neither keeps what the opt-outs of others forbid from being followed.
    """
    act = acting()
    listed = {_whose(act, line.cells) for line in open_sheet(path, COLUMNS, COLUMNS[:1]).lines()}
    with database.reading() as connection:
        out = frozenset(opted_out(connection))
        persons = {known.numbers(connection, who) for who in out}
    gone = [numbers for numbers in sorted(persons) if listed.isdisjoint(numbers)]
    alone = [kept for kept, *merged in gone if out.isdisjoint(merged)]
    done = sum(_opted_in(database, acting(), who, as_of) for who in alone)
    return done, len(gone) - done


def _opted_in(database: Database, act: Act, who: Key, as_of: datetime) -> bool:
    """Record it; False where the list doesn't know better, because the patient has opted out since it was made."""
    try:
        with database.writing() as connection:
            people.feed(connection, act, _told(who, as_of, MISSING, opted_out=False))
    except FactsError:
        return False
    return True


def _sweep(database: Database, act: Act, under: Callable[[str], Under]) -> Found:
    """Look at the pictures of everybody who has opted out: of those before too, for an import may have been cut off."""
    with database.reading() as connection:
        whose = {each for who in opted_out(connection) for each in (who, *known.numbers(connection, who))}
        pictures = tuple(uid for who in sorted(whose) for uid in _pictures(connection, who))
    before = ruling(act.policy, act, under, told=redeciding.opted_in)
    rulings = Rulings(before=before, after=ruling(act.policy, act, under), routes=redeciding.recipients(act.policy))
    return redeciding.look(database, rulings, pictures=pictures)


def _pictures(connection: Connection, who: Key) -> tuple[str, ...]:
    theirs = (images.c.patient_id == who[0]) & (images.c.issuer == who[1])
    return tuple(connection.execute(select(images.c.sop_instance_uid).where(theirs)).scalars())
