"""A process of its own at a registry that others use too: ``python -m tests.fakes.actor ROLE SETTINGS``.

It says ``ready``, then does one piece of work for each line that it is given, and answers each with a line of JSON.
Marks are those of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from dicomwrap.terms import Audience, Form, Purpose
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import hospital_day, new_id, now
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Requester
from orthanc_plugin.registry import consents, outbox
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Released
from orthanc_plugin.services import Services, build

CARE_TEAM = Requester(
    actor="derm",
    recipient="derm",
    purpose=Purpose.DIRECT_CARE,
    audience=Audience.CARE_TEAM,
    form=Form.IDENTIFIABLE,
)
PAUSES = Random(4)  # noqa: S311 - only to vary who comes first
DERIVING = 0.004  # seconds, at most


def write_withdrawal(services: Services, connection: Connection, consent_id: str) -> None:
    """Withdraw, and leave the entry in the trail, in the transaction of ``connection``."""
    at = now()
    consents.withdraw(connection, consent_id, None, on=hospital_day(at), by="nurse", at=at)
    event = AuditEvent(
        id=new_id(),
        at=at,
        event=EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        outcome=Outcome.SUCCESS,
        actor="nurse",
        door="test",
        subject=consent_id,
        effect="WITHDRAWN",
    )
    append(connection, [event])


def withdraw(services: Services, consent_id: str) -> object:
    """Withdraw, a moment later; say when it was begun and when its commit had returned, or why it was refused."""
    time.sleep(PAUSES.uniform(0, 5 * DERIVING))
    called = time.monotonic_ns()
    try:
        with services.database.writing() as connection:
            write_withdrawal(services, connection, consent_id)
    except ConsentgateError as error:
        return {"refused": str(error)}
    return {"called": called, "returned": time.monotonic_ns()}


def supersede(services: Services, consent_id: str) -> object:
    """Replace a consent by one like it; say the new one's id, or why it was refused."""
    try:
        with services.database.writing() as connection:
            renewed = replace(consents.current(connection, consent_id), id=f"urn:x:{new_id()}")
            return {"id": consents.supersede(connection, consent_id, renewed, by="nurse", at=now()).id}
    except ConsentgateError as error:
        return {"refused": str(error)}


def release(services: Services, uid: str) -> object:
    """Release a picture again and again until that is refused; say when each release that succeeded was begun.

    It says ``"begun"`` after the first one, so that there is something to stop.
    """
    request = AccessRequest(requester=CARE_TEAM, sop_instance_uid=uid, door="test")
    begun: list[int] = []
    while True:
        answer = services.gate.authorize(request)
        if not answer.decision.permits:
            return {"begun": begun, "stopped_by": "decision"}
        time.sleep(PAUSES.uniform(0, DERIVING))  # while the copy is made
        mark = time.monotonic_ns()
        try:
            services.disclose(answer, Released(content=b"", sha256="0" * 64, sop_instance_uid=uid))
        except ReleaseRefusedError:
            return {"begun": begun, "stopped_by": "confirmation"}
        if not begun:
            print('"begun"', flush=True)  # noqa: T201 - this is how it answers
        begun.append(mark)


def hang(services: Services, consent_id: str) -> object:
    """Write half of a withdrawal, say so, and wait for ever."""
    with services.database.writing() as connection:
        write_withdrawal(services, connection, consent_id)
        print('"half"', flush=True)  # noqa: T201 - this is how it answers
        time.sleep(3600)
    return "done"


def write_on(services: Services, name: str) -> object:
    """Write two entries in a transaction, one transaction after the other, for ever."""
    for number in range(1_000_000):
        events = [
            AuditEvent(
                id=f"{name}-{number}-{half}",
                at=now(),
                event=EventType.QUERY,
                outcome=Outcome.SUCCESS,
                actor=name,
                door="test",
            )
            for half in ("a", "b")
        ]
        services.trail.append(*events)
        print(number, flush=True)  # noqa: T201 - this is how it answers
    return "done"


def claim(services: Services, most: str) -> object:
    """Claim what is to be sent until nothing is left; say which rows it was given."""
    found: list[int] = []
    while True:
        at = now()
        with services.database.writing() as connection:
            rows = outbox.claim(connection, "actor", at, at + timedelta(minutes=5), int(most))
        if not rows:
            return found
        found += [row.outbox_id for row in rows]


ROLES: dict[str, Callable[[Services, str], object]] = {
    "withdraw": withdraw,
    "supersede": supersede,
    "release": release,
    "hang": hang,
    "write": write_on,
    "claim": claim,
}


def main(role: str, settings: str) -> None:
    """Work until the lines end."""
    services = build(Path(settings), {}, now, new_id)
    print("ready", flush=True)  # noqa: T201 - this is how it answers
    for line in sys.stdin:
        print(json.dumps(ROLES[role](services, line.strip())), flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main(*sys.argv[1:])
