"""A world in which records fall due: officers, a schedule, made-up facts, and an archive that deletes and can break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.enforcement.reading import parsed
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle import holding
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.expirymodel import HoldKind, Schedule
from orthanc_plugin.registry import retentionfacts
from orthanc_plugin.registry.disposals import Outcome
from orthanc_plugin.registry.holds import Order
from orthanc_plugin.registry.plans import Action, Plan
from orthanc_plugin.registry.retentionfacts import From, Told
from orthanc_plugin.retention import certifying, deciding
from orthanc_plugin.retention.certificate import Certificate
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.execution import Execution
from orthanc_plugin.retention.interim import Memory, clear
from orthanc_plugin.retention.proposing import propose
from orthanc_plugin.retention.records import Records
from tests.fakes.world import POLICY, World

OFFICERS = """
[disposition]
[[disposition.officers]]
person = "A. Proposer"
accounts = ["clerk", "clerk-admin"]
may = ["propose", "decide", "approve", "execute"]
[[disposition.officers]]
person = "B. Decider"
accounts = ["officer"]
may = ["decide", "approve"]
[[disposition.officers]]
person = "C. Approver"
accounts = ["guardian"]
may = ["approve"]
"""
PLACE = "County Record Office"
PLACES = """
[[disposition.places]]
name = "County Record Office"
owner = "records"
address = "Castle Street 1"
folder = "/srv/deposit"
signatories = ["M. Archivist"]
[exports]
allowed = true
approved_by = ["A. Proposer", "C. Approver"]
"""
DISPOSING = POLICY + OFFICERS + PLACES
LONG_AGO = Told(last_contact=date(2010, 3, 4), open_episode=False, categories=())


class PowerCutError(Exception):
    """The process ended."""


@dataclass(kw_only=True)
class DisposalSimulator:
    """Deletes from the world's archive and a folder of files; ``cut_at`` ends the process at that step."""

    world: World
    storage: Path
    cut_at: int = -1
    steps: int = 0
    refuses: set[str] = field(default_factory=set)
    keeps_files: bool = False
    loaded: tuple[str, ...] = ("python",)
    name: str = "the first archive"

    def file_of(self, name: str) -> Path:
        return self.storage / name[:2] / name[2:4] / name

    def fill(self) -> None:
        for name, content in self.world.archive.objects.items():
            self.file_of(name).parent.mkdir(parents=True, exist_ok=True)
            self.file_of(name).write_bytes(content)

    def look(self, instances: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
        return {name: (name,) if self.has(name) else None for name in instances}

    def has(self, orthanc_instance: str) -> bool:
        self._step()
        return orthanc_instance in self.world.archive.objects

    def uid(self, orthanc_instance: str) -> str | None:
        content = self.world.archive.objects.get(orthanc_instance)
        return None if content is None else str(parsed(content).SOPInstanceUID)

    def delete(self, orthanc_instance: str) -> None:
        self._step()
        if orthanc_instance in self.refuses:
            raise ArchiveError("Orthanc answered 500.")
        self.world.archive.objects.pop(orthanc_instance, None)
        self._step()
        if not self.keeps_files:
            self.file_of(orthanc_instance).unlink(missing_ok=True)

    def instances(self) -> frozenset[str]:
        return frozenset(self.world.archive.objects)

    def plugins(self) -> tuple[str, ...]:
        return self.loaded

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.cut_at:
            raise PowerCutError


@dataclass(kw_only=True)
class Office:
    """The records office: every step of a disposition, by whoever does it."""

    world: World
    archive: DisposalSimulator
    known: Schedule = field(default_factory=shipped)

    def act(self, by: str = "clerk") -> Act:
        return self.world.services.act(by, "test")

    @property
    def certificates(self) -> Path:
        """Return the folder of certificates."""
        settings = self.world.services.settings
        return settings.path(settings.trail.certificates)

    @property
    def records(self) -> Records:
        return Records(schedule=lambda _connection: self.known)

    def tell(self, told: Told = LONG_AGO) -> None:
        """Have the feed tell of each patient, now."""
        at = self.world.clock()
        said = From(source="pas", told_at=at)
        with self.world.services.database.writing() as connection:
            for who in sorted({(row.patient_id, row.issuer) for row in self.world.rows() if row.issuer}):
                retentionfacts.record(connection, who, said, told, fact_id=self.world.services.ids(), by="pas", at=at)
            retentionfacts.stamp(connection, "pas", at, by="pas", at=at)

    def hold(self) -> str:
        """Place a hold on the patient."""
        (who,) = {(row.patient_id, row.issuer) for row in self.world.rows()}
        order = Order(
            kind=HoldKind.LITIGATION,
            authority="the court",
            reason="a claim",
            review_on=self.world.clock().date(),
            patients=(who,),
        )
        with self.world.services.database.writing() as connection:
            return holding.place(connection, self.act("legal"), order).hold_id

    def pass_days(self, days: int) -> None:
        """Let days pass on which something happens, as in a hospital."""
        for _ in range(days):
            self.world.clock.advance(days=1)
            event = self.act().event(EventType.APPLICATION_ACTIVITY, "A_DAY_PASSED", subject="")
            self.world.services.trail.append(event)

    def plan(self, by: str = "clerk") -> Plan:
        return propose(self.world.services.database, self.act(by), self.records).plan

    def decide(self, plan: Plan, *lines: int, action: Action = Action.DESTROY, by: str = "officer") -> None:
        chosen = lines or tuple(range(1, plan.lines + 1))
        with self.world.services.database.writing() as connection:
            place = PLACE if action is Action.TRANSFER else ""
            words = "no longer needed"
            deciding.decide(connection, self.act(by), plan.plan_id, chosen, action, words, self.known, place=place)

    def approve(self, plan: Plan, by: str = "guardian") -> None:
        with self.world.services.database.writing() as connection:
            deciding.approve(connection, self.act(by), plan.plan_id)

    def approved(self) -> Plan:
        """Return a plan that is decided, approved and has cooled off."""
        plan = self.plan()
        self.decide(plan)
        self.approve(plan)
        self.pass_days(31)
        self.tell()
        return plan

    def execution(self, by: str = "clerk") -> Execution:
        services = self.world.services
        storage = StorageArea(self.archive.storage)
        shredder = Shredder(archive=self.archive, name=self.archive.name, storage=storage, spool=services.spool)
        return Execution(
            database=services.database,
            shredder=shredder,
            records=self.records,
            memory=Memory(folder=self.certificates, key=services.heads.key),
            acting=lambda: self.act(by),
        )

    def execute(self, plan: Plan, by: str = "clerk") -> tuple[list[Outcome], Certificate]:
        """Execute a plan to its end, and certify it."""
        execution = self.execution(by)
        order, due = execution.begin(plan.plan_id)
        outcomes = list(execution.run(order, due))
        with self.world.services.database.writing() as connection:
            certificate = certifying.certify(connection, self.act(by), order, self.world.services.heads.key)
        certifying.write_files(self.certificates, order.batch.batch_id, certificate.text)
        clear(self.certificates, order.batch.batch_id)
        return outcomes, certificate


def office(world: World) -> Office:
    """Return the records office of a world whose policy has officers."""
    archive = DisposalSimulator(world=world, storage=world.folder / "storage")
    archive.storage.mkdir()
    archive.fill()
    made = Office(world=world, archive=archive)
    made.tell()
    return made
