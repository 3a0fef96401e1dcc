"""The C-MOVE SCP: per instance ask, derive, record, send.

Knows the C-MOVE identifier (PS3.4 C.4.2) and the bindings. Purpose and form are the destination's; the node that asks
must be bound to the same purpose. With the callback of version 1 the requester sees Success only when every instance
asked for was delivered; otherwise the final status is a warning (B000), and it can't tell a refusal from nothing found.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from typing import Final

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.policyfile import DicomNode, Verb
from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.worker import Worker
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Requester
from orthanc_plugin.registry import images, ledger
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

DOOR: Final = "C-MOVE"

# Level -> the key that must be there (PS3.4 C.4.2.2.1); Orthanc says INSTANCE for the level IMAGE, and takes an
# accession number for a study.
KEYS: Final[dict[str, tuple[tuple[str, Subject], ...]]] = {
    "PATIENT": (("PatientID", Subject.PATIENT_ID),),
    "STUDY": (
        ("StudyInstanceUID", Subject.STUDY_INSTANCE_UID),
        ("AccessionNumber", Subject.ACCESSION_NUMBER),
    ),
    "SERIES": (("SeriesInstanceUID", Subject.SERIES_INSTANCE_UID),),
    "IMAGE": (("SOPInstanceUID", Subject.SOP_INSTANCE_UID),),
    "INSTANCE": (("SOPInstanceUID", Subject.SOP_INSTANCE_UID),),
}


class MoveRefusedError(ConsentgateError):
    """Not everything that was asked for was delivered."""

    remedy = "The reasons are in the audit trail: consentgate audit tail."


def named(identifier: Mapping[str, str]) -> tuple[Subject, tuple[str, ...]] | None:
    """Return by what, and by which names, the identifier asks; None when it asks for nothing in particular."""
    for keyword, subject in KEYS.get(identifier.get("Level", "").upper(), ()):
        names = tuple(name for name in identifier.get(keyword, "").split("\\") if name)
        if names:
            return subject, names
    return None


class MoveScp:
    """The C-MOVE SCP.

    Args:
        services: gate, registry, release and policy.
        archive: reads and sends.
        modalities: name of the Orthanc modality by AE title.
        worker: runs the moves.
    """

    def __init__(
        self, services: Services, archive: ImageArchive, modalities: Mapping[str, str], worker: Worker
    ) -> None:
        self.services = services
        self.archive = archive
        self.modalities = modalities
        self.worker = worker

    def hook(self, **identifier: object) -> None:
        """Answer Orthanc: return when all was delivered, raise otherwise."""
        self.worker.run(self.move, {key: str(value) for key, value in identifier.items()})

    def move(self, identifier: Mapping[str, str]) -> None:
        """Deliver what may be delivered.

        Raises:
            MoveRefusedError: something, or everything, was not.
        """
        originator, target = identifier.get("OriginatorAET", ""), identifier.get("TargetAET", "")
        node = self._destination(originator, target)
        requester = self._requester(originator, node)
        rows = self._rows(identifier)
        if not rows:
            self.services.gate.refuse(requester, DOOR, "nothing in the archive matches", rule="NOTHING_FOUND")
            raise MoveRefusedError("Nothing was delivered.")
        delivered = [outcome is Delivery.DELIVERED for outcome in self._deliveries(requester, rows, node)]
        if delivered.count(True) != len(rows):
            raise MoveRefusedError(f"{delivered.count(True)} of {len(rows)} instances were delivered.")

    def _deliveries(self, requester: Requester, rows: list[ImageRow], node: DicomNode) -> Iterator[Delivery | None]:
        """Deliver one after the other, each asked about when its turn comes: a withdrawal stops what is still to go.

        A recipient that can't be reached ends it, so that a dead one does not hold up the archive.
        """
        for row in rows:
            request = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=DOOR)
            outcome = self._deliver(self.services.gate.authorize(request), row, node)
            yield outcome
            if outcome is Delivery.FAILED:
                return

    def _requester(self, originator: str, node: DicomNode) -> Requester:
        asking = self.services.policy.node(originator)
        return requesters.bound(originator, node, asking.host if asking else "")

    def _destination(self, originator: str, target: str) -> DicomNode:
        """Return the node to send to, once both ends are bound and agree on the purpose."""
        asking, receiving = self.services.policy.node(originator), self.services.policy.node(target)
        for reason, rule in self._objections(asking, receiving, target):
            self.services.gate.refuse(requesters.of_node(originator, asking), DOOR, reason, rule=rule)
            raise MoveRefusedError("The move was refused.")
        assert receiving is not None  # noqa: S101 - none is an objection
        return receiving

    def _objections(
        self, asking: DicomNode | None, receiving: DicomNode | None, target: str
    ) -> Iterator[tuple[str, str]]:
        if asking is None or Verb.MOVE not in asking.may:
            yield "the calling AE title is not bound in policy.toml to ask for images", "UNKNOWN_AE"
        elif receiving is None or Verb.RECEIVE not in receiving.may or target not in self.modalities:
            yield "the destination is not bound in policy.toml to receive images", "UNKNOWN_AE"
        elif asking.purpose is not receiving.purpose:
            yield (
                f"the caller is bound to {asking.purpose}, the destination to {receiving.purpose}",
                "PURPOSE_NOT_BOUND",
            )

    def _rows(self, identifier: Mapping[str, str]) -> list[ImageRow]:
        asked = named(identifier)
        if asked is None:
            return []
        with self.services.database.reading() as connection:
            rows = images.find(connection, *asked)
        if len({row.issuer for row in rows}) > 1 and asked[0] is Subject.PATIENT_ID:
            return []  # one number, several patients: nobody can tell which is meant
        return rows

    def _deliver(self, answer: Answer, row: ImageRow, node: DicomNode) -> Delivery | None:
        """Release one instance and say how it went; None when it was refused, and then the trail says why."""
        if not answer.decision.permits:
            return None
        try:
            original = self._original(row)
            context = self.services.context(answer, node)
            released = self.services.release.prepare(answer.decision, context, original, row.sop_instance_uid)
            disclosure = self.services.disclose(answer, released)
        except ReleaseRefusedError as error:
            rule = "DECISION_CHANGED" if isinstance(error, DecisionChangedError) else "OBLIGATION_UNMET"
            self._refused(answer, str(error.args[0]), rule)
            return None
        except ConsentgateError as error:
            self._refused(answer, str(error.args[0]), "FAIL_CLOSED")
            return None
        except Exception:  # the boundary: a permit that ends in nothing needs its reason in the trail
            logger.exception("a release failed")
            self._refused(answer, "the copy could not be made", "FAIL_CLOSED")
            return None
        return self._sent(answer, released.content, disclosure, self.modalities[node.aet])

    def _original(self, row: ImageRow) -> bytes:
        """Return the stored bytes, which must be those that were accepted and looked at.

        Raises:
            ReleaseRefusedError: they are others.
        """
        original = self.archive.read(row.orthanc_instance)
        if hashlib.sha256(original).hexdigest() != row.sha256:
            raise ReleaseRefusedError("The stored object is not the one that was accepted.")
        return original

    def _sent(self, answer: Answer, content: bytes, disclosure: str, modality: str) -> Delivery:
        try:
            self.archive.send(content, modality)
            outcome = Delivery.DELIVERED
        except ConsentgateError:
            outcome = Delivery.FAILED
        with self.services.database.writing() as connection:
            ledger.deliver(connection, disclosure, outcome)
        requester = answer.request.requester
        self.services.gate.note(
            AuditEvent(
                id=self.services.ids(),
                at=self.services.clock(),
                event=EventType.INSTANCES_TRANSFERRED,
                outcome=Outcome.SUCCESS if outcome is Delivery.DELIVERED else Outcome.FAILURE,
                actor=requester.actor,
                address=requester.address,
                door=DOOR,
                subject=answer.request.sop_instance_uid,
                purpose=requester.purpose,
                effect=answer.decision.effect,
                reasons=(f"{outcome.lower()} to {requester.recipient}",),
                policy=self.services.policy.sha256,
                detail=f"disclosure {disclosure} under decision {answer.decision_id}",
            )
        )
        return outcome

    def _refused(self, answer: Answer, reason: str, rule: str) -> None:
        request = answer.request
        self.services.gate.refuse(request.requester, DOOR, reason, rule=rule, subject=request.sop_instance_uid)
