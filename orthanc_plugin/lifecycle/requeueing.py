"""What gave up, or was refused or cancelled, is put back in the queue by a person.

Knows the entry in the trail that goes with it. It permits nothing: what waits again is decided when it is sent.
"""

from __future__ import annotations

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.trail import append


def retry(connection: Connection, act: Act, *, outbox_id: int | None = None, route: str | None = None) -> int:
    """Have one row wait again, or what is dead: of a route, or all; return how many.

    Raises:
        UnknownRecordError: no such row can wait again.
    """
    again = outbox.retry(connection, act.at, outbox_id=outbox_id, route=route)
    if again:
        what = route or (str(outbox_id) if outbox_id is not None else "all that was dead")
        reasons = (f"{len(again)} row(s) wait again",)
        append(connection, [act.event(EventType.APPLICATION_ACTIVITY, "SENDS_RETRIED", subject=what, reasons=reasons)])
    return len(again)
