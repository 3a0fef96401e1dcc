"""Where entries of permits are written at once, in a world."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from orthanc_plugin.audit import chain
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.clock import hospital_day, hours_of
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.atonce import AtOnce, Permit
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.snapshots import Snapshot
from orthanc_plugin.registry.trail import append
from tests.fakes.pictures import CARE
from tests.fakes.world import World

PATIENCE = 60.0
SAID = "what it was decided on"


def nothing() -> None:
    """Do nothing."""


@dataclass
class Desk:
    """Where entries are written at once, and a permit for them."""

    world: World
    writes: AtOnce
    permit: Permit
    shut: list[bool]

    def write(self) -> bool:
        return self.writes.write(self.permit, PATIENCE, nothing)

    def permitted(self, facts: Snapshot | None = None) -> Permit:
        """Return a permit that stands now."""
        return permit_of(self.world, facts)

    def entries(self) -> list[dict[str, object]]:
        return [entry for entry in self.world.trail() if entry["detail"] == SAID]


def permit_of(world: World, facts: Snapshot | None = None) -> Permit:
    database = world.services.database
    with database.writing() as connection:
        shelf = world.services.gate.permits.shelf(connection)
    assert shelf.version is not None
    day = hours_of(hospital_day(world.clock()))
    return Permit(shelf.version, *day, event(world).stencil(), facts)


def event(world: World) -> AuditEvent:
    return AuditEvent(
        id="x",
        at=world.clock(),
        event=EventType.ACCESS_CONTROL_DECISION,
        outcome=Outcome.SUCCESS,
        actor="derm",
        door="test",
        detail=SAID,
    )


def desk_of(world: World) -> Desk:
    """Return one at which an entry was written by a transaction before, so that the trail's end is known."""
    world.file(CARE)
    append_one(world)
    shut: list[bool] = []
    services = world.services
    writes = AtOnce(services.database, world.clock, services.ids, lambda: bool(shut))
    return Desk(world, writes, permit_of(world), shut)


def append_one(world: World) -> None:
    with world.services.database.writing() as connection:
        append(connection, [event(world)])


def whole(world: World) -> bool:
    return chain.verify(world.services.trail.entries()).whole


@dataclass
class Gated:
    """The registry, whose one-statement transactions wait until they may go on."""

    database: Database
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    after: Callable[[], None] = nothing
    breaks: bool = False
    statements: int = 0

    def at_once(self, work: Callable[[Connection], bool], undone: int, seconds: float) -> bool:
        self.begun.release()
        assert self.go.wait(PATIENCE)
        if self.breaks:
            raise RegistryError("The registry can't be written.")
        self.statements += 1
        done = self.database.at_once(work, undone, seconds)
        self.after()
        return done


def simulated(desk: Desk, gated: Gated) -> AtOnce:
    services = desk.world.services
    return AtOnce(gated, desk.world.clock, services.ids, lambda: False)  # type: ignore[arg-type]
