"""A records office: a schedule that two people have put in force, feeds that tell what dates rest on, and holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.lifecycle import holding, retentionrows, scheduling
from orthanc_plugin.lifecycle.retentionrows import Intake
from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirymodel import Due, HoldKind, RetentionFacts
from orthanc_plugin.registry.holds import Order, Recorded
from orthanc_plugin.registry.retentiongather import around, gather
from tests.fakes.pictures import UID
from tests.fakes.sheets import sheet
from tests.fakes.world import World

SEEN = {
    "patient_id": "P1",
    "last_contact": "2015-03-10",
    "open_episode": "no",
    "categories": "none",
    "departments": "Dermatology",
}
ORDER = Order(
    kind=HoldKind.LITIGATION,
    authority="Trust solicitor",
    reason="claim 12/2026",
    review_on=date(2027, 6, 1),
    patients=(("P1", "HOSP"),),
)


def activate(world: World, text: str | None = None) -> None:
    """Have one person propose a schedule, the shipped one unless another is given, and another activate it."""
    shared = world.services
    proposed = scheduling.propose(shared.database, shared.act("governance", "test"), text or shipped_text())
    with shared.database.writing() as connection:
        scheduling.activate(connection, shared.act("derm", "test"), proposed.version.digest)


def fed(
    world: World,
    *rows: Mapping[str, str],
    source: str = "pas",
    as_of: datetime | None = None,
    by: str = "feeder",
) -> Intake:
    """Take in what a source tells, as of now unless another moment is given."""
    shared = world.services
    path = sheet(world.folder / f"{source}.csv", *(rows or (SEEN,)))
    with shared.database.reading() as connection:
        schedule = scheduling.in_force(connection)
    return retentionrows.take_in(
        shared.database, lambda: shared.act(by, "test"), schedule, path, source, as_of or world.clock()
    )


def held(world: World, order: Order = ORDER, by: str = "lawyer") -> Recorded:
    """Place a hold."""
    with world.services.database.writing() as connection:
        return holding.place(connection, world.services.act(by, "test"), order, to_come=True)


def rests_on(world: World, uid: str = UID) -> RetentionFacts:
    """Return what the date of a picture rests on."""
    with world.services.database.reading() as connection:
        return gather(connection, world.row(uid), around(connection, scheduling.in_force(connection), world.clock()))


def standing(world: World, uid: str = UID) -> Due:
    """Return where a picture stands today."""
    with world.services.database.reading() as connection:
        schedule = scheduling.in_force(connection)
    return due(schedule, rests_on(world, uid), world.clock().date())
