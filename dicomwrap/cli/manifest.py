"""Read a manifest: a table, one row a photograph, as an import of an old collection needs.

Knows CSV and JSON Lines, and what is wrong with a row. Must not know photographs or objects.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dicomwrap.cli.details import FIELDS, Details
from dicomwrap.cli.plainfiles import read_plain
from dicomwrap.errors import DicomwrapError

INPUT: Final = "photo"
_PERSON: Final = ("patient_name", "birth_date", "sex")
_KNOWN: Final = f"Begin with a line of column names, of: {INPUT}, {', '.join(sorted(FIELDS))}."
_ALIASES: Final = {"input": INPUT, "file": INPUT, "path": INPUT}


class ManifestError(DicomwrapError):
    """The manifest as a whole can't be used; nothing was wrapped."""

    remedy = "Correct the manifest and run the command again; nothing was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number, from 1, its photograph, what it says, what it is known by, and what is wrong with it."""

    number: int
    photo: str
    details: Details
    key: str = ""
    ordinal: int = 1
    problem: str = ""


def read_manifest(path: Path, defaults: Details) -> tuple[Row, ...]:
    """Read a manifest: CSV with a header line, or JSON Lines when the name ends in .jsonl or .ndjson.

    Raises:
        ManifestError: it can't be read, lacks the photographs' column or has columns that nobody knows.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError("The manifest is no text in UTF-8") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ManifestError(f"The manifest can't be read ({reason})") from error
    lines = _json_lines(text) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv(text)
    rows = tuple(_row(number, cells, defaults) for number, cells in enumerate(lines, start=1))
    if not rows:
        raise ManifestError("The manifest has no rows")
    counts: Counter[tuple[str, str]] = Counter()
    seen: dict[tuple[str, Details], int] = {}
    single = tuple(_single(each, seen) for each in rows)
    return tuple(_counted(each, counts) for each in _reconciled(single))


def by_patient(rows: tuple[Row, ...]) -> tuple[tuple[Row, ...], ...]:
    """Return the rows in groups that need nothing of each other: a study is one patient's."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for each in rows:
        groups.setdefault((each.details.issuer, each.details.patient_id), []).append(each)
    return tuple(tuple(group) for group in groups.values())


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
            cells = json.loads(line, object_pairs_hook=_Pairs)
        except (RecursionError, ValueError) as error:
            raise ManifestError(f"The manifest is no JSON Lines: line {number}") from error
        if isinstance(cells, _Pairs) and cells.twice:
            raise ManifestError(f"The manifest's line {number} has a field twice: {', '.join(cells.twice)}")
        if not isinstance(cells, dict):
            raise ManifestError(f"The manifest's line {number} is no JSON object")
        yield cells


class _Pairs(dict[str, object]):
    """An object of JSON; ``twice``: the known fields that it names more than once, in whatever way they are written."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(_column(name) for name, _ in pairs)
        self.twice = [name for name, count in counts.items() if count > 1 and name in (*FIELDS, INPUT)]


def _check_columns(names: Iterable[str]) -> None:
    known = [_column(name) for name in names]
    unknown = sum(name not in FIELDS and name != INPUT for name in known)
    if unknown:  # never their words: where the header line is missing, they are a patient's
        raise ManifestError(f"The manifest's first line has {unknown} columns that nobody knows", _KNOWN)
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
    named = {_column(name): _cell(value) for name, value in cells.items() if name}
    odd = [name for name, value in cells.items() if name and not isinstance(value, str | int | None)]
    photo = named.pop(INPUT, "")
    unknown = sorted(set(named) - FIELDS)
    problem = ""
    if "" in cells:
        problem = "The row has more cells than the header has columns"
    elif odd or any(isinstance(value, bool) for value in cells.values()):
        problem = "The row has values that are neither text nor whole numbers"
    elif unknown:
        problem = f"The row has {len(unknown)} fields that nobody knows"
    elif not photo:
        problem = f"The row names no photograph ('{INPUT}')"
    details = defaults if problem else defaults.for_row(named)
    return Row(number=number, photo=photo, details=details, problem=problem)


def _cell(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _counted(each: Row, counts: Counter[tuple[str, str]]) -> Row:
    """Return the row with its number among the rows of the same patient."""
    patient = (each.details.issuer, each.details.patient_id)
    counts[patient] += 1
    return replace(each, ordinal=counts[patient])


def _reconciled(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return the rows, those with a problem that contradict each other about a patient or about whose a study is."""
    persons: dict[tuple[str, str], dict[str, set[str]]] = {}
    owners: dict[str, set[tuple[str, str]]] = {}
    shown: dict[str, set[tuple[str, str]]] = {}
    for each in rows:
        said, number = each.details, (each.details.issuer, each.details.patient_id)
        for name in _PERSON:
            if said.patient_id and getattr(said, name):
                persons.setdefault(number, {}).setdefault(name, set()).add(getattr(said, name).casefold())
        shown.setdefault(each.photo, set()).add(number)
        if said.study_uid:
            owners.setdefault(said.study_uid, set()).add(number)
    return tuple(_contradicted(each, persons, owners, shown) for each in rows)


def _contradicted(
    each: Row,
    persons: Mapping[tuple[str, str], Mapping[str, set[str]]],
    owners: Mapping[str, set[tuple[str, str]]],
    shown: Mapping[str, set[tuple[str, str]]],
) -> Row:
    said = each.details
    known = persons.get((said.issuer, said.patient_id), {})
    told = [name for name, values in known.items() if len(values) > 1]
    if each.problem:
        return each
    if told:
        words = ", ".join(name.replace("_", " ") for name in told)
        return replace(each, problem=f"Rows say different things of the patient of this number ({words})")
    if len(owners.get(said.study_uid, ())) > 1:
        return replace(each, problem="Rows put different patients into this study")
    if len(shown.get(each.photo, ())) > 1:
        return replace(each, problem="Rows say of this photograph that it shows different patients")
    return each


def _single(each: Row, seen: dict[tuple[str, Details], int]) -> Row:
    """Return the row, with a problem when an earlier one says the same of the same photograph."""
    first = seen.setdefault((each.photo, each.details), each.number)
    if each.problem or first == each.number:
        return each
    return replace(each, problem=f"Row {first} says the same of the same photograph")
