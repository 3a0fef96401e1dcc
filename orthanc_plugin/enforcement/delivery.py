"""Sending a picture to a node: have it packed, send, note how it went. One way for every door that sends.

Knows the ledger of disclosures. Must not know how the door named the pictures, nor what it answers. Source: PS3.4
annex B (storage).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.policyfile import DicomNode
from orthanc_plugin.enforcement.packing import Packed, Packer, Refusal
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.gate import Requester
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What became of one picture.

    Attributes:
        row: the picture.
        decision_id: finds the decision in the trail; '' when none could be taken.
        delivery: how the sending went; None when the picture was refused and nothing was sent.
        reasons: why it was refused or not delivered; empty when it was delivered.
    """

    row: ImageRow
    decision_id: str
    delivery: Delivery | None = None
    reasons: tuple[str, ...] = ()

    @property
    def delivered(self) -> bool:
        """Tell whether the recipient has confirmed the picture."""
        return self.delivery is Delivery.DELIVERED


class Courier:
    """Sends pictures to nodes, each only after the gate has said so.

    Args:
        services: gate, registry, release and policy.
        archive: reads and sends.
        modalities: name of the Orthanc modality by AE title.
    """

    def __init__(self, services: Services, archive: ImageArchive, modalities: Mapping[str, str]) -> None:
        self.services = services
        self.archive = archive
        self.packer = Packer(services, archive)
        self.modalities = modalities

    def deliver(self, requester: Requester, rows: Iterable[ImageRow], node: DicomNode, door: str) -> Iterator[Handover]:
        """Deliver one after the other, each asked about when its turn comes: a withdrawal stops what is still to go.

        A recipient that can't be reached ends it, so that a dead one does not hold up the archive, and so does a
        registry in which nothing can be decided.
        """
        for row in rows:
            handover = self.deliver_one(requester, row, node, door)
            yield handover
            if handover.delivery is Delivery.FAILED or not handover.decision_id:
                return

    def deliver_one(self, requester: Requester, row: ImageRow, node: DicomNode, door: str) -> Handover:
        """Release one picture and say how it went; when it was refused the trail says why, too."""
        packed = self.packer.pack(requester, row, node, door)
        if isinstance(packed, Refusal):
            return Handover(row=row, decision_id=packed.decision_id, reasons=packed.reasons)
        return self._sent(packed, row, self.modalities[node.aet])

    def _sent(self, packed: Packed, row: ImageRow, modality: str) -> Handover:
        answer = packed.answer
        try:
            self.archive.send(packed.released.content, modality)
            outcome = Delivery.DELIVERED
        except ConsentgateError:
            outcome = Delivery.FAILED
        with self.services.database.writing() as connection:
            ledger.deliver(connection, packed.disclosure, outcome)
        requester = answer.request.requester
        told = (f"{outcome.lower()} to {requester.recipient}",)
        self.services.gate.note(
            AuditEvent(
                id=self.services.ids(),
                at=self.services.clock(),
                event=EventType.INSTANCES_TRANSFERRED,
                outcome=Outcome.SUCCESS if outcome is Delivery.DELIVERED else Outcome.FAILURE,
                actor=requester.actor,
                address=requester.address,
                door=answer.request.door,
                subject=answer.request.sop_instance_uid,
                purpose=requester.purpose,
                effect=answer.decision.effect,
                reasons=told,
                policy=self.services.policy.sha256,
                detail=f"disclosure {packed.disclosure} under decision {answer.decision_id}",
            )
        )
        reasons = () if outcome is Delivery.DELIVERED else told
        return Handover(row=row, decision_id=answer.decision_id, delivery=outcome, reasons=reasons)
