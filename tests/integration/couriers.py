"""A running archive with routes, couriers as processes of their own, and what peers hold."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage
from pynetdicom import AE, evt

from demo.peers import HOST, Receiver
from orthanc_plugin.archive.storescu import Parcel
from orthanc_plugin.clock import now
from orthanc_plugin.registry import ledger, outbox
from orthanc_plugin.registry.engine import Database, open_database
from tests.integration.archive import Archive, started

SUCCESS = 0x0000
# Nothing happens that they look at: what is queued is queued by the test.
ROUTES = """
[[routes]]
name = "care"
recipient = "dermatology-workstation"
purpose = "DIRECT_CARE"
owner = "dermatology department"
triggers = ["KEY_OBJECT"]

[[routes]]
name = "teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "medical school"
triggers = ["KEY_OBJECT"]
"""


@dataclass(kw_only=True)
class Trial:
    """An archive with photographs of patient A, who consents to care and to nothing else."""

    archive: Archive
    files: dict[str, Path]
    database: Database
    couriers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def queue(self, uids: Sequence[str], *routes: tuple[str, str, str], letter: str = "A") -> None:
        """Have a patient's pictures wait, for care unless said otherwise."""
        wanted = routes or (("care", "dermatology-workstation", "DIRECT_CARE"),)
        rows = [
            outbox.Queued(
                route=route,
                recipient=recipient,
                purpose=purpose,
                sop_instance_uid=uid,
                study_instance_uid=self.archive.wrapped(letter).study_instance_uid,
                priority=0,
                cause="STABLE",
            )
            for uid in uids
            for route, recipient, purpose in wanted
        ]
        with self.database.writing() as connection:
            outbox.queue(connection, rows, now())

    def empty(self) -> None:
        """Forget what was queued and sent before."""
        with self.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM outbox")
            connection.exec_driver_sql("UPDATE disclosures SET outcome = 'FAILED' WHERE outcome = 'BEGUN'")

    def due(self) -> None:
        """Let every lease run out and every pause end."""
        with self.database.writing() as connection:
            connection.exec_driver_sql("UPDATE outbox SET next_try = '' WHERE state IN ('WAITING', 'CLAIMED')")

    def states(self, route: str = "care") -> dict[str, str]:
        with self.database.reading() as connection:
            return {str(row["sop_instance_uid"]): str(row["state"]) for row in outbox.listed(connection, route=route)}

    def disclosures(self) -> list[ledger.Row]:
        with self.database.reading() as connection:
            return [row for row in ledger.disclosed(connection) if row["door"] == "courier"]

    def courier(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a courier."""
        program = Path(sys.executable).parent / "consentgate"
        settings = self.archive.server.folder / "settings.toml"
        log = (self.archive.server.folder / "courier.log").open("ab")
        made = subprocess.Popen(
            [str(program), "--settings", str(settings), "courier", *options], stdout=log, stderr=log
        )
        log.close()
        self.couriers.append(made)
        return made

    def once(self) -> None:
        """Send what is due."""
        assert self.courier("--once").wait(120) == 0, (self.archive.server.folder / "courier.log").read_text()

    def stop(self) -> None:
        for each in self.couriers:
            if each.poll() is None:
                each.send_signal(signal.SIGKILL)
            each.wait(10)
        self.couriers.clear()


def filed(archive: Archive, letter: str, folder: Path, count: int) -> dict[str, Path]:
    """File so many photographs of a patient; return their files by UID."""
    files = {}
    template = pydicom.dcmread(archive.wrapped(letter).file)
    for number in range(count):
        uid = pydicom.uid.generate_uid(prefix=None)
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
        files[str(uid)] = folder / f"{letter}{number}.dcm"
        template.save_as(files[str(uid)], enforce_file_format=True)
        assert archive.journey.camera.push(files[str(uid)]) == 0
    return files


@contextmanager
def trial(
    folder: Path, count: int, policy: str = ROUTES, prepare: Callable[[Path], None] = lambda _folder: None
) -> Iterator[Trial]:
    """Start an archive with so many photographs of patient A, and nobody at the workstation.

    ``prepare`` may change its configuration.
    """
    with started(folder) as archive:
        archive.server.stop()
        with (archive.server.folder / "policy.toml").open("a") as file:
            file.write(policy)
        prepare(archive.server.folder)
        archive.server.start()
        files = filed(archive, "A", folder, count)
        for receiver in (archive.journey.at_workstation, archive.journey.at_teaching):
            receiver.stop()
        address = os.environ.get("CONSENTGATE_REGISTRY_DATABASE") or f"sqlite:///{archive.server.folder}/registry.db"
        made = Trial(archive=archive, files=files, database=open_database(address))
        try:
            yield made
        finally:
            made.stop()
            made.database.close()
            archive.journey.at_workstation = Receiver(aet="DERMWS", port=archive.server.ports.workstation)
            archive.journey.at_teaching = Receiver(aet="TEACHING", port=archive.server.ports.teaching)


@dataclass(kw_only=True)
class Node:
    """A storage SCP that answers as it is told, and what it holds: the digest of each data set by its UID."""

    answer: Callable[[evt.Event, str], int]
    held: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: evt.Event) -> int:
        uid, content = str(event.request.AffectedSOPInstanceUID), event.request.DataSet.getvalue()
        status = self.answer(event, uid)
        if status >> 12 in (0x0, 0xB):
            with self.lock:
                self.held[uid] = hashlib.sha256(content).hexdigest()
                self.times[uid] = self.times.get(uid, 0) + 1
        return status


@contextmanager
def listening(
    port: int, aet: str, answer: Callable[[evt.Event, str], int] = lambda _event, _uid: SUCCESS
) -> Iterator[Node]:
    """Have a node listen."""
    node = Node(answer=answer)
    entity = AE(ae_title=aet)
    entity.add_supported_context(VLPhotographicImageStorage, [JPEGBaseline8Bit])
    handlers = [(evt.EVT_C_STORE, node.store)]
    server = entity.start_server((HOST, port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield node
    finally:
        server.shutdown()


def digests(files: dict[str, Path]) -> dict[str, str]:
    """Return the digest of each file's data set."""
    return {uid: hashlib.sha256(Parcel.of(file.read_bytes()).data).hexdigest() for uid, file in files.items()}


def verified(archive: Archive) -> bool:
    found = archive.server.consentgate("audit", "verify", "--json")
    return found.returncode == 0 and bool(json.loads(found.stdout))
