"""What the tests of notices do again and again: withdraw, have notices sent, look at the one recall."""

from __future__ import annotations

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.registry import ledger, recalls
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.recalls import Recalled
from orthanc_plugin.sending.notices import Notices
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CONSENT_ID
from tests.fakes.rounds import SimulatedWays
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting


def withdraw(world: World) -> World:
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    return world


def notices(world: World, archive: ArchiveSimulator | None = None) -> Notices:
    through, policy = archive or world.archive, world.services.policy
    ways = SimulatedWays(policy=policy, folder=world.folder, peers={}, archive=through)
    return Notices(services=world.services, archive=world.archive, ways=ways, name="courier-1")


def only(world: World) -> Recalled:
    with world.services.database.reading() as connection:
        (found,) = recalls.listed(connection)
    return found


def delivered(world: World, disclosure_id: str) -> None:
    with world.services.database.writing() as connection:
        ledger.deliver(connection, disclosure_id, Delivery.DELIVERED)
