"""Pictures that the archive held before Consentgate: in quarantine since the start-up found them, or adopted.

Knows rows. Must not know the archive. Source: requirements 2.9 (bulk legacy import).
"""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import Connection, exists, func, select, update

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.tables import capture_stops, quarantine, trail
from orthanc_plugin.registry.tables import images as table

STARTED: Final = "started; every check passed"  # the trail's words for a start

# What was stored unasked while Consentgate was running has no digest, and is no legacy.
# What came through quarantine, or is of a capture that was stopped, isn't either, however it got into the archive.
FOUND_AT_START = (
    (table.c.status == ImageStatus.QUARANTINED)
    & (table.c.sha256 != "")
    & (table.c.patient_id != "")
    & ~exists().where(quarantine.c.sop_instance_uid == table.c.sop_instance_uid)
    & ~exists().where(capture_stops.c.study_instance_uid == table.c.study_instance_uid)
)


def found(connection: Connection, *, study: str | None, after: str, most: int) -> list[ImageRow]:
    """Return up to ``most`` pictures that could be adopted, in UID order from just beyond ``after``."""
    query = select(table.c.sop_instance_uid).where(FOUND_AT_START, table.c.sop_instance_uid > after)
    if (live := went_live(connection)) is not None:
        query = query.where(table.c.received_at <= live)
    if study is not None:
        query = query.where(table.c.study_instance_uid == study)
    names = connection.execute(query.order_by(table.c.sop_instance_uid).limit(most)).scalars().all()
    return images.find(connection, Subject.SOP_INSTANCE_UID, tuple(names))


def went_live(connection: Connection) -> str | None:
    """Return when Consentgate first ran with every check passed; what appears later is not from before."""
    first = select(trail.c.body).where(trail.c.body.like(f"%{STARTED}%")).order_by(trail.c.seq).limit(1)
    body = connection.execute(first).scalar()
    return None if body is None else str(json.loads(body)["at"])


def adopt(connection: Connection, row: ImageRow) -> bool:
    """Make the picture an active legacy one; False when it is no longer what it was when it was read."""
    same = (table.c.sop_instance_uid == row.sop_instance_uid) & (table.c.sha256 == row.sha256) & FOUND_AT_START
    changed = connection.execute(update(table).where(same).values(status=ImageStatus.ACTIVE, legacy=1))
    return changed.rowcount == 1


def left(connection: Connection) -> int:
    """Return how many pictures are still in quarantine inside the archive, for whatever reason."""
    query = select(func.count()).select_from(table).where(table.c.status == ImageStatus.QUARANTINED)
    return connection.execute(query).scalar_one()
