"""Delete a picture that was never filed: its row and its entry in the trail stay, the pixels go.

Knows what is told of it, and that a hold forbids it: then the picture is kept, and no door files or shows it, until the
hold is lifted. Must not know why, nor files: the caller drops the spool's once the transaction is committed.

Sources: requirements 0 (4, 8), 002-26a, 002-26b, T-7.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expirymodel import Hold
from orthanc_plugin.registry import images, quarantine
from orthanc_plugin.registry.quarantine import Held, Status
from orthanc_plugin.registry.retentiongather import held_by
from orthanc_plugin.registry.trail import append


def deleted(connection: Connection, act: Act, held: Held, reason: str) -> bool:
    """Settle an unfiled object as deleted, with its entry in the trail; the words after the colon stay in its row.

    False where a hold keeps it. Where the archive has the picture, what is deleted is only a copy that was sent again,
    and the trail says so.

    Raises:
        IllegalTransitionError: it is filed, being filed, or deleted.
    """
    kinds = tuple(sorted({str(each.kind) for each in _holds(connection, held, act.at)}))
    if kinds:
        quarantine.keep(connection, held, reason)
        _tell(connection, act, held, "KEPT_UNDER_HOLD", (reason.partition(":")[0], *kinds))
        return False
    quarantine.delete(connection, held, by=act.by, at=act.at, reason=reason)
    effect = "DELETED_UNFILED" if images.get(connection, held.sop_instance_uid) is None else "DELETED_COPY"
    _tell(connection, act, held, effect, (reason.partition(":")[0],))
    return True


def free(connection: Connection, at: datetime) -> tuple[Held, ...]:
    """Return what was kept under a hold, and isn't held by any now."""
    kept = quarantine.listed(connection, Status.KEPT_UNDER_HOLD)
    return tuple(each for each in kept if not _holds(connection, each, at))


def _holds(connection: Connection, held: Held, at: datetime) -> tuple[Hold, ...]:
    """Return the holds on an unfiled capture; it was made in the year in which it came, as far as anybody knows."""
    came = hospital_day(datetime.fromisoformat(held.received_at))
    return held_by(connection, (held.patient_id, held.issuer), at, (came.year, came.year))


def _tell(connection: Connection, act: Act, held: Held, effect: str, reasons: tuple[str, ...]) -> None:
    kind, digest = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, f"sha256 of the object {held.sha256}"
    append(connection, [act.event(kind, effect, subject=held.sop_instance_uid, reasons=reasons, detail=digest)])
