"""Wrap what a manifest lists: a table, one row a photograph, as an import of an old collection needs.

Knows CSV and JSON Lines, the result file, and how work that was interrupted goes on: every UID is made of what the row
says and of the photograph itself, so the same work always gives the same objects. Must not print.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from dicomwrap.cli.details import FIELDS, Details
from dicomwrap.cli.orders import Order, Settings, UsageProblemsError, order
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.report import Outcome, Refused, Wrapped, row
from dicomwrap.cli.wrapping import Study, Task, wrap_file, wrap_form
from dicomwrap.durable import Disk
from dicomwrap.errors import DicomwrapError
from dicomwrap.iod import encapsulated_pdf, modules
from dicomwrap.iod.modules import Reference, capture_moment
from dicomwrap.photograph import CaptureFacts
from dicomwrap.series import DerivedPlace
from dicomwrap.uids import derived_uid

INPUT: Final = "photo"
_ALIASES: Final = {"input": INPUT, "file": INPUT, "path": INPUT}
_REMEDY: Final = "Correct the row and run the command again; rows that are done are not done twice."


class ManifestError(DicomwrapError):
    """The manifest as a whole can't be used; nothing was wrapped."""

    remedy = "Correct the manifest and run the command again; nothing was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number, from 1, its photograph, what it says, and what is wrong with it."""

    number: int
    photo: str
    details: Details
    ordinal: int = 1
    problem: str = ""


@dataclass(slots=True)
class Studies:
    """When each study began, so that all its objects say the same, whichever was wrapped first."""

    _started: dict[str, datetime] = field(default_factory=dict)

    def started(self, uid: str, moment: datetime) -> datetime:
        """Return the beginning of a study; ``moment`` when it is new."""
        return self._started.setdefault(uid, moment)

    def known(self, uid: str) -> str:
        """Return the beginning of a study as the result file has it."""
        started = self._started.get(uid)
        return "" if started is None else started.isoformat()

    def remember(self, entry: Mapping[str, object]) -> None:
        """Take a study's beginning from a result of an earlier run."""
        with suppress(ValueError):
            self.started(str(entry.get("study_instance_uid")), datetime.fromisoformat(str(entry.get("study_started"))))


@dataclass(slots=True)
class Results:
    """The result file: JSON Lines, one row for each picture of each input, in the manifest's order at the end."""

    path: Path
    studies: Studies = field(default_factory=Studies)
    done: dict[int, list[dict[str, object]]] = field(default_factory=dict)

    def load(self) -> None:
        """Remember what earlier runs did; a line that a crash left half is passed over."""
        if not self.path.exists():
            return
        for text in self.path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            try:
                entry = json.loads(text)
                self.studies.remember(entry)
                self.done.setdefault(int(entry["row"]), []).append(entry)
            except (LookupError, TypeError, ValueError):
                continue

    def is_done(self, each: Row) -> bool:
        """Tell whether a row was wrapped before, of this very photograph, and its objects are still there, whole."""
        entries = self.done.get(each.number, [])
        return bool(entries) and all(
            entry.get("status") == "wrapped"
            and entry.get("input") == each.photo
            and entry.get("said") == said(each.details)
            and _size(str(entry.get("output"))) == entry.get("size")
            for entry in entries
        )

    def entries(self, each: Row, outcomes: tuple[Outcome, ...]) -> list[dict[str, object]]:
        """Return how a row fared, as the file has it."""
        return [_entry(each, outcome, self.studies) for outcome in outcomes]

    def append(self, number: int, entries: list[dict[str, object]]) -> None:
        """Note how a row fared."""
        self.done[number] = entries
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(entry)}\n" for entry in entries)

    def keep(self, numbers: set[int]) -> None:
        """Forget results of rows that the manifest no longer has."""
        self.done = {number: entries for number, entries in self.done.items() if number in numbers}

    def settle(self) -> None:
        """Write the file anew, durably: one row for each picture, in the manifest's order."""
        ordered = (entry for number in sorted(self.done) for entry in self.done[number])
        Disk().put(self.path, "".join(f"{json.dumps(entry)}\n" for entry in ordered).encode())


def read_manifest(path: Path, defaults: Details) -> tuple[Row, ...]:
    """Read a manifest: CSV with a header line, or JSON Lines when the name ends in .jsonl or .ndjson.

    Raises:
        ManifestError: it can't be read, lacks the photographs' column or has columns that nobody knows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ManifestError(f"The manifest can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ManifestError("The manifest is no text in UTF-8") from error
    lines = _json_lines(text) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv(text)
    rows = tuple(_row(number, cells, defaults) for number, cells in enumerate(lines, start=1))
    if not rows:
        raise ManifestError("The manifest has no rows")
    counts: Counter[tuple[str, str]] = Counter()
    return tuple(_counted(each, counts) for each in rows)


def by_patient(rows: tuple[Row, ...]) -> tuple[tuple[Row, ...], ...]:
    """Return the rows in groups that need nothing of each other: a study is one patient's."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for each in rows:
        groups.setdefault((each.details.issuer, each.details.patient_id), []).append(each)
    return tuple(tuple(group) for group in groups.values())


