"""What a line of a spreadsheet means that holds a patient's facts for retention, and taking a file of them in.

Knows columns and what they stand for. Must not know rules beyond their words. An empty cell says nothing and takes no
fact away; a list that is empty is written ``none``. What a source takes back it names in a column of its own. A source
is fresh as of a moment only when all its lines were taken in.

Source: requirements T-12 (last contact, episode open, death, diagnosis flags, trial membership; freshness stamp).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import people, takingback
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Fault
from orthanc_plugin.lifecycle.csvrows import FLAG_WORDS, ISO_DAY, LIST_SIGN, NO_FLAG, NO_ISO_DAY, Cells, RowError
from orthanc_plugin.lifecycle.importing import Report, Rows, import_rows
from orthanc_plugin.lifecycle.people import Told as PatientTold
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import patients, retentionfacts
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.patients import Key, Value, ensure
from orthanc_plugin.registry.retentionfacts import Feed, From, Told
from orthanc_plugin.registry.trail import append

WHO: Final = ("patient_id", "issuer")
PATIENTS: Final = ("birth_date", "death_date")
DAYS: Final = ("first_contact", "last_contact", "cancer_diagnosis", "trial_concluded", "ma_granted")
LIVED: Final = ("first_contact", "last_contact", "cancer_diagnosis")  # none of them is before the birth
FLAGS: Final = ("open_episode", "ma_open_at_expiry")
LISTS: Final = ("categories", "departments", "procedures", "blood_products")
TRIAL: Final = ("trial_id", "trial_regime")
OF_TRIALS: Final = ("trial_regime", "trial_concluded", "ma_open_at_expiry", "ma_granted")
BACK: Final = "taken_back"
COLUMNS: Final = (*WHO, *PATIENTS, *DAYS, *FLAGS, *LISTS, *TRIAL, BACK)
TAKEN_BACK: Final = ("death_date", *DAYS, *FLAGS, *LISTS, "trial_regime")
REQUIRED: Final = ("patient_id",)
NONE: Final = "none"
LONGEST: Final = 64
BY_FEED: Final = "told by the feed of source {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How a file went, and the source's freshness when every line was taken in."""

    report: Report
    feed: Feed | None


def take_in(
    database: Database, acting: Callable[[], Act], schedule: Schedule, path: Path, source: str, as_of: datetime
) -> Intake:
    """Take in a file of what ``source`` knew at ``as_of``; the source is as fresh only if no line failed.

    Raises:
        SheetError: the file can't be read as a whole; nothing was taken in.
        IllegalTransitionError: the source was fresher before, or the moment is to come.
        RegistryError: the registry failed; the next run goes on from there.
    """
    must_be_newest(database, acting(), source, as_of)
    report = import_rows(database, acting, rows(schedule, source, as_of), path)
    if report.failed:
        return Intake(report=report, feed=None)
    with database.writing() as connection:
        feed = stamped(connection, acting(), source, as_of, report.applied, report.known)
    return Intake(report=report, feed=feed)


def stamped(connection: Connection, act: Act, source: str, as_of: datetime, applied: int, known: int) -> Feed:
    """Write, with its entry in the trail, that all that a source knew at a moment was taken in.

    Raises:
        IllegalTransitionError: it was fresher before.
    """
    feed = retentionfacts.stamp(connection, source, as_of, by=act.by, at=act.at)
    seal = retentionfacts.feed_seal(connection, source)
    told = f"{applied} rows new, {known} known"
    event = act.event(
        EventType.IMPORT, "RETENTION_FEED", subject=source, reasons=(as_of.isoformat(), told), detail=seal
    )
    append(connection, [event])
    return feed


def must_be_newest(database: Database, act: Act, source: str, as_of: datetime) -> None:
    """Refuse what is of a moment before the newest that the source has told of, or of one that is to come.

    Raises:
        IllegalTransitionError: it is.
    """
    with database.reading() as connection:
        known = retentionfacts.feeds(connection).get(source)
    if known is not None and known.told_at > as_of:
        raise IllegalTransitionError(
            "A newer file of this source was taken in already.", remedy="Leave the older one out."
        )
    if as_of > act.at:
        raise IllegalTransitionError(
            "The file is said to be of a moment that is still to come.",
            remedy="Say when it was taken (as_of), by a clock that is right.",
        )


def rows(schedule: Schedule, source: str, as_of: datetime) -> Rows:
    """Return what a file of one source's facts, taken at one moment, holds."""

    def applied(connection: Connection, act: Act, cells: Cells, _digest: str) -> str:
        return _apply(connection, act, cells, schedule, source, as_of)

    return Rows(
        name="retention",
        columns=COLUMNS,
        required=REQUIRED,
        key="patient_id",
        identity=_whose,
        apply=applied,
        edition=f"\n{source}\n{as_of.isoformat()}",
    )


def _whose(cells: Cells, act: Act) -> str:
    who = people.key(act, cells.get("patient_id", ""), cells.get("issuer"))
    return "\n".join((*who, cells.get("trial_id", "")))


