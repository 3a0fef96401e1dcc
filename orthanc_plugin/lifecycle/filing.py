"""Put what the spool holds into the archive, and let go of the spool's copy only once the archive has it.

Knows the order that loses nothing: the archive has the bytes, then the row is settled, then the spool's file is
dropped; whatever a crash leaves undone is done again. Must not know why something was held: the archive asks intake.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ArchiveError, IllegalTransitionError, SpoolError
from orthanc_plugin.lifecycle import routing
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.devices import DeviceTask
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry import consents, images, quarantine
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.quarantine import REFUSED, Held, Status
from orthanc_plugin.registry.spool import Spool
from orthanc_plugin.registry.trail import append

UNCONFIRMED: Final = "PATIENT_SUPPLIED_UNCONFIRMED"


def link(connection: Connection, act: Act, quarantine_id: str, consent_id: str) -> None:
    """Record that a consent on record covers a held object, on the word of whoever acts.

    Raises:
        UnknownRecordError: there is no such object, or no such consent.
        IllegalTransitionError: the object is not held.
    """
    held = quarantine.get(connection, quarantine_id)
    consents.current(connection, consent_id)
    if held.status is not Status.HELD:
        raise IllegalTransitionError(
            f"Only what is held can be linked to a consent; the object is {held.status}.",
            remedy="Leave --consent out, or see 'consentgate quarantine list'.",
        )
    quarantine.link(connection, quarantine_id, consent_id)
    linked = act.event(
        EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "LINKED", subject=held.sop_instance_uid, consents=(consent_id,)
    )
    append(connection, [linked])


def confirm(connection: Connection, act: Act, quarantine_id: str) -> None:
    """Record that the patient supplied a held object, as it says itself, on the word of whoever acts.

    Raises:
        UnknownRecordError: there is no such object.
        IllegalTransitionError: it isn't held for that.
    """
    held = quarantine.get(connection, quarantine_id)
    if held.status is not Status.HELD or not any(reason.startswith(UNCONFIRMED) for reason in held.reasons):
        raise IllegalTransitionError(
            "Only what is held because it says that the patient supplied it can be confirmed so.",
            remedy="Leave --patient-supplied out, or see 'consentgate quarantine show'.",
        )
    quarantine.confirm(connection, quarantine_id)
    kind, effect = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, "CONFIRMED_PATIENT_SUPPLIED"
    append(connection, [act.event(kind, effect, subject=held.sop_instance_uid)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Moves pictures from the spool to the archive."""

    database: Database
    spool: Spool
    archive: ImageArchive

    def file(self, held: Held, act: Act) -> bool:
        """Offer the object to the archive; False when intake, asked again, still keeps it out.

        Raises:
            ArchiveError: the archive failed, or has other bytes; the spool keeps its copy.
            IllegalTransitionError: the picture was deleted.
            SpoolError: the spool can't give it back.
        """
        if held.status in REFUSED:
            raise IllegalTransitionError("The patient took the picture back.", remedy="Nothing can be filed.")
        try:
            content = self.spool.get(held.spool_name)
        except SpoolError:
            if self._now(held).status is Status.RELEASED:
                return True  # the archive's own sweep was quicker
            raise
        if hashlib.sha256(content).hexdigest() != held.sha256:
            raise ArchiveError(
                "The held object was changed on disk.", remedy="Keep it, and call information governance."
            )
        try:
            orthanc_instance = self.archive.store(content)
        except ArchiveError:
            if self._is_refused(held):
                return False
            raise
        if not orthanc_instance:
            return False
        stored = hashlib.sha256(self.archive.read(orthanc_instance)).hexdigest()
        with self.database.reading() as connection:
            row = images.get(connection, held.sop_instance_uid)
        if row is None or row.sha256 != stored:
            raise ArchiveError("The archive does not give back what intake accepted; the spool keeps its copy.")
        self._settled(held, act)
        self.spool.drop(held.spool_name)
        return True

    def sweep(self) -> None:
        """Drop the files of what is settled, which a crash left behind.

        Under the write lock, as intake keeps what it holds: a file that is being kept again has no settled row.
        """
        if not self._left_behind():
            return
        with self.database.writing() as connection:
            for name in quarantine.settled_names(connection).intersection(self.spool.names()):
                self.spool.drop(name)

    def _left_behind(self) -> bool:
        names = self.spool.names()
        if not names:
            return False
        with self.database.reading() as connection:
            return not quarantine.settled_names(connection).isdisjoint(names)

    def _now(self, held: Held) -> Held:
        with self.database.reading() as connection:
            return quarantine.get(connection, held.quarantine_id)

    def _is_refused(self, held: Held) -> bool:
        """Tell whether the archive said no because of a lost device: then intake keeps it, and tells senders no."""
        now = self._now(held)
        return now.status is Status.HELD and any(each.startswith(f"{DeviceTask.DEVICE_LOST}:") for each in now.reasons)

    def _settled(self, held: Held, act: Act) -> None:
        with self.database.writing() as connection:
            if quarantine.get(connection, held.quarantine_id).status is Status.RELEASED:
                return
            quarantine.settle(connection, held.quarantine_id, by=act.by, at=act.at)
            rules = tuple(reason.partition(":")[0] for reason in held.reasons)  # a person's words stay in the row
            filed = act.event(EventType.IMPORT, "RELEASED", subject=held.sop_instance_uid, reasons=rules)
            append(connection, [filed])
            routing.queue_picture(connection, act, held.sop_instance_uid, Trigger.RELEASED)
