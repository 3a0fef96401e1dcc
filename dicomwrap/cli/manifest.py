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
from dicomwrap.errors import DicomwrapError

INPUT: Final = "photo"
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
    seen: dict[tuple[str, Details], int] = {}
    return tuple(_counted(_single(each, seen), counts) for each in rows)


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
    details = defaults if problem else defaults.for_row(named)
    return Row(number=number, photo=photo, details=details, problem=problem)


def _counted(each: Row, counts: Counter[tuple[str, str]]) -> Row:
    """Return the row with its number among the rows of the same patient."""
    patient = (each.details.issuer, each.details.patient_id)
    counts[patient] += 1
    return replace(each, ordinal=counts[patient])


def _single(each: Row, seen: dict[tuple[str, Details], int]) -> Row:
    """Return the row, with a problem when an earlier one says the same of the same photograph."""
    first = seen.setdefault((each.photo, each.details), each.number)
    if each.problem or first == each.number:
        return each
    return replace(each, problem=f"Row {first} says the same of the same photograph")