def _apply(connection: Connection, act: Act, cells: Cells, schedule: Schedule, source: str, as_of: datetime) -> str:
    """Record what a line tells, with its entry in the trail; return the id of the row it is in."""
    if faults := tuple(_faults(cells, schedule, act.day)):
        raise RowError(faults)
    who = people.key(act, cells["patient_id"], cells.get("issuer"))
    facts = _news(connection, who, cells)
    if faults := tuple(_unborn_faults(connection, who, cells)):
        raise RowError(faults)
    back = takingback.told_before(connection, who, _words(cells.get(BACK, NONE)), BY_FEED.format(source))
    if facts | back.on_patient:
        news = PatientTold(who=who, facts=facts | back.on_patient, reason=BY_FEED.format(source), as_of=as_of)
        people.feed(connection, act, news)
    said = From(source=source, told_at=as_of, trial_id=cells.get("trial_id", ""))
    fact = retentionfacts.record(
        connection,
        who,
        said,
        _told(cells),
        fact_id=act.ids(),
        by=act.by,
        at=act.at,
        back=back.names,
        elsewhere=tuple(name for name in PATIENTS if name in cells),
    )
    event = act.event(
        EventType.PATIENT_RECORD,
        "RETENTION_FACTS",
        subject=fact,
        reasons=(f"source {source}", f"as of {as_of.isoformat()}", *(f"takes back {name}" for name in back.names)),
        detail=retentionfacts.seal(connection, fact),
    )
    append(connection, [event])
    takingback.ask(connection, act, who, fact)
    return fact


def _news(connection: Connection, who: Key, cells: Cells) -> dict[str, Value]:
    """Return what a line tells of birth and death that isn't on record of the patient, who is put on record."""
    known = ensure(connection, *who, None)
    on_record = {"birth_date": known.dob, "death_date": known.death_date}
    said = {name: date.fromisoformat(cells[name]) for name in PATIENTS if name in cells}
    return {name: day for name, day in said.items() if day != on_record[name]}


def _unborn_faults(connection: Connection, who: Key, cells: Cells) -> Iterator[Fault]:
    """Name days before the person's birth, as the line or any of their numbers has it."""
    on_record = patients.person(connection, who)[0].dob
    born = cells.get("birth_date") or (on_record.isoformat() if on_record is not None else "")
    for name in LIVED:
        if name in cells and cells[name] < born:
            yield Fault(field=name, remedy="is before the patient's birth; correct whichever of the two is wrong")


def _told(cells: Cells) -> Told:
    said: dict[str, object] = {name: date.fromisoformat(cells[name]) for name in DAYS if name in cells}
    said |= {name: FLAG_WORDS[cells[name]] for name in FLAGS if name in cells}
    said |= {name: _words(cells[name]) for name in LISTS if name in cells}
    return replace(Told(trial_regime=cells.get("trial_regime")), **said)  # type: ignore[arg-type]


def _words(cell: str) -> tuple[str, ...]:
    return () if cell == NONE else tuple(word.strip() for word in cell.split(LIST_SIGN) if word.strip())


def _faults(cells: Cells, schedule: Schedule, today: date) -> Iterator[Fault]:
    yield from _writing_faults(cells)
    for name in LISTS:
        if name in cells and cells[name] != NONE and not _words(cells[name]):
            yield Fault(field=name, remedy=f"has no word; write {NONE} where there are none, or leave it empty")
    yield from _trial_faults(cells, schedule)
    yield from takingback.faults(cells, _words(cells.get(BACK, NONE)), TAKEN_BACK)
    told = _words(cells.get("categories", NONE))
    if unknown := [word for word in told if word not in schedule.categories]:
        known = ", ".join(sorted(schedule.categories))
        yield Fault(field="categories", remedy=f"{', '.join(unknown)}: not in the schedule, which knows {known}")
    for name in ("first_contact", "last_contact", *PATIENTS):
        if _is_day(cells.get(name, "")) and cells[name] > today.isoformat():
            yield Fault(field=name, remedy="lies in the future; an appointment to come is an open episode")


def _writing_faults(cells: Cells) -> Iterator[Fault]:
    if "patient_id" not in cells:
        yield Fault(field="patient_id", remedy="is missing")
    for name in (*WHO, *TRIAL):
        if len(cells.get(name, "")) > LONGEST:
            yield Fault(field=name, remedy=f"is longer than {LONGEST} characters")
    for name in (*PATIENTS, *DAYS):
        if name in cells and not _is_day(cells[name]):
            yield Fault(field=name, remedy=NO_ISO_DAY)
    for name in FLAGS:
        if name in cells and cells[name] not in FLAG_WORDS:
            yield Fault(field=name, remedy=NO_FLAG)
    first, last = cells.get("first_contact"), cells.get("last_contact")
    if first and last and first > last:
        yield Fault(field="first_contact", remedy="is after last_contact")


def _trial_faults(cells: Cells, schedule: Schedule) -> Iterator[Fault]:
    said = [name for name in OF_TRIALS if name in cells or name in _words(cells.get(BACK, NONE))]
    if said and "trial_id" not in cells:
        yield Fault(field="trial_id", remedy=f"is missing beside {', '.join(said)}; each trial has a line of its own")
    if "trial_id" in cells and "trial_regime" not in cells and "trial_regime" not in _words(cells.get(BACK, NONE)):
        yield Fault(field="trial_regime", remedy="is missing; the research office says which law the trial is under")
    regime = cells.get("trial_regime")
    if regime is not None and regime not in schedule.regimes:
        known = ", ".join(sorted(schedule.regimes)) or "none"
        yield Fault(field="trial_regime", remedy=f"is not in the schedule, which knows {known}")


def _is_day(cell: str) -> bool:
    try:
        return ISO_DAY.fullmatch(cell) is not None and bool(date.fromisoformat(cell))
    except ValueError:
        return False
