"""How a release ended whose courier died: it may be there, and that is written down by whoever finds it.

Knows the row and the entry of the trail. Must not know who finds it, nor what follows.

Sources: requirements 2.8; architecture 4 (leases).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outboxrows import Claimed
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.unended import Unended
from orthanc_plugin.services import Services

DOOR: Final = "courier"
NOBODY_KNOWS: Final = "the courier ended while it was sent; the recipient may have it"


def settle(connection: Connection, services: Services, sent: Claimed | Unended, disclosure_id: str) -> None:
    """Write down that a release broke off: what nobody knows counts as having left."""
    seal = ledger.deliver(connection, disclosure_id, Delivery.SENT)
    told = AuditEvent(
        id=services.ids(),
        at=services.clock(),
        event=EventType.INSTANCES_TRANSFERRED,
        outcome=Outcome.FAILURE,
        actor=f"route {sent.route}"[:64],
        door=DOOR,
        subject=sent.sop_instance_uid,
        purpose=sent.purpose,
        reasons=(NOBODY_KNOWS,),
        policy=services.policy.sha256,
        detail=seal,
    )
    append(connection, [told])
