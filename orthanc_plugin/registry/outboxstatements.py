"""What a courier asks of its rows for every picture that it sends, compiled once (see ``prepared``).

Knows columns and parameters: ``which`` row, under the fence that was ``held``, in the state that is called ``claimed``.
Must not know what follows from the answers. Source: architecture 4 (outbox).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, select, update

from orthanc_plugin.registry.named import of_those
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.prepared import prepared

_OURS: Final = (
    outbox.c.outbox_id == bindparam("which"),
    outbox.c.fence == bindparam("held"),
    outbox.c.state == bindparam("claimed"),
)
_LEASED: Final = (outbox.c.state == bindparam("claimed"), outbox.c.next_try > bindparam("moment"))
HELD: Final = of_those(select(outbox.c.outbox_id, outbox.c.fence).where(*_LEASED), outbox.c.outbox_id)
BEGUN: Final = prepared(
    update(outbox)
    .where(*_OURS)
    .values({outbox.c.decision_id: bindparam("decision"), outbox.c.disclosure_id: bindparam("disclosure")})
)
_ENDED: Final = (
    update(outbox)
    .where(*_OURS)
    .values(
        {
            outbox.c.state: bindparam("ended"),
            outbox.c.reason: bindparam("why"),
            outbox.c.next_try: bindparam("again"),
            outbox.c.changed_at: bindparam("at"),
            outbox.c.attempts: bindparam("tried"),
            outbox.c.courier: "",
        }
    )
)
ENDED: Final = prepared(_ENDED.returning(outbox.c.outbox_id))
ENDED_EACH: Final = prepared(_ENDED)
SERVER_TIME: Final = prepared(select(func.clock_timestamp()))  # PostgreSQL's alone
