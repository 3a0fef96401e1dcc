"""A courier's rounds on a world: routes to its nodes, and ways that end in the archive simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dicomwrap.terms import Purpose
from orthanc_plugin.archive.commitment import Heard
from orthanc_plugin.archive.port import Sending
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.config.bindings import Destination, DicomNode
from orthanc_plugin.config.routes import RouteChoice
from orthanc_plugin.registry import outbox
from orthanc_plugin.sending.courier import Rounds, Turn
from orthanc_plugin.sending.ways import NoWayError, Ways
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.world import MODALITIES, World, with_policy

CARE_ROUTE = RouteChoice(name="care", recipient="workstation", purpose=Purpose.DIRECT_CARE, owner="derm")
TEACHING_ROUTE = RouteChoice(name="teach", recipient="teaching-archive", purpose=Purpose.TEACHING, owner="school")


def unheard(_transaction_uid: str) -> None:
    """Say that nobody has reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedWays(Ways):
    """Every node is reached through the simulator, and none reports to Orthanc."""

    archive: ArchiveSimulator
    heard: Heard = unheard

    def to(self, destination: Destination) -> Sending:
        """Return what sends to a node."""
        if not isinstance(destination, DicomNode):
            raise NoWayError("No way leads there.")
        return self.archive.sending(MODALITIES[destination.aet])


@dataclass(kw_only=True)
class Ward:
    """A world with routes, and what a test does to its outbox."""

    world: World
    peers: dict[str, Peer] = field(default_factory=dict)
    stop: Callable[[], bool] = lambda: False
    chance: float = 1.0
    last: dict[str, list[int]] = field(default_factory=dict)

    def rounds(self, name: str = "courier-1", archive: ArchiveSimulator | None = None) -> Rounds:
        """Return the rounds of a courier; what it sends is read from, and goes to, ``archive``."""
        world = self.world
        through = archive or world.archive
        policy = world.services.policy
        return Rounds(
            services=world.services,
            archive=through,
            ways=SimulatedWays(policy=policy, folder=world.folder, peers=self.peers, archive=through),
            readers=world.worker(),
            name=name,
            chance=lambda: self.chance,
            stopping=self.stop,
            last=self.last.setdefault(name, []),
        )

    def turn(self) -> Turn | None:
        """Send what is next."""
        return self.rounds().turn()

    def queue(self, *uids: str, route: RouteChoice = CARE_ROUTE) -> None:
        """Have pictures wait for a route."""
        rows = [
            outbox.Queued(
                route=route.name,
                recipient=route.recipient,
                purpose=route.purpose,
                sop_instance_uid=uid,
                study_instance_uid=self.world.row(uid).study_instance_uid,
                priority=route.priority,
                cause="STABLE",
            )
            for uid in uids
        ]
        with self.world.services.database.writing() as connection:
            outbox.queue(connection, rows, self.world.clock())

    def rows(self) -> dict[str, outbox.Row]:
        """Return the outbox by picture."""
        with self.world.services.database.reading() as connection:
            return {str(row["sop_instance_uid"]): row for row in outbox.listed(connection)}

    def states(self) -> dict[str, str]:
        """Return where each picture stands."""
        return {uid: str(row["state"]) for uid, row in self.rows().items()}


def routed(world: World, *routes: RouteChoice) -> Ward:
    """Return a ward on ``world`` under these routes."""
    return Ward(world=with_policy(world, routed=routes or (CARE_ROUTE, TEACHING_ROUTE)))
