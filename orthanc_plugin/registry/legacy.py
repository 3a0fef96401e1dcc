"""Pictures that the archive held before Consentgate: in quarantine since the start-up found them, or adopted.

Knows rows. Must not know the archive. Source: requirements 2.9 (bulk legacy import).
"""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, select, update

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.tables import capture_stops, quarantine
from orthanc_plugin.registry.tables import images as table

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
    if study is not None:
        query = query.where(table.c.study_instance_uid == study)
    names = connection.execute(query.order_by(table.c.sop_instance_uid).limit(most)).scalars().all()
    return images.find(connection, Subject.SOP_INSTANCE_UID, tuple(names))


def adopt(connection: Connection, row: ImageRow) -> bool:
    """Make the picture an active legacy one; False when it is no longer what it was when it was read."""
    same = (table.c.sop_instance_uid == row.sop_instance_uid) & (table.c.sha256 == row.sha256) & FOUND_AT_START
    changed = connection.execute(update(table).where(same).values(status=ImageStatus.ACTIVE, legacy=1))
    return changed.rowcount == 1


def left(connection: Connection) -> int:
    """Return how many pictures are still in quarantine inside the archive, for whatever reason."""
    query = select(func.count()).select_from(table).where(table.c.status == ImageStatus.QUARANTINED)
    return connection.execute(query).scalar_one()
