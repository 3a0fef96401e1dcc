"""Who holds copies of what is destroyed is told: a recall for each of them, in the transaction that writes the stub.

Knows which copies count, and how to count what has been told. Must not send: the courier does. Source: UK GDPR 19
(G-19); IHE RAD IOCM (113039, Data Retention Policy Expired).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.recalling import method
from orthanc_plugin.policy.recalling import Cause, ends_with_the_original
from orthanc_plugin.registry import ledger, recalls
from orthanc_plugin.registry.recalls import Opening
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention.acting import Act


def notify(connection: Connection, act: Act, stub_id: str, uids: Sequence[str]) -> None:
    """Ask every recipient for its copies of what is gone and has left, before the registry forgets where that was."""
    if not uids:
        return
    left = ledger.copies_of(connection, uids)
    back = [copy.id for copies in left.values() for copy in copies if ends_with_the_original(copy)]
    opening = Opening(
        cause=Cause.DISPOSED,
        subject=stub_id,
        by=act.by,
        at=act.at,
        ids=act.ids,
        method=lambda recipient: method(act.policy, recipient),
    )
    told = recalls.open_(connection, opening, back)
    recalls.remember(connection, uids)
    event = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED
    append(
        connection,
        [
            act.event(event, "RECALL_OPENED", subject=name, reasons=(Cause.DISPOSED,), detail=seal)
            for name, seal in told
        ],
    )


def counted(connection: Connection, stub_ids: Sequence[str]) -> dict[str, int]:
    """Return how many recipients' notices that follow from these stubs stand how."""
    found = Counter(each.standing.value for each in recalls.of_subjects(connection, stub_ids))
    return dict(sorted(found.items()))
