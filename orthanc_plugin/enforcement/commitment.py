"""The storage commitment SCP: may the device that sent a picture delete it?

Knows the registry's rows and the stored bytes. Yes means: accepted, not in quarantine, and the very bytes that were
accepted are in the archive, read again for the answer. Which pictures exist is nobody's business but of those that
store, so only they may ask. Source: PS3.4 annex J; the failure reasons are those of PS3.3 C.14. Orthanc-python before
4.1 leaves the answer to Orthanc, which looks only whether it has the instance.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Final, cast

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import Verb
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.sdk import NewerSdk, Sdk
from orthanc_plugin.errors import ConsentgateError, RegistryError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import images
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "N-ACTION"
READING_SECONDS: Final = 150.0  # RemoteArchive's whole patience, and a decision's
Known = Mapping[str, ImageRow]


class CommitmentRefusedError(ConsentgateError):
    """The caller may not ask which pictures are kept."""

    remedy = 'Give the node "store" in policy.toml if it sends pictures.'


class CommitmentScp:
    """Answers storage commitment.

    Args:
        services: registry, gate and policy.
        archive: reads what is stored.
        decisions: asks the registry.
        readings: reads the archive.
        sdk: gives the failure reasons.
    """

    def __init__(
        self, services: Services, archive: ImageArchive, decisions: Worker, readings: Worker, sdk: Sdk
    ) -> None:
        self.services = services
        self.archive = archive
        self.decisions = decisions
        self.readings = readings
        self.sdk = cast("NewerSdk", sdk)

    def register(self) -> None:
        """Replace Orthanc's own answers, where this version of its Python plugin can."""
        if hasattr(self.sdk, "RegisterStorageCommitmentScpCallback"):
            self.sdk.RegisterStorageCommitmentScpCallback(self.create, self.look_up)

    def create(
        self,
        _job: str,
        _transaction: str,
        _classes: Sequence[str],
        uids: Sequence[str],
        remote_aet: str,
        _called_aet: str,
    ) -> Known | None:
        """Return the rows of the pictures that are asked about and that count as kept; None when nothing is answered.

        It never raises: Orthanc would go on without us, and answer from its own index.
        """
        try:
            return self.decisions.run(self.known, tuple(uids), remote_aet)
        except BaseException:
            logger.exception("a request for storage commitment was refused")
            return None

    def known(self, uids: tuple[str, ...], aet: str) -> Known:
        """Do the same on a thread with room.

        Raises:
            CommitmentRefusedError: the node may not ask.
            RegistryError: the registry failed, or the question could not be recorded.
        """
        node = self.services.policy.node(aet)
        requester = requesters.of_node(aet, node)
        if node is None or Verb.STORE not in node.may:
            reason = "the node is not bound in policy.toml to store, so it may not ask what is kept"
            self.services.gate.refuse(requester, DOOR, reason, rule="UNKNOWN_AE")
            raise CommitmentRefusedError("The storage commitment request was refused.")
        with self.services.database.reading() as connection:
            rows = images.find(connection, Subject.SOP_INSTANCE_UID, uids)
        kept = {row.sop_instance_uid: row for row in rows if row.status is ImageStatus.ACTIVE}
        asked = AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.QUERY,
            outcome=Outcome.SUCCESS,
            actor=requester.actor,
            address=requester.address,
            door=DOOR,
            purpose=requester.purpose,
            policy=self.services.policy.sha256,
            detail=f"storage commitment: {len(kept)} of {len(uids)} instances are on record as kept",
        )
        if not self.services.gate.note(asked):
            raise RegistryError("The question could not be recorded, so it is not answered.")
        return kept

    def look_up(self, sop_class_uid: str, sop_instance_uid: str, known: Known | None) -> int:
        """Return Orthanc's code for whether one picture is kept; 0 is yes, and whatever goes wrong is a no."""
        reasons = self.sdk.StorageCommitmentFailureReason
        if known is None:
            return int(reasons.PROCESSING_FAILURE)
        row = known.get(sop_instance_uid)
        if row is None:
            return int(reasons.NO_SUCH_OBJECT_INSTANCE)
        if row.sop_class_uid != sop_class_uid:
            return int(reasons.CLASS_INSTANCE_CONFLICT)
        try:
            if self.readings.within(READING_SECONDS, self.is_whole, row):
                return int(reasons.SUCCESS)
        except BaseException:
            logger.exception("a stored instance could not be read for storage commitment")
        return int(reasons.PROCESSING_FAILURE)

    def is_whole(self, row: ImageRow) -> bool:
        """Tell whether the archive has the very bytes that were accepted; what it doesn't have is on the trail.

        Orthanc 1.13 looks at a stored file's digest itself, and gives nothing of a damaged one.
        """
        try:
            same = hashlib.sha256(self.archive.read(row.orthanc_instance)).hexdigest() == row.sha256
        except ConsentgateError:
            self._missed(row, "UNREADABLE_OBJECT", "the stored object can't be read")
            return False
        if not same:
            self._missed(row, "DIGEST_MISMATCH", "the stored object is not the one that was accepted")
        return same

    def _missed(self, row: ImageRow, rule: str, what: str) -> None:
        reason = f"{what}, so its sender may not delete it"
        nobody = requesters.unknown("consentgate")
        self.services.gate.refuse(nobody, DOOR, reason, rule=rule, subject=row.sop_instance_uid)
