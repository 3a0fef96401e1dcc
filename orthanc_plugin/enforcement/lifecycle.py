"""Around the start and the stop of Orthanc: what can only be checked once it runs, and what is cleared up at its end.

Knows the change events. Until the checks have passed the gate is closed; when one fails Orthanc is stopped, because
C-GET and other plugins' doors don't pass the gate.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ArchiveControl
from orthanc_plugin.archive.process import this_process
from orthanc_plugin.archive.remote import Credentials
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.enforcement.effective import Standing
from orthanc_plugin.enforcement.gone import Gone
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.reading import LONGEST_IDENTITY, parsed
from orthanc_plugin.enforcement.restored import Restored
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.lifecycle import routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import holdings, images, legacy
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

CATCHING_UP: Final = "the start-up checks have not finished"
STARTED: Final = "ORTHANC_STARTED"
STOPPED: Final = "ORTHANC_STOPPED"
DELETED: Final = "DELETED"
STABLE: Final = "STABLE_SERIES"
ABOVE: Final = frozenset((0, 1, 2))  # OrthancPluginResourceType: a patient, a study, a series, which is no picture
HERE: Final = ".archive"  # in the spool's folder, which is this node's alone: the name of its archive
NO_TEXT: Final = ("SQ", "OB", "OW", "UN")
UNREADABLE: Final = (
    "%d object(s) from before Consentgate can't be read, so no door shows them or what is filed with them. The trail"
    " names each (STORED_UNASKED); correct a copy of it, and send that in"
)


def write_boot_file(
    path: Path, credentials: Credentials, storage: str = "", network: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Leave, for Consentgate's other processes, how they show who they are; readable by this user alone.

    It names the process that writes it too: what a killed one has left behind speaks for nobody. ``storage``: where
    Orthanc's files are, '' when they aren't in files. ``network``: how orthanc.json says that nodes are called.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        process = this_process()
        by = process.fields() if process else {}
        known = {"password": credentials.password, "secret": credentials.secret, "storage": storage}
        json.dump({**known, "network": dict(network), **by}, file)


def name_archive(path: Path, name: str) -> None:
    """Add to that file which archive it is, which Orthanc can tell only once it has started."""
    told = {**json.loads(path.read_text()), "archive": name}
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(told, file)
    beside.replace(path)


class Lifecycle:
    """Reacts to Orthanc's start and stop.

    Args:
        services: gate, registry, policy.
        control: what Orthanc says of itself.
        standing: what must be in effect.
        worker: runs the checks.
        name: gives the name of a change type.
        at_stop: what to clear up.
    """

    def __init__(
        self,
        services: Services,
        control: ArchiveControl,
        standing: Standing,
        worker: Worker,
        name: Callable[[object], str],
        at_stop: tuple[Callable[[], None], ...] = (),
    ) -> None:
        self.services = services
        self.control = control
        self.standing = standing
        self.worker = worker
        self.name = name
        self.at_stop = at_stop
        self.restored = Restored(services, control)
        self.gone = Gone(services)
        self._missed: set[str] = set()
        self._archive = ""

    def hook(self, change: object, level: object, resource: str) -> None:
        """React; a failing check stops Orthanc."""
        try:
            name = self.name(change)
            if name == DELETED and level not in ABOVE:
                self.gone.note(resource)
            elif name == STABLE:
                self.worker.later(lambda: self.stable(resource))
            elif name == STARTED:
                self.worker.run(self.started)
            elif name == STOPPED:
                self.stopped()
        except Exception:  # the border with Orthanc: OnChange fails open, so the gate stays closed and Orthanc stops
            logger.exception("Consentgate stops Orthanc because a check at its start failed")
            self.services.gate.close("a check at the start failed")
            self.control.shut_down()

    def started(self) -> None:
        """Check what is effective, take stock of the archive, then open the gate.

        Raises:
            OpenExitError: a modality, a peer or a plugin opens a door.
            ConsentgateError: the archive or the registry failed.
        """
        self.standing.check()
        present = self.control.instances()
        unread = [each for each in present if not self._take_stock(each)]
        if unread:
            logger.warning(UNREADABLE, len(unread))
        Intake(self.services).recover()
        self.restored.check()
        settings = self.services.settings
        self._archive = self.control.named(self.services.ids())
        name_archive(settings.path(settings.orthanc.boot_secret), self._archive)
        self._hold(present)
        self._queue(routing.catch_up)
        if not self.note(legacy.STARTED):
            raise RegistryError("The start could not be recorded, so nothing else could.")
        self.services.sign_head()
        self.services.gate.open(CATCHING_UP)

    def _hold(self, present: Collection[str]) -> None:
        """Write down what this archive has; one that was here before it, under another name, has nothing any more."""
        settings = self.services.settings
        told = settings.path(settings.spool.folder) / HERE
        before = told.read_text() if told.exists() else self._archive
        with self.services.database.writing() as connection:
            if before != self._archive:
                holdings.forget(connection, before)
            holdings.keep(connection, self._archive, present)
        told.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        told.write_text(self._archive)

    def stable(self, resource: str) -> None:
        """Queue a series for its routes; what fails here is tried again at each beat, and by the next start."""
        try:
            self._settle((resource,))
        except Exception:  # the archive goes on: nothing has left
            self._missed.add(resource)
            logger.exception("a series became stable, and could not be queued for its routes")

    def queue_missed(self) -> None:
        """Queue the series that could not be queued when they became stable.

        Raises:
            RegistryError: they still can't.
        """
        if missed := tuple(self._missed):
            self._settle(missed)
            self._missed.difference_update(missed)

    def _settle(self, series: tuple[str, ...]) -> None:
        """Write down that the archive has these series, and queue them."""
        act = self.services.act("consentgate", "OnChange")

        def settle(connection: Connection) -> None:
            rows = images.find(connection, Subject.SERIES, series)
            holdings.keep(connection, self._archive, [row.orthanc_instance for row in rows])
            for each in series:
                routing.queue_stable(connection, act, each)

        self.services.database.write(settle)

    def _queue(self, work: Callable[[Connection, Act], int]) -> None:
        act = self.services.act("consentgate", "OnChange")
        if act.policy.routed:
            self.services.database.write(lambda connection: work(connection, act))

    def stopped(self) -> None:
        """Clear up."""
        self.gone.stop()
        self.note("stopped")
        for clear_up in self.at_stop:
            clear_up()

    def note(self, detail: str) -> bool:
        """Record a start or stop; False when that failed."""
        return self.services.gate.note(
            AuditEvent(
                id=self.services.ids(),
                at=self.services.clock(),
                event=EventType.APPLICATION_ACTIVITY,
                outcome=Outcome.SUCCESS,
                actor="consentgate",
                door="start",
                policy=self.services.policy.sha256,
                detail=detail,
            )
        )

    def _take_stock(self, orthanc_instance: str) -> bool:
        """Record an instance that was stored while nobody asked, as quarantined: every door refuses it.

        False when it can't be read: then it is recorded as the archive's index has it, and refused all the same, so
        that it goes out with none of its series, study or patient either.
        """
        with self.services.database.reading() as connection:
            if images.find(connection, images.Subject.INSTANCE, (orthanc_instance,)):
                return True
        try:
            content = self.control.read(orthanc_instance)
            header = {element.keyword: element.value for element in parsed(content) if element.VR not in NO_TEXT}
            Intake(self.services).stored(header, orthanc_instance, hashlib.sha256(content).hexdigest())
        except Exception:  # whatever is wrong with it, it is old and must not keep the archive from starting
            logger.exception("an object from before Consentgate can't be read")
            indexed = {name: text[:LONGEST_IDENTITY] for name, text in self.control.indexed(orthanc_instance).items()}
            Intake(self.services).stored(indexed, orthanc_instance)
            return False
        return True
