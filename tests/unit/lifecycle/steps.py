"""What the tests of the life cycle do again and again: act as the nurse, let a copy leave, hold a picture back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry import ledger, quarantine
from orthanc_plugin.registry.ledger import Delivery, Disclosure
from orthanc_plugin.registry.quarantine import Held, Status
from tests.fakes.pictures import CONSENT_ID, UID
from tests.fakes.world import World


@contextmanager
def acting(world: World, by: str = "nurse") -> Iterator[tuple[Connection, Act]]:
    """Give a write transaction, and the nurse who acts in it."""
    with world.services.database.writing() as connection:
        yield connection, world.services.act(by, "test")


def leave(
    world: World,
    name: str = "D1",
    *,
    uid: str = UID,
    purpose: str = "TEACHING",
    effect: Effect = Effect.PERMIT_IDENTIFIABLE,
    under: tuple[str, ...] = (CONSENT_ID,),
    outcome: Delivery = Delivery.DELIVERED,
    recipient: str = "teaching-archive",
    released: str = "",
) -> None:
    """Record a copy that left, under the picture's own UID unless another is given."""
    with world.services.database.writing() as connection:
        ledger.disclose(
            connection,
            Disclosure(
                disclosure_id=name,
                decision_id="decision",
                sop_instance_uid=uid,
                released_uid=released or uid,
                recipient=recipient,
                requester="lecturer",
                door="test",
                purpose=purpose,
                form=effect,
                profile="",
                consents=under,
                consent_versions=(1,) * len(under),
                sha256="0" * 64,
                at=world.clock().isoformat(),
                outcome=outcome,
            ),
        )


def hold(world: World, status: Status, *, name: str = "Q1", refers_to: str = CONSENT_ID) -> Held:
    """Keep a picture back in the spool."""
    held = Held(
        quarantine_id=name,
        sop_instance_uid=f"2.25.9{name[1:]}",
        sha256=name * 32,
        size=3,
        spool_name=f"{name}.dcm",
        reasons=(),
        origin="DIMSE",
        received_at=world.clock().isoformat(),
        status=status,
        study_instance_uid="2.25.1",
        refers_to=refers_to,
    )
    world.services.spool.put(held.spool_name, b"abc")
    with world.services.database.writing() as connection:
        quarantine.hold(connection, held)
    return held


def listed(world: World) -> set[tuple[object, object]]:
    """Return kind and subject of every open task."""
    return {(task["kind"], task["subject"]) for task in world.tasks()}


def recalls(world: World) -> dict[object, object]:
    """Return where the recall of each disclosure stands."""
    return {row["disclosure_id"]: row["recall"] for row in world.disclosures()}


def effects(world: World) -> list[object]:
    """Return the effects in the trail."""
    return [entry["effect"] for entry in world.trail()]
