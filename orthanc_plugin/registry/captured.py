"""What came from a device: pictures that were filed, and those in quarantine, with where each was disclosed to.

Knows the rows of pictures, quarantine and disclosures. A picture is a device's when intake found it to be, or when it
bears the device's number and no other device was found, such as one that came before the device was on the register.
It is also the device's whose account sent it, whatever number it bears.

Sources: requirements 001-10a (the list of a lost device), 001-16a (the share of each class, each month).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, false, func, not_, or_, select

from orthanc_plugin.policy.devices import DOCUMENTS
from orthanc_plugin.policy.model import ImageSource, ImageType
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.devices import Device
from orthanc_plugin.registry.quarantine import Status
from orthanc_plugin.registry.tables import devices, images, quarantine

Told = dict[str, object]

DISCLOSED: Final = ("disclosure_id", "at", "recipient", "door", "purpose", "form", "outcome", "recall")
UNKNOWN: Final = "UNKNOWN"
MONTH: Final = 7  # characters of a moment that say its month


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One picture of a device. ``quarantine_id`` is empty for what is filed; ``disclosures`` say where it went."""

    sop_instance_uid: str
    study_instance_uid: str
    patient_id: str
    issuer: str
    received_at: str
    status: str
    quarantine_id: str = ""
    disclosures: tuple[Told, ...] = ()


def by_device(connection: Connection, device: Device) -> Iterator[Captured]:
    """Give everything that came from the device, oldest first: what is filed, then what isn't."""
    query = select(images).where(_of(images, device)).order_by(images.c.received_at, images.c.sop_instance_uid)
    for row in connection.execute(query).all():
        yield _captured(row, "", tuple(_disclosures(connection, row.sop_instance_uid)))
    unfiled = quarantine.c.status != Status.RELEASED
    query = select(quarantine).where(_of(quarantine, device), unfiled).order_by(quarantine.c.received_at)
    for row in connection.execute(query).all():
        yield _captured(row, row.quarantine_id, ())


def _of(table: Table, device: Device) -> ColumnElement[bool]:
    keys = {"device_serial": device.serial_number, "device_station": device.station_name}
    bears = or_(*(table.c[name] == key for name, key in keys.items() if key))
    nobodys = table.c.device_id.is_(None)
    return or_(table.c.device_id == device.device_id, and_(nobodys, bears), _sent_by(table, device))


def _sent_by(table: Table, device: Device) -> ColumnElement[bool]:
    """Return what came by the device's account, less what is known to be another's that has had the same account."""
    if not device.account:
        return false()
    others = select(devices.c.device_id).where(
        devices.c.account == device.account, devices.c.device_id != device.device_id
    )
    known = table.c.device_id.is_not(None) & table.c.device_id.in_(others)
    return and_(table.c.account == device.account, not_(known))


def _captured(row: Row[tuple[object, ...]], quarantine_id: str, disclosures: tuple[Told, ...]) -> Captured:
    return Captured(
        sop_instance_uid=row.sop_instance_uid,
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        issuer=row.issuer,
        received_at=row.received_at,
        status=row.status,
        quarantine_id=quarantine_id,
        disclosures=disclosures,
    )


def _disclosures(connection: Connection, uid: str) -> Iterator[Told]:
    for row in ledger.disclosed(connection, uid):
        yield {name: row[name] for name in DISCLOSED}


def shares(connection: Connection, month: str | None = None) -> list[Told]:
    """Return how many photographs of the department came from each class of device in each month, as UTC counts them.

    ``UNKNOWN`` is what came from a device that isn't on the register and didn't say that it was somebody's own.
    """
    received = func.substr(images.c.received_at, 1, MONTH).label("month")
    ours = (
        images.c.image_type == ImageType.CLINICAL_PHOTO,
        images.c.source == ImageSource.DEPARTMENT,
        images.c.sop_class_uid.not_in(DOCUMENTS),
    )
    each = select(received, images.c.device_class).where(*ours).subquery()
    query = select(each.c.month, each.c.device_class, func.count()).group_by(each.c.month, each.c.device_class)
    if month is not None:
        query = query.where(each.c.month == month)
    counted = {(str(when), str(kind or UNKNOWN)): int(count) for when, kind, count in connection.execute(query)}
    totals: dict[str, int] = {}
    for (when, _), count in counted.items():
        totals[when] = totals.get(when, 0) + count
    return [
        {"month": when, "device_class": kind, "photographs": count, "percent": round(100 * count / totals[when], 1)}
        for (when, kind), count in sorted(counted.items())
    ]
