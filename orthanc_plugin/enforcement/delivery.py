"""Sending a picture to a node: have it packed, send, note how it went. One way for every door that sends.

Knows the ledger of disclosures. Must not know how the door named the pictures, nor what it answers. Source: PS3.4
annex B (storage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.policyfile import DicomNode
from orthanc_plugin.enforcement.packing import Packed, Packer, Refusal
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.gate import AccessRequest, Requester
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

Read = Callable[[], bytes | None]


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

    def deliver(
        self,
        requester: Requester,
        rows: Iterable[ImageRow],
        node: DicomNode,
        door: str,
        readers: Worker | None = None,
    ) -> Iterator[Handover]:
        """Deliver one after the other, each asked about when its turn comes: a withdrawal stops what is still to go.

        A recipient that can't be reached ends it, so that a dead one does not hold up the archive, and so does a
        registry in which nothing can be decided. ``readers`` read the next picture while one is sent.
        """
        for request, row, read in self._read_ahead(requester, rows, door, readers):
            handover = self._deliver(self.packer.pack_read(request, row, node, read()), row, node)
            yield handover
            if handover.delivery is Delivery.FAILED or not handover.decision_id:
                return

    def _read_ahead(
        self, requester: Requester, rows: Iterable[ImageRow], door: str, readers: Worker | None
    ) -> Iterator[tuple[AccessRequest, ImageRow, Read]]:
        """Give each picture with what gives its bytes; the next one's are read meanwhile."""
        upcoming: tuple[AccessRequest, ImageRow, Read] | None = None
        for row in rows:
            request = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)
            ahead = partial(self.packer.ahead, request, row)
            current, upcoming = upcoming, (request, row, readers.ahead(ahead) if readers else ahead)
            if current is not None:
                yield current
        if upcoming is not None:
            yield upcoming

    def _deliver(self, packed: Packed | Refusal, row: ImageRow, node: DicomNode) -> Handover:
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
        told = (f"{outcome.lower()} to {answer.request.requester.recipient}",)
        event = self._event(packed, outcome, told)
        self.services.database.write(lambda connection: _note(connection, packed.disclosure, outcome, event))
        reasons = () if outcome is Delivery.DELIVERED else told
        return Handover(row=row, decision_id=answer.decision_id, delivery=outcome, reasons=reasons)

    def _event(self, packed: Packed, outcome: Delivery, told: tuple[str, ...]) -> AuditEvent:
        answer = packed.answer
        requester = answer.request.requester
        return AuditEvent(
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


def _note(connection: Connection, disclosure_id: str, outcome: Delivery, event: AuditEvent) -> None:
    """Write down how a release ended."""
    ledger.deliver(connection, disclosure_id, outcome)
    append(connection, [event])
