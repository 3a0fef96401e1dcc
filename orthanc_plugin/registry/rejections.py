"""The pictures that other archives rejected, and who lifted that here.

Knows rows. Must not know what a rejection does to a picture. The reason of a lift is a person's own words and may name
the patient, so it is kept here; the trail has its digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.keyobjecttables import rejections
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed

SEAL: Final = "rejection "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One picture, rejected by one key object.

    Attributes:
        code: of the key object's title.
        was: where the picture stood; '' when it wasn't here.
    """

    rejection_id: str
    key_object_uid: str
    sop_instance_uid: str
    code: str
    sender: str
    rejected_at: str
    was: str
    lifted_at: str | None = None
    lifted_by: str | None = None
    reason: str | None = None


# Asked about every picture that comes in.
STANDING: Final = prepared(
    select(rejections.c.code).where(rejections.c.sop_instance_uid == bindparam("uid"), rejections.c.lifted_at.is_(None))
)


def record(connection: Connection, found: Iterable[Rejected]) -> tuple[str, ...]:
    """File rejections; return, of each, the words that tie its row to its entry in the trail."""
    rows = [asdict(each) for each in found]
    if rows:
        connection.execute(rejections.insert(), rows)
    return tuple(_seal(row) for row in rows)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every rejection as it stands."""
    for row in connection.execute(select(rejections), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: dict[str, object]) -> str:
    return sealed(SEAL, str(row["rejection_id"]), row)


def standing(connection: Connection, sop_instance_uid: str) -> frozenset[str]:
    """Return the codes under which a picture is rejected and nobody has lifted that."""
    return frozenset(str(code) for (code,) in STANDING.rows(connection, uid=sop_instance_uid))


def lift(connection: Connection, rejected: Rejected, *, by: str, at: datetime, reason: str) -> str:
    """Write that somebody lifted one; return the words that tie it, as it stands now, to its entry in the trail."""
    values = {"lifted_at": at.isoformat(), "lifted_by": by, "reason": reason}
    this = rejections.c.rejection_id == rejected.rejection_id
    connection.execute(update(rejections).where(this).values(values))
    return _seal({**asdict(rejected), **values})


def get(connection: Connection, name: str) -> list[Rejected]:
    """Return the rejection of this id, or the standing ones of the picture or key object of this UID.

    Raises:
        UnknownRecordError: there are none.
    """
    one = connection.execute(select(rejections).where(rejections.c.rejection_id == name)).all()
    found = [_rejected(row) for row in one] or [*_of(connection, (name,)), *_by(connection, name)]
    if not found:
        raise UnknownRecordError(
            "No rejection has this id, and none that stands has this UID.", remedy="See 'consentgate rejection list'."
        )
    return found


def of_pictures(connection: Connection, uids: Collection[str]) -> list[Rejected]:
    """Return the standing rejections of pictures."""
    return _of(connection, uids)


def _of(connection: Connection, uids: Collection[str]) -> list[Rejected]:
    query = select(rejections).where(rejections.c.sop_instance_uid.in_(uids), rejections.c.lifted_at.is_(None))
    return [_rejected(row) for row in connection.execute(query.order_by(rejections.c.rejected_at))]


def _by(connection: Connection, key_object_uid: str) -> list[Rejected]:
    these = (rejections.c.key_object_uid == key_object_uid) & rejections.c.lifted_at.is_(None)
    query = select(rejections).where(these).order_by(rejections.c.sop_instance_uid)
    return [_rejected(row) for row in connection.execute(query)]


def listed(connection: Connection, *, everything: bool) -> list[Rejected]:
    """Return those that stand, or all, oldest first."""
    query = select(rejections).order_by(rejections.c.rejected_at, rejections.c.sop_instance_uid)
    if not everything:
        query = query.where(rejections.c.lifted_at.is_(None))
    return [_rejected(row) for row in connection.execute(query)]


def _rejected(row: object) -> Rejected:
    return Rejected(**row._mapping)  # type: ignore[attr-defined]
