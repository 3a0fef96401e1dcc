"""What routes look at of the pictures on record.

Knows rows of pictures and of devices. Must not match. A department is what the object says, or that of the registered
device that took it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, func, select

from dicomwrap.terms import Purpose
from orthanc_plugin.policy.routing import Routed, Trigger
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.tables import devices

MOST: Final = 500  # names in one question


def routed(
    connection: Connection, rows: Sequence[ImageRow], trigger: Trigger | None = None, purpose: Purpose | None = None
) -> tuple[Routed, ...]:
    """Return what routes look at of each row, in the same order.

    Args:
        connection: to the registry.
        rows: the pictures.
        trigger: what happened to them; None to ask of whatever may happen.
        purpose: what a key object asks for.
    """
    theirs = _departments(connection, sorted({row.device_id for row in rows if row.device_id and not row.department}))
    return tuple(
        Routed(
            sop_class_uid=row.sop_class_uid,
            body_site=row.body_site,
            department=row.department or theirs.get(row.device_id or "", ""),
            made_for=row.made_for,
            trigger=trigger,
            purpose=purpose,
        )
        for row in rows
    )


def _departments(connection: Connection, names: Sequence[str]) -> Mapping[str, str]:
    """Return the department of each device, as the newest version of it on the register says."""
    found: dict[str, str] = {}
    for start in range(0, len(names), MOST):
        these = devices.c.device_id.in_(names[start : start + MOST])
        newest = select(devices.c.device_id, func.max(devices.c.version).label("version")).where(these)
        last = newest.group_by(devices.c.device_id).subquery()
        same = and_(devices.c.device_id == last.c.device_id, devices.c.version == last.c.version)
        query = select(devices.c.device_id, devices.c.department).join(last, same)
        found |= {str(name): str(department) for name, department in connection.execute(query)}
    return found
