"""An object on its way in, and what becomes of it.

Knows what intake has found out of an object. Must not decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from dicomwrap.consentstamp import ConsentStamp
from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.enforcement.taking import Taking
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.quarantine import Held, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of an object: ``content`` is what Orthanc stores, or None when it stores nothing.

    ``refused``: it is kept in quarantine, and the sender is told that it was not taken. ``before``: what was on record
    of an accepted instance. ``name``: what the archive will call a picture that is on record for the first time; ''
    for everything else. ``nodes``: under which AE titles, as the register compares them, devices on it send.
    """

    content: bytes | None
    changed: bool = False
    reasons: tuple[str, ...] = ()
    refused: bool = False
    before: ImageRow | None = None
    name: str = ""
    nodes: frozenset[str] = frozenset()


Tell = Callable[[Verdict], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An object on its way in: the digest of ``content``, what it would be filed as, who sends it ('' when unknown).

    Until somebody needs them there are no digests: then ``arrived`` and the row's are ''. ``first`` goes to the trail
    with it: the request that brought it.
    """

    content: bytes
    arrived: str
    dataset: Dataset
    stamp: ConsentStamp | None
    row: ImageRow
    taking: Taking
    origin: str
    account: str = ""
    first: tuple[AuditEvent, ...] = ()

    def with_digests(self, arrived: str, kept: str) -> Coming:
        """Return it with the digests of its bytes as they came, and as they are kept."""
        return replace(self, arrived=arrived, row=replace(self.row, sha256=kept))


def spooled(coming: Coming) -> str:
    """Return the name of its file in the spool."""
    return f"{coming.arrived}.dcm"


def as_held(
    coming: Coming,
    *,
    quarantine_id: str,
    reasons: tuple[str, ...],
    received_at: str,
    status: Status,
    approve_by: str | None,
) -> Held:
    """Return the row of quarantine for an object whose bytes are in the spool."""
    row = coming.row
    return Held(
        quarantine_id=quarantine_id,
        sop_instance_uid=row.sop_instance_uid,
        sha256=coming.arrived,
        size=len(coming.content),
        spool_name=spooled(coming),
        reasons=reasons,
        origin=coming.origin,
        received_at=received_at,
        status=status,
        approve_by=approve_by,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        patient_id=row.patient_id,
        issuer=row.issuer,
        refers_to=row.consent_id or "",
        device_id=row.device_id,
        device_serial=coming.taking.serial or None,
        device_station=coming.taking.station or None,
        account=coming.account,
    )