def wrap_row(each: Row, out: Path, settings: Settings, papers: Papers, studies: Studies) -> tuple[Outcome, ...]:
    """Wrap one row's photograph. Never raises for what the row or the photograph holds."""
    if each.problem:
        return (_refusal(each, each.problem),)
    try:
        found = order(each.details, settings, papers)
    except UsageProblemsError as error:
        return (_refusal(each, "; ".join(error.problems)),)
    task = Task(
        source=papers.folder / each.photo,
        order=found,
        study_for=lambda facts: _study(found, each, facts, studies),
        path_for=lambda page: out / (_stem(each) + ("" if page == 1 else f"-p{page}") + ".dcm"),
        uid_for=lambda sha256, page: derived_uid("instance", *_who(found), said(each.details), sha256, str(page)),
        again=True,
    )
    outcomes = wrap_file(task)
    return tuple(
        replace(outcome, input=each.photo) for outcome in (*outcomes, *_form(task, outcomes, each, out, studies))
    )


def _study(found: Order, each: Row, facts: CaptureFacts, studies: Studies) -> Study:
    """Return the study: the one that is named, else one for each visit, which an order, admission or day makes."""
    encounter = found.encounter
    moment = capture_moment(facts, found.now).local
    visit = encounter.accession or encounter.admission_id or modules.da(moment)
    uid = found.study_uid or derived_uid("study", *_who(found), visit)
    return Study(
        order=found,
        uid=uid,
        places=DerivedPlace(study_instance_uid=uid, number=each.ordinal),
        form=_form_reference(found, uid),
        started=studies.started(uid, moment),
    )


def _form_reference(found: Order, study_uid: str) -> Reference | None:
    if not found.form:
        return None
    uid = derived_uid("form", study_uid, hashlib.sha256(found.form).hexdigest())
    return Reference(sop_class_uid=encapsulated_pdf.SOP_CLASS_UID, sop_instance_uid=uid)


def _form(task: Task, outcomes: tuple[Outcome, ...], each: Row, out: Path, studies: Studies) -> tuple[Outcome, ...]:
    """Wrap the row's consent form, unless the study has it already."""
    wrapped = next((outcome for outcome in outcomes if isinstance(outcome, Wrapped)), None)
    if wrapped is None or not task.order.form:
        return ()
    uid = wrapped.study_instance_uid
    study = Study(
        order=task.order,
        uid=uid,
        places=DerivedPlace(study_instance_uid=uid, number=each.ordinal),
        started=studies.started(uid, task.order.now.replace(tzinfo=None)),
    )
    reference = _form_reference(task.order, uid)
    path = out / f"consent-form-{reference.sop_instance_uid}.dcm" if reference else out
    if reference is None or _size(str(path)) > len(task.order.form):
        return ()
    form = replace(task, path_for=lambda _: path, uid_for=lambda _, __: reference.sop_instance_uid)
    return (wrap_form(study, form),)


def _who(found: Order) -> tuple[str, str]:
    return found.patient.issuer, found.patient.id


def said(details: Details) -> str:
    """Return a digest of what a row says: another word makes another object."""
    return hashlib.sha256(json.dumps(asdict(details), sort_keys=True).encode()).hexdigest()[:32]


def _stem(each: Row) -> str:
    return f"{each.number:06}-{Path(each.photo).stem}"


def _refusal(each: Row, reason: str) -> Refused:
    return Refused(input=each.photo, reason=reason, remedy=_REMEDY)


def _csv(text: str) -> Iterator[Mapping[str, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    _check_columns(reader.fieldnames or ())
    try:
        yield from reader
    except csv.Error as error:
        raise ManifestError(f"The manifest is no CSV: line {reader.line_num}: {error}") from error


def _json_lines(text: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            raise ManifestError(f"The manifest is no JSON Lines: line {number}") from error
        if not isinstance(cells, dict):
            raise ManifestError(f"The manifest's line {number} is no JSON object")
        yield cells


def _check_columns(names: Iterable[str]) -> None:
    known = [_column(name) for name in names]
    unknown = sorted({name for name in known if name not in FIELDS and name != INPUT})
    if unknown:
        raise ManifestError(f"The manifest has columns that nobody knows: {', '.join(unknown)[:200]}")
    if INPUT not in known:
        raise ManifestError(f"The manifest has no column '{INPUT}' with the photographs' paths")
    twice = [name for name, count in Counter(known).items() if count > 1]
    if twice:
        raise ManifestError(f"The manifest has a column twice: {', '.join(twice)}")


def _column(name: str) -> str:
    plain = str(name).strip().lower().replace("-", "_").replace(" ", "_")
    return _ALIASES.get(plain, plain)


def _row(number: int, cells: Mapping[str, object], defaults: Details) -> Row:
    """Read one row; what is wrong with it is told with the row, and never stops the others."""
    named = {_column(name): "" if value is None else str(value).strip() for name, value in cells.items() if name}
    photo = named.pop(INPUT, "")
    unknown = sorted(set(named) - FIELDS)
    problem = ""
    if "" in cells:
        problem = "The row has more cells than the header has columns"
    elif unknown:
        problem = f"The row has fields that nobody knows: {', '.join(unknown)[:200]}"
    elif not photo:
        problem = f"The row names no photograph ('{INPUT}')"
    details = defaults if problem else defaults.overridden(named)
    return Row(number=number, photo=photo, details=details, problem=problem)


def _counted(each: Row, counts: Counter[tuple[str, str]]) -> Row:
    """Return the row with its number among the rows of the same patient."""
    patient = (each.details.issuer, each.details.patient_id)
    counts[patient] += 1
    return replace(each, ordinal=counts[patient])


def _entry(each: Row, outcome: Outcome, studies: Studies) -> dict[str, object]:
    entry = {"row": each.number, **row(outcome)}
    if isinstance(outcome, Wrapped):
        entry.update(
            size=_size(outcome.output),
            said=said(each.details),
            study_started=studies.known(outcome.study_instance_uid),
        )
    return entry


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1
