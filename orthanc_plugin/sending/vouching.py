"""Has a recipient vouch for what it was sent, before the outbox counts it as delivered.

Knows what a report means for a row and for the ledger. Must not know how it is asked. A node that says no to what it
had called stored has kept nobody knows what: the disclosure counts as sent, and the picture is sent again. One that
does not report at all leaves the row delivered, and says so: UNCONFIRMED. Source: PS3.4 annex J.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from dicomwrap.uids import fresh_uid
from orthanc_plugin.archive.commitment import Heard, NotVouchedError, refused_by
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.audit.event import Outcome as How
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outbox import State
from orthanc_plugin.registry.trail import append
from orthanc_plugin.sending.delivery import Handover
from orthanc_plugin.sending.errand import Outcome, RouteErrand
from orthanc_plugin.services import Services

UNCONFIRMED: Final = "UNCONFIRMED: it took the picture, and did not report whether it vouches for it"


def have_vouched(
    services: Services, peer: Peer, errand: RouteErrand, handed: Mapping[str, Handover], heard: Heard
) -> frozenset[str]:
    """Ask a node for what it has confirmed, and end the rows; return the pictures that it does not vouch for.

    Args:
        services: the registry.
        peer: the node.
        errand: the rows.
        handed: what became of each picture.
        heard: gives what Orthanc has heard of a transaction.
    """
    delivered = [each for each in handed.values() if each.delivered]
    if not delivered:
        return frozenset()
    instances = [(each.row.sop_class_uid, each.released_uid) for each in delivered]
    said = ""
    try:
        refused = refused_by(peer, instances, transaction_uid=fresh_uid(), heard=heard)
    except NotVouchedError:
        refused, said = {}, UNCONFIRMED

    def note(connection: Connection) -> None:
        ends: dict[str, Outcome] = {}
        for each in delivered:
            uid, why = each.row.sop_instance_uid, refused.get(each.released_uid)
            if why is None:
                ends[uid] = Outcome(state=State.DELIVERED, reason=said)
                continue
            seal = ledger.deliver(connection, each.disclosure, Delivery.SENT)
            append(connection, [_not_vouched(services, peer, uid, why, seal)])
            ends[uid] = errand.later(uid, f"it called the picture stored, and does not vouch: {why}")
        errand.end(connection, ends)

    services.database.write(note)
    return frozenset(each.row.sop_instance_uid for each in delivered if each.released_uid in refused)


def _not_vouched(services: Services, peer: Peer, uid: str, why: str, seal: str) -> AuditEvent:
    return AuditEvent(
        id=services.ids(),
        at=services.clock(),
        event=EventType.INSTANCES_TRANSFERRED,
        outcome=How.FAILURE,
        actor=peer.aet,
        door="storage commitment",
        subject=uid,
        reasons=(why,),
        policy=services.policy.sha256,
        detail=seal,
    )
