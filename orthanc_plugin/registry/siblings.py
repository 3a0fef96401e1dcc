"""Pictures of a series of which everything that a decision reads is the same, so that what holds of one holds of all.

Knows rows; on SQLite only. Must not decide. Whatever a row says besides names, digest and size must be the same, nobody
may have looked at either picture, no consent or authority may name one by itself, and the patient must be one: then a
case about the one differs from that about the other by the picture's name only. Source: docs/adr/0056.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, literal_column, or_, select

from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import authorities, consents, images, patients, reviews

# What may differ: names, and what no decision reads. A column that is added is compared.
OWN: Final = frozenset({"sop_instance_uid", "orthanc_instance", "sha256", "size", "received_at"})

_this, _one, _twin = images.alias("this"), images.alias("one"), images.alias("twin")


def _named_in(text: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(func.instr(text, each.c.sop_instance_uid) > 0 for each in (_this, _one)))


def _plus(name: str) -> ColumnElement[object]:
    """Return a column so that SQLite looks for no index of it: most are alike in most of the archive."""
    return literal_column(f"+one.{name}")


_PLACE: Final[ColumnElement[int]] = literal_column("one.rowid")  # in the order in which they came
_SERIES: Final = _one.c.series_instance_uid == _this.c.series_instance_uid  # by which they are found
_APART: Final = (
    exists().where(
        _twin.c.orthanc_instance == _one.c.orthanc_instance, _twin.c.sop_instance_uid != _one.c.sop_instance_uid
    ),
    exists().where(reviews.c.sop_instance_uid.in_((_this.c.sop_instance_uid, _one.c.sop_instance_uid))),
    exists().where(
        consents.c.patient_id == _this.c.patient_id, consents.c.issuer == _this.c.issuer, _named_in(consents.c.record)
    ),
    exists().where(
        authorities.c.patient_id == _this.c.patient_id,
        authorities.c.issuer == _this.c.issuer,
        _named_in(authorities.c.targets),
    ),
    exists().where(
        patients.c.patient_id == _this.c.patient_id,
        patients.c.issuer == _this.c.issuer,
        patients.c.merged_into_id.is_not(None),
    ),
    exists().where(patients.c.merged_into_id == _this.c.patient_id, patients.c.merged_into_issuer == _this.c.issuer),
)
ALIKE: Final = prepared(
    select(_one.c.sop_instance_uid, _one.c.orthanc_instance, _PLACE)
    .where(
        _this.c.sop_instance_uid == bindparam("uid"),
        _SERIES,
        func.max(literal_column("this.rowid"), bindparam("after")) < _PLACE,
        *(_plus(each.name).is_not_distinct_from(_this.c[each.name]) for each in images.c if each.name not in OWN),
        *(~each for each in _APART),
    )
    .order_by(_PLACE)
    .limit(bindparam("most"))
)


class Sibling(NamedTuple):
    """What a picture is called, by DICOM and by Orthanc, and its place among those that came."""

    sop_instance_uid: str
    orthanc_instance: str
    place: int


def alike(connection: Connection, sop_instance_uid: str, after: int, most: int) -> Iterator[Sibling]:
    """Give so many pictures of its series of which the same holds as of this one: that came after it and ``after``."""
    for uid, orthanc_instance, place in ALIKE.rows(connection, uid=sop_instance_uid, after=after, most=most):
        yield Sibling(str(uid), str(orthanc_instance), int(str(place)))
