"""A world whose policy has clinicians with emergency access, and photographs that wait for the patient's approval."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dicomwrap.consentstamp import stamp_of
from dicomwrap.terms import Purpose
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.registry import quarantine
from orthanc_plugin.registry.quarantine import Held
from tests.fakes.archive import ArchiveSimulator
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import POLICY, World, make_world

STUDY = "2.25.1"
CLINICIANS = """
[[users]]
name = "registrar"
roles = ["view", "break-glass"]
purpose = "TEACHING"
audience = "TRUST_CLINICIAN"
[[users]]
name = "consultant"
roles = ["view", "break-glass"]
purpose = "TEACHING"
audience = "TRUST_CLINICIAN"
[break_glass]
minutes = 60
[approval]
before_filing = "{before_filing}"
window_minutes = 30
"""


def clinic(folder: Path, before_filing: str = "never", accounts: str = "") -> World:
    """Return a world in ``folder``; ``before_filing`` says which photographs wait for approval."""
    return make_world(folder, policy=POLICY + accounts + CLINICIANS.format(before_filing=before_filing))


def intimate(uid: str = UID) -> bytes:
    """Return a photograph that is marked as intimate."""
    return encoded(
        photograph(uid=uid, stamp=stamp_of(consent(CARE, TEACHING), Purpose.DIRECT_CARE, confidentiality="R"))
    )


def waiting(world: World) -> Held:
    """Return the one photograph that waits for the patient's approval."""
    with world.services.database.reading() as connection:
        (held,) = quarantine.listed(connection, quarantine.Status.AWAITING_PATIENT_APPROVAL)
    return held


def status(world: World, quarantine_id: str) -> str:
    """Return where a held object stands."""
    with world.services.database.reading() as connection:
        return quarantine.get(connection, quarantine_id).status


def kept(world: World) -> tuple[str, ...]:
    """Return the names of what the spool keeps."""
    return world.services.spool.names()


@dataclass(kw_only=True)
class AskingArchive(ArchiveSimulator):
    """An archive that asks the world's intake before it stores, as the real one does; it can be made to break down."""

    world: World
    down: bool = False

    def store(self, content: bytes) -> str:
        """Offer the object to intake; '' when it keeps it out."""
        if self.down:
            raise ArchiveError("Orthanc could not be reached.")
        verdict = Intake(self.world.services).examine(content, "REST_API")
        if verdict.content is None:
            return ""
        digest = hashlib.sha256(verdict.content).hexdigest()
        (name,) = (row.orthanc_instance for row in self.world.rows() if row.sha256 == digest)
        self.objects[name] = verdict.content
        return name


def way_in(world: World, archive: ImageArchive | None = None) -> Filing:
    """Return the way from the spool into an archive that asks intake."""
    services = world.services
    return Filing(database=services.database, spool=services.spool, archive=archive or AskingArchive(world=world))
