"""Captures that were stopped: the studies that take nothing more, because the patient objected.

Knows rows. Source: requirements 000-34e, 002-26a; GMC recordings 34 (stop when a child objects or shows distress).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, bindparam, literal_column, select

from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import capture_stops

SEAL: Final = "capture stop record "
COLUMNS: Final = tuple(column.name for column in capture_stops.c)
# Asked about every picture that comes in.
OF_STUDY: Final = prepared(
    select(*capture_stops.c)
    .where(capture_stops.c.study_instance_uid == bindparam("study_instance_uid"))
    .order_by(capture_stops.c.stopped_at)
    .limit(literal_column("1"))
)


@unique
class StopKind(StrEnum):
    """Why a capture was stopped."""

    DISTRESS = "DISTRESS"
    OBJECTION = "OBJECTION"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop. ``reason`` is a person's own words and stays here; the trail has the kind."""

    stop_id: str
    study_instance_uid: str
    kind: StopKind
    reason: str
    stopped_at: datetime
    stopped_by: str


def record(connection: Connection, stop: Stop) -> str:
    """File the stop; return the words that tie the row to its entry in the trail."""
    row = {**asdict(stop), "stopped_at": stop.stopped_at.isoformat()}
    connection.execute(capture_stops.insert().values(row))
    return sealed(SEAL, stop.stop_id, row)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every stop on record."""
    for row in connection.execute(select(capture_stops), execution_options=IN_PARTS):
        yield sealed(SEAL, row.stop_id, dict(row._mapping))


def was_stopped_for(connection: Connection, study_instance_uid: str, kind: StopKind) -> bool:
    """Tell whether the study's capture was stopped for this very reason."""
    stops = capture_stops.c
    query = select(stops.stop_id).where(stops.study_instance_uid == study_instance_uid, stops.kind == kind)
    return connection.execute(query).first() is not None


def of_study(connection: Connection, study_instance_uid: str) -> Stop | None:
    """Return the first stop of this study, None when its capture was never stopped."""
    rows = OF_STUDY.rows(connection, study_instance_uid=study_instance_uid)
    if not rows:
        return None
    values = {name: str(value) for name, value in zip(COLUMNS, rows[0], strict=True)}
    stopped_at = datetime.fromisoformat(values.pop("stopped_at"))
    return Stop(kind=StopKind(values.pop("kind")), stopped_at=stopped_at, **values)
