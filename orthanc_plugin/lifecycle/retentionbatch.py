"""Facts for retention that a source pushes in batches: each batch wholly or not at all.

Knows what a batch is of, and that a source is fresh as of a moment once every batch of that moment was taken in. Must
not know HTTP, nor what a row means (``retentionrows`` does). A row that was told before, in whatever way, is known.

Source: requirements T-12 (inputs come from a feed with a freshness stamp).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.errors import ConfigurationError, ConsentgateError, RegistryError
from orthanc_plugin.lifecycle import retentionrows
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Fault, Line
from orthanc_plugin.lifecycle.csvrows import Cells, RowError
from orthanc_plugin.lifecycle.importing import Rows
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import imports
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.retentionfacts import Feed
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.trail import append

PART: Final = "retention-part"
TWICE: Final = "is told twice in the batch; leave the true one alone"


class BatchError(ConfigurationError):
    """A batch of facts can't be taken in; every fault is named with its place."""

    remedy = "Correct what is named, then send the whole batch again; nothing of it was taken in."


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a source knew of some patients at a moment; ``part`` of ``parts`` that are of the same moment."""

    source: str
    as_of: datetime
    rows: tuple[Cells, ...]
    part: int = 1
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How a batch went: rows that are new and rows that were known, the parts that are still to come, and the stamp.

    Attributes:
        feed: how fresh the source is once no part is missing, else None.
    """

    applied: int
    known: int
    missing: int
    feed: Feed | None


def take_in(database: Database, acting: Callable[[], Act], schedule: Schedule, batch: Batch) -> Taken:
    """Take a batch in, with its entries in the trail; a batch that is refused leaves an entry too.

    Raises:
        BatchError: with every fault; nothing was taken in.
        IllegalTransitionError: the source was fresher before, or the moment is to come.
        RegistryError: the registry failed; nothing was taken in.
    """
    try:
        retentionrows.must_be_newest(database, acting(), batch.source, batch.as_of)
        with database.writing() as connection:
            return _taken(connection, acting(), schedule, batch)
    except ConsentgateError as error:
        if not isinstance(error, RegistryError) or isinstance(error, UnreadableRowError):
            _refused(database, acting(), batch, error)
        raise


def _taken(connection: Connection, act: Act, schedule: Schedule, batch: Batch) -> Taken:
    rows = retentionrows.rows(schedule, batch.source, batch.as_of)
    known, problems = 0, list(_repeated(rows, batch, act))
    for at, cells in enumerate(batch.rows):
        try:
            known += not _new(connection, act, rows, cells)
        except ConsentgateError as error:
            if isinstance(error, RegistryError) and not isinstance(error, UnreadableRowError):
                raise
            problems += (f"facts[{at}].{fault.field}: {fault.remedy}" for fault in _faults(error))
    if problems:
        raise BatchError("The batch of facts can't be taken in.", problems=tuple(problems))
    _remember_part(connection, act, batch)
    counted = Taken(
        applied=len(batch.rows) - known, known=known, missing=batch.parts - _parts_known(connection, batch), feed=None
    )
    return counted if counted.missing else _stamped(connection, act, batch, counted)


def _new(connection: Connection, act: Act, rows: Rows, cells: Cells) -> bool:
    """Record a row; False where the same was told before."""
    digest = Line(number=0, cells=cells, raw=()).digest(f"{rows.name}{rows.edition}")
    if imports.known(connection, digest):
        return False
    outcome = rows.apply(connection, act, cells, digest)
    imports.remember(connection, digest, kind=rows.name, outcome=outcome, by=act.by, at=act.at)
    return True


def _repeated(rows: Rows, batch: Batch, act: Act) -> Iterator[str]:
    seen = set[str]()
    for at, cells in enumerate(batch.rows):
        name = rows.identity(cells, act)
        if name in seen:
            yield f"facts[{at}].{rows.key}: {TWICE}"
        seen.add(name)


def _faults(error: ConsentgateError) -> Sequence[Fault]:
    if isinstance(error, RowError):
        return error.faults
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    return [Fault(field="row", remedy=each) for each in problems or (f"{error.args[0]} {error.remedy}",)]


def _remember_part(connection: Connection, act: Act, batch: Batch) -> None:
    digest = _part(batch, batch.part)
    if not imports.known(connection, digest):
        imports.remember(connection, digest, kind=PART, outcome=batch.source, by=act.by, at=act.at)


def _parts_known(connection: Connection, batch: Batch) -> int:
    return sum(imports.known(connection, _part(batch, number)) for number in range(1, batch.parts + 1))


def _part(batch: Batch, number: int) -> str:
    said = json.dumps([PART, batch.source, batch.as_of.isoformat(), number, batch.parts])
    return hashlib.sha256(said.encode()).hexdigest()


def _stamped(connection: Connection, act: Act, batch: Batch, counted: Taken) -> Taken:
    feed = retentionrows.stamped(connection, act, batch.source, batch.as_of, counted.applied, counted.known)
    return Taken(applied=counted.applied, known=counted.known, missing=0, feed=feed)


def _refused(database: Database, act: Act, batch: Batch, error: ConsentgateError) -> None:
    """Put a refusal on record: how much was wrong, never what, since that may name a patient."""
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    event = act.event(
        EventType.IMPORT,
        "RETENTION_FEED_REFUSED",
        subject=batch.source,
        outcome=Outcome.REFUSED,
        reasons=(batch.as_of.isoformat(), str(error.args[0]), f"{len(problems)} fault(s)"),
    )
    with database.writing() as connection:
        append(connection, [event])
