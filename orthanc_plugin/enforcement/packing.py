"""Making what leaves of one picture ready: ask, read and compare, meet the obligations, record. One way for every door.

Knows the gate, the release and the ledger of disclosures. Must not know how the copy leaves. Source: GMC 2011
paragraphs 15 to 20 (what may be shared with whom), by way of the gate.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.config.policyfile import Binding
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Requester
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.release import Released
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
        answer = self.services.gate.authorize(
            AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)
        )
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

    def unknown(self, requester: Requester, door: str) -> Refusal:
        """Have it denied, and on record, that somebody asked for what the registry doesn't know.

        Under no name: that of a patient could be turned back into the patient's number.
        """
        answer = self.services.gate.authorize(AccessRequest(requester=requester, sop_instance_uid="", door=door))
        return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)

    def _packed(self, answer: Answer, row: ImageRow, binding: Binding) -> Packed:
        original = self._original(row)
        context = self.services.context(answer, binding)
        released = self.services.release.prepare(answer.decision, context, original, row.sop_instance_uid)
        return Packed(answer=answer, released=released, disclosure=self.services.disclose(answer, released))

    def _original(self, row: ImageRow) -> bytes:
        """Return the stored bytes, which must be those that were accepted and looked at.

        Raises:
            ReleaseRefusedError: they are others.
        """
        original = self.archive.read(row.orthanc_instance)
        if hashlib.sha256(original).hexdigest() != row.sha256:
            raise ReleaseRefusedError("The stored object is not the one that was accepted.")
        return original

    def _refused(self, answer: Answer, reason: str, rule: str) -> Refusal:
        request = answer.request
        self.services.gate.refuse(request.requester, request.door, reason, rule=rule, subject=request.sop_instance_uid)
        return Refusal(decision_id=answer.decision_id, reasons=(reason,))
