"""Whether a hold is on what was destroyed and has come back: then it is kept, shut, until the hold is lifted.

Knows what a stub still says of a record. Must not destroy. What nobody knows any more of a record counts as met.

Sources: requirements 4, acceptance test (e); T-7.
"""

from __future__ import annotations

from datetime import MINYEAR, datetime

from sqlalchemy import Connection

from orthanc_plugin.policy.expiryholds import Years
from orthanc_plugin.registry import stubs
from orthanc_plugin.registry.retentiongather import held_by
from orthanc_plugin.registry.stubs import Stub


def still_held(connection: Connection, stub_id: str, now: datetime) -> bool:
    """Tell whether a hold is on whose record it was; of somebody whom nobody knows any more none can be."""
    stub = stubs.get(connection, stub_id)
    if stub is None:
        return False
    return any(held_by(connection, who, now, _made(stub)) for who in stubs.numbers(connection, stub.link_id))


def _made(stub: Stub) -> Years | None:
    """Return within which years its pictures were made: a stub has the last one's alone."""
    if not stub.acquired.isdecimal():
        return None
    last = int(stub.acquired)
    return (last if stub.objects == 1 else MINYEAR), last
