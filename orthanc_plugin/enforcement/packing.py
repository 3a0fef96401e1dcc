"""Making what leaves of one picture ready: ask, read and compare, meet the obligations, record. One way for every door.

Knows the gate, the release and the ledger of disclosures. Must not know how the copy leaves. Source: GMC 2011
paragraphs 15 to 20 (what may be shared with whom), by way of the gate.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.config.policyfile import Binding
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Requester
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Released, unmet
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A picture that may leave now: its disclosure is on record."""

    answer: Answer
    released: Released
    disclosure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A picture that stays: why, and the decision in the trail, '' when none could be taken."""

    decision_id: str
    reasons: tuple[str, ...]


class Packer:
    """Makes pictures ready to leave, each only after the gate has said so.

    Args:
        services: gate, registry, release and policy.
        archive: reads.
    """

    def __init__(self, services: Services, archive: ImageArchive) -> None:
        self.services = services
        self.archive = archive

    def pack(self, requester: Requester, row: ImageRow, binding: Binding, door: str) -> Packed | Refusal:
        """Ask about one picture, and record its release to ``binding``; a refusal's reason is in the trail, too."""
        request = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)
        return self.pack_read(request, row, binding, self.ahead(request, row))

    def pack_read(
        self, request: AccessRequest, row: ImageRow, binding: Binding, stored: bytes | None
    ) -> Packed | Refusal:
        """Do the same with what was read ``ahead``."""
        if stored is not None:
            return self._begun(request, row, binding, stored)
        answer = self.services.gate.authorize(request)
        if not answer.decision.permits:
            return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)
        try:
            return self._packed(answer, row, binding)
        except ReleaseRefusedError as error:
            rule = "DECISION_CHANGED" if isinstance(error, DecisionChangedError) else "OBLIGATION_UNMET"
            return self._refused(answer, str(error.args[0]), rule)
        except ConsentgateError as error:
            return self._refused(answer, str(error.args[0]), "FAIL_CLOSED")
        except Exception:  # the boundary: a permit that ends in nothing needs its reason in the trail
            logger.exception("a release failed")
            return self._refused(answer, "the copy could not be made", "FAIL_CLOSED")

    def ahead(self, request: AccessRequest, row: ImageRow) -> bytes | None:
        """Return the stored bytes when they are what would leave now, None otherwise or when they can't be had.

        Nothing is recorded, so nothing may leave by it. What is read and compared beforehand can begin to leave in the
        very transaction that decides on it.
        """
        try:
            with self.services.database.reading() as connection:
                answer = self.services.gate.answer(connection, request, self.services.clock())
            as_it_is = answer.decision.effect is Effect.PERMIT_IDENTIFIABLE
            return original(self.archive, row) if as_it_is else None
        except Exception:  # noqa: BLE001 - it is decided and read once more then, where the reason gets on record
            return None

    def _begun(self, request: AccessRequest, row: ImageRow, binding: Binding, stored: bytes) -> Packed | Refusal:
        """Decide on an original, and record its release in the same transaction."""
        released = Released(content=stored, sha256=row.sha256, sop_instance_uid=row.sop_instance_uid)
        try:
            return self.services.database.write(lambda connection: self._begin(connection, request, binding, released))
        except Exception:  # the boundary: whatever failed, the picture stays
            logger.exception("a release could not be recorded")
            reason = "the release could not be recorded"
            self.services.gate.refuse(
                request.requester, request.door, reason, rule="FAIL_CLOSED", subject=request.sop_instance_uid
            )
            return Refusal(decision_id="", reasons=(reason,))

    def _begin(
        self, connection: Connection, request: AccessRequest, binding: Binding, released: Released
    ) -> Packed | Refusal:
        """Do so in a write transaction: no withdrawal comes between the decision and the release."""
        (answer,) = self.services.gate.decide(connection, (request,))
        if not answer.decision.permits:
            return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)
        reasons = unmet(answer.decision, self.services.context_in(connection, answer, binding))
        if answer.decision.effect is not Effect.PERMIT_IDENTIFIABLE:
            reasons = ("only an anonymised copy may leave now",)
        if reasons:
            append(connection, [self._against(answer, "; ".join(reasons), "OBLIGATION_UNMET")])
            return Refusal(decision_id=answer.decision_id, reasons=reasons)
        disclosure = self.services.begin(connection, answer, released)
        return Packed(answer=answer, released=released, disclosure=disclosure)

    def _against(self, answer: Answer, reason: str, rule: str) -> AuditEvent:
        request = answer.request
        return self.services.gate.refusal(
            request.requester, request.door, reason, rule=rule, subject=request.sop_instance_uid
        )

    def unknown(self, requester: Requester, door: str) -> Refusal:
        """Have it denied, and on record, that somebody asked for what the registry doesn't know.

        Under no name: that of a patient could be turned back into the patient's number.
        """
        answer = self.services.gate.authorize(AccessRequest(requester=requester, sop_instance_uid="", door=door))
        return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)

    def _packed(self, answer: Answer, row: ImageRow, binding: Binding) -> Packed:
        stored = original(self.archive, row)
        context = self.services.context(answer, binding)
        released = self.services.release.prepare(answer.decision, context, stored, row.sop_instance_uid)
        return Packed(answer=answer, released=released, disclosure=self.services.disclose(answer, released))

    def _refused(self, answer: Answer, reason: str, rule: str) -> Refusal:
        self.services.gate.note(self._against(answer, reason, rule))
        return Refusal(decision_id=answer.decision_id, reasons=(reason,))


def original(archive: ImageArchive, row: ImageRow) -> bytes:
    """Return the stored bytes, which must be those that were accepted and looked at.

    Raises:
        ReleaseRefusedError: they are others.
        ArchiveError: they can't be had.
    """
    stored = archive.read(row.orthanc_instance)
    if hashlib.sha256(stored).hexdigest() != row.sha256:
        raise ReleaseRefusedError("The stored object is not the one that was accepted.")
    return stored
