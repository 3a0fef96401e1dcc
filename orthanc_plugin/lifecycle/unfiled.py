"""Delete a picture that was never filed: its row and its entry in the trail stay, the pixels go.

Knows what is told of it. Must not know why, nor files: the caller drops the spool's once the transaction is committed.

Sources: requirements 0 (4, 8), 002-26a, 002-26b.
"""

from __future__ import annotations

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import images, quarantine
from orthanc_plugin.registry.quarantine import Held
from orthanc_plugin.registry.trail import append


def deleted(connection: Connection, act: Act, held: Held, reason: str) -> None:
    """Settle an unfiled object as deleted, with its entry in the trail; the words after the colon stay in its row.

    Where the archive has the picture, what is deleted is only a copy that was sent again, and the trail says so.

    Raises:
        IllegalTransitionError: it is filed, being filed, or deleted.
    """
    quarantine.delete(connection, held, by=act.by, at=act.at, reason=reason)
    event = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        "DELETED_UNFILED" if images.get(connection, held.sop_instance_uid) is None else "DELETED_COPY",
        subject=held.sop_instance_uid,
        reasons=(reason.partition(":")[0],),
        detail=f"sha256 of what was deleted {held.sha256}",
    )
    append(connection, [event])
