"""What stops releases passes the fence between its commit and its answer, and says so when a sender stands in it.

Knows which entries of the trail tell of something that releases depend on: whoever changes such a thing writes one.
Must not know doors; ``overtaken`` tells them. Source: requirements 0 (4) and 2.9; docs/adr/0054.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import local
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome, Stencilled
from orthanc_plugin.clock import elapsed, new_id
from orthanc_plugin.registry.fence import STOPPED

if TYPE_CHECKING:
    from orthanc_plugin.registry.engine import Database

logger = logging.getLogger(__name__)

STOPS: Final = frozenset(
    {
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        EventType.PATIENT_RECORD,
        EventType.STUDY_DELETED,
        EventType.EMERGENCY_OVERRIDE_STOPPED,
    }
)
ACTIVATED: Final = "POLICY_ACTIVATED"  # the rules by which everything is released
EFFECT: Final = "SEND_UNDER_WAY"
WORDS: Final = (
    "A picture was about to leave at that moment, and its sender could not be waited for. What was recorded stands, and"
    " stops all others; see with 'consentgate disclosures' what left."
)
Append = Callable[[Connection, Iterable[AuditEvent]], None]
_last = local()


def mark(connection: Connection, events: Iterable[AuditEvent | Stencilled], append: Append) -> None:
    """Have the transaction of ``connection`` pass the fence once it is committed, if one of ``events`` is of that kind.

    ``append`` writes to the trail.
    """
    for event in events:
        if isinstance(event, AuditEvent) and (event.event in STOPS or event.effect == ACTIVATED):
            connection.info[STOPPED] = partial(_pass, event, append)
            return


def forget() -> None:
    """Begin to look: what this thread committed before doesn't count for ``overtaken``."""
    _last.overtaken = False


def overtaken() -> bool:
    """Tell whether something that this thread committed since, and stops releases, couldn't wait for a sender."""
    return bool(getattr(_last, "overtaken", False))


def _pass(event: AuditEvent, append: Append, database: Database) -> None:
    """Pass the fence; what was committed stands whatever happens here."""
    began = elapsed()
    if database.fence.passed():
        return
    _last.overtaken = True
    said = replace(
        event,
        id=new_id(),
        at=event.at + timedelta(seconds=elapsed() - began),
        event=EventType.SECURITY_ALERT,
        outcome=Outcome.FAILURE,
        effect=EFFECT,
        reasons=(WORDS,),
        detail="",
        facts="",
    )
    try:
        with database.writing() as connection:
            append(connection, (said,))
    except Exception:  # the boundary: the change is on record
        logger.exception("that a sender stood in the fence could not be recorded")
