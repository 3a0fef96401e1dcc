"""A hospital in a temporary folder: real keys, policy, registry, spool and trail, and photographs wrapped on the spot.

Only the clock, the ids and the archive are made up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path

from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import Purpose
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.enforcement.coming import Verdict
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.gate import AccessRequest, Requester
from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.reviewing import CHECKLIST, Review, Shown
from orthanc_plugin.registry import consents, images, ledger, patients, quarantine, reviews, schema, tasks
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services, build
from tests.fakes import postgres
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CONSENT_ID, UID, consent, encoded, photograph, photograph_bytes
from tests.unit.dicomwrap.objects import PATIENT

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SQLITE = "sqlite:///registry.db"
FULL_DISK = {
    "sqlite": ("CREATE TRIGGER stopped BEFORE INSERT ON trail BEGIN SELECT RAISE(ABORT, 'disk full'); END",),
    "postgresql": (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''disk full''; END'",
        "CREATE TRIGGER stopped BEFORE INSERT ON trail EXECUTE FUNCTION full_disk()",
    ),
}
MODALITIES = {"DERMCAM": "camera", "DERMWS": "dermatology", "TEACHING": "teaching", "OUTSIDE": "outside"}

SETTINGS = """
[registry]
database = "sqlite:///registry.db"
[spool]
folder = "quarantine"
key_file = "keys/spool.key"
"""

POLICY = """
[decisions]
anonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"
[intake]
personal_device = "reject"
consent_reference = "required"
default_issuer = "HOSP"
max_transfer_delay_hours = 87840
[[dicom_nodes]]
name = "camera"
aet = "DERMCAM"
host = "127.0.0.1"
may = ["store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[dicom_nodes]]
name = "workstation"
aet = "DERMWS"
owner = "dermatology"
host = "127.0.0.1"
may = ["move", "receive"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[dicom_nodes]]
name = "teaching-archive"
aet = "TEACHING"
owner = "medical school"
host = "127.0.0.1"
may = ["move", "receive"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
[[users]]
name = "derm"
roles = ["view", "list"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "uploader"
roles = ["store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "portal"
patient_supplied = true
roles = ["store"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "teacher"
roles = ["view"]
purpose = "TEACHING"
audience = "TRUST_STUDENTS"
form = "ANONYMISED"
profile = "teaching"
[[users]]
name = "admin"
roles = ["admin"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[[users]]
name = "governance"
roles = ["tasks"]
purpose = "RECORDS_MANAGEMENT"
audience = "RECORDS_OFFICER"
[profiles.teaching]
pseudonym_domain = "teaching"
retain_safe_private = true
"""


@dataclass(kw_only=True)
class HandClock:
    """A clock that stands still until it is moved."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **amount: float) -> None:
        """Move the hands on."""
        self.at += timedelta(**amount)


@dataclass(kw_only=True)
class HandTicks:
    """Seconds that pass only when a test lets them; no setting of the clock changes them."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def counted_ids(prefix: str = "id") -> Callable[[], str]:
    """Return a source of ids that are known beforehand."""
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers)}"


@cache
def empty_registry() -> bytes:
    """Return the file of a registry with all its tables and nothing in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.db"
        database = open_database(f"sqlite:///{path}")
        schema.upgrade(database)
        database.close()
        return path.read_bytes()


@dataclass(kw_only=True)
class World:
    """Services in a folder, and what a test wants to do with them."""

    folder: Path
    services: Services
    clock: HandClock
    ticks: HandTicks = field(default_factory=HandTicks)
    archive: ArchiveSimulator = field(default_factory=ArchiveSimulator)
    workers: list[Worker] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the registry's address."""
        return self.services.settings.database_url()

    @property
    def on_postgresql(self) -> bool:
        """Tell whether the registry is in PostgreSQL."""
        return self.url.startswith("postgresql")

    @property
    def database_file(self) -> Path:
        """Return the registry's file, which only SQLite has."""
        return self.folder / "registry.db"

    def worker(self, threads: int = 2) -> Worker:
        """Return a worker that is stopped with the world; of one thread ``meet`` tells that it has done everything."""
        self.workers.append(Worker("test", threads))
        return self.workers[-1]

    def close(self) -> None:
        """End what was begun."""
        for worker in self.workers:
            worker.stop()
        self.services.database.close()

    def record(self, record: ConsentRecord, *, birth_date: date | None = PATIENT.birth_date) -> ConsentRecord:
        """File a consent and its patient, as the command line does."""
        with self.services.database.writing() as connection:
            filed = consents.add(connection, record, by="nurse", at=self.clock())
            patients.ensure(connection, filed.patient_id or "", filed.issuer or "", birth_date)
        return filed

    def withdraw(self, consent_id: str = CONSENT_ID, *purposes: Purpose) -> ConsentRecord:
        """Withdraw a consent today."""
        with self.services.database.writing() as connection:
            on = self.clock().date()
            return consents.withdraw(connection, consent_id, purposes or None, on=on, by="nurse", at=self.clock())

    def receive(self, content: bytes | None = None, account: str = "") -> Verdict:
        """Have intake examine an object, and let the archive keep what is kept; with an account it comes by HTTP."""
        sent, way = photograph_bytes() if content is None else content, "REST_API" if account else "DICOM_PROTOCOL"
        verdict = Intake(self.services).examine(sent, way, account)
        if verdict.content is not None:
            for row in self.rows():
                if row.orthanc_instance not in self.archive.objects:
                    self.archive.objects[row.orthanc_instance] = verdict.content
        return verdict

    def file(self, *scopes: Mapping[str, object], uid: str = UID) -> ImageRow:
        """Record a consent to ``scopes`` once, take a photograph in under it, and return its row."""
        if not self.consents():
            self.record(consent(*scopes))
        assert self.receive(encoded(photograph(uid=uid))).reasons == ()
        return self.row(uid)

    def review(self, uid: str = UID, *identifying: str) -> None:
        """Have somebody look at the picture."""
        found = Review(
            review_id=self.services.ids(),
            sop_instance_uid=uid,
            sha256=self.row(uid).sha256,
            outcome=Anonymisable.NO if identifying else Anonymisable.YES,
            checklist={item: Shown.IDENTIFIES if item in identifying else Shown.NOT_SHOWN for item in CHECKLIST},
            reviewer="dr-look",
            reviewed_at=self.clock(),
        )
        with self.services.database.writing() as connection:
            reviews.record(connection, found)

    def rows(self) -> list[ImageRow]:
        """Return every image the registry knows."""
        with self.services.database.reading() as connection:
            uids = connection.exec_driver_sql("SELECT sop_instance_uid FROM images").scalars().all()
            return images.find(connection, images.Subject.SOP_INSTANCE_UID, tuple(uids))

    def row(self, uid: str = UID) -> ImageRow:
        """Return the row of one image."""
        return next(row for row in self.rows() if row.sop_instance_uid == uid)

    def consents(self) -> list[consents.Recorded]:
        """Return the newest version of every consent."""
        with self.services.database.reading() as connection:
            return consents.listed(connection)

    def held(self) -> list[quarantine.Held]:
        """Return what is in quarantine."""
        with self.services.database.reading() as connection:
            return quarantine.listed(connection)

    def disclosures(self) -> list[dict[str, object]]:
        """Return what left."""
        with self.services.database.reading() as connection:
            return ledger.disclosed(connection)

    def tasks(self) -> list[dict[str, object]]:
        """Return the open tasks."""
        with self.services.database.reading() as connection:
            return tasks.open_tasks(connection)

    def trail(self) -> list[dict[str, object]]:
        """Return the whole trail."""
        return self.services.trail.tail(10_000)

    def last_rules(self) -> list[str]:
        """Return the rules of the newest entry of the trail."""
        rules = self.trail()[-1]["rules"]
        assert isinstance(rules, list)
        return rules

    def binding(self, name: str) -> Binding:
        """Return a node or user of policy.toml."""
        policy = self.services.policy
        return next(each for each in (*policy.dicom_nodes, *policy.recipients, *policy.users) if each.name == name)

    def requester(self, name: str = "derm") -> Requester:
        """Return the requester behind a node or user of policy.toml."""
        return bound(name, self.binding(name))

    def request(self, name: str = "derm", uid: str = UID) -> AccessRequest:
        """Return somebody's request for one picture."""
        return AccessRequest(requester=self.requester(name), sop_instance_uid=uid, door="test")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Do something to the registry behind Consentgate's back."""
        behind = open_database(self.url)
        with behind.writing() as connection:
            found = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in found] if found.returns_rows else []
        behind.close()
        return rows

    def stop_the_trail(self) -> None:
        """Have every write to the trail fail from now on; everything else goes on working."""
        for statement in FULL_DISK["postgresql" if self.on_postgresql else "sqlite"]:
            self.sql(statement)

    def lose_the_database(self) -> None:
        """Make the registry unreadable and unwritable."""
        self.services.database.close()
        if self.on_postgresql:
            postgres.drop(self.url)
            return
        for path in self.folder.glob("registry.db*"):
            path.unlink()
        self.database_file.mkdir()


def make_world(folder: Path, *, policy: str = POLICY, settings: str = SETTINGS, database: str = SQLITE) -> World:
    """Return a world in ``folder`` with an empty registry: a file there, or a migrated ``database`` elsewhere."""
    for name in ("pseudonym.key", "spool.key", "trail.key"):
        make_key(folder / "keys" / name)
    (folder / "settings.toml").write_text(settings.replace(SQLITE, database))
    (folder / "policy.toml").write_text(policy)
    if database == SQLITE:
        (folder / "registry.db").write_bytes(empty_registry())
    clock, ticks = HandClock(), HandTicks()
    services = build(folder / "settings.toml", {}, clock, counted_ids(), ticks)
    return World(folder=folder, services=services, clock=clock, ticks=ticks)


def with_policy(world: World, **changes: object) -> World:
    """Return the world under a policy with some parts replaced."""
    return replace(world, services=replace(world.services, policy=replace(world.services.policy, **changes)))
