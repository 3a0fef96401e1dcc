"""Pictures of which nobody has said which body site they show, or which department made them.

Knows rows, and in what order they are looked at: as they came, so that one moment says how far somebody got. What was
destroyed says nothing any more. Must not know what the objects say.

Source: requirements 001-8 (routes ask for body site and department); schema 0010 added both, empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from orthanc_plugin.registry.holdings import archive_holdings
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.tables import images as table

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_c = table.c
# What was stored unasked has no digest: nobody knows what it should be, so nothing is read from it.
SILENT: Final = and_(
    or_(_c.body_site == "", _c.department == ""), _c.status != ImageStatus.DISPOSED.value, _c.sha256 != ""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far somebody got: everything that came before, and of that moment what isn't behind this UID."""

    received_at: str = ""
    uid: str = ""

    @property
    def moment(self) -> datetime:
        """Return until when everything was read; the beginning of time at the beginning."""
        return datetime.fromisoformat(self.received_at) if self.received_at else BEGINNING


def _here(archive: str) -> ColumnElement[bool]:
    """Return what is true of pictures that no other archive has said that it has."""
    others = select(archive_holdings.c.orthanc_instance).where(archive_holdings.c.archive != archive)
    return _c.orthanc_instance.not_in(others)


def _behind(place: Place) -> ColumnElement[bool]:
    same_moment = and_(_c.received_at == place.received_at, _c.sop_instance_uid > place.uid)
    return or_(_c.received_at > place.received_at, same_moment)


def left(connection: Connection, archive: str, place: Place) -> int:
    """Return how many of an archive's pictures are behind a place."""
    query = select(func.count()).select_from(table).where(SILENT, _here(archive), _behind(place))
    return connection.execute(query).scalar_one()


def page(connection: Connection, archive: str, place: Place, most: int) -> list[ImageRow]:
    """Return the next few of an archive's pictures behind a place, as they came."""
    query = select(_c.sop_instance_uid).where(SILENT, _here(archive), _behind(place))
    ordered = query.order_by(_c.received_at, _c.sop_instance_uid).limit(most)
    uids = tuple(connection.execute(ordered).scalars())
    rows = images.find(connection, Subject.SOP_INSTANCE_UID, uids) if uids else []
    by_uid = {row.sop_instance_uid: row for row in rows}
    return [by_uid[uid] for uid in uids]  # in the database's order: its next page is behind its last row


def fill(connection: Connection, row: ImageRow, body_site: str, department: str) -> bool:
    """Write down what an object says, where nothing was on record; False when the picture was changed meanwhile."""
    same = (_c.sop_instance_uid == row.sop_instance_uid) & (_c.sha256 == row.sha256) & SILENT
    told = {
        "body_site": case((_c.body_site == "", body_site), else_=_c.body_site),
        "department": case((_c.department == "", department), else_=_c.department),
    }
    return connection.execute(update(table).where(same).values(told)).rowcount == 1
