"""Sending pictures to a node: have them packed, send, note how it went. One way for every door that sends.

Knows the ledger of disclosures, and in what numbers pictures go. Must not know how the door named the pictures, nor
what it answers. Source: PS3.4 annex B (storage); docs/adr/0026.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive, NothingSentError, NotTakenError, Sending
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.config.bindings import Binding, Destination, DicomNode
from orthanc_plugin.errors import ArchiveError, ConsentgateError
from orthanc_plugin.gate import AccessRequest, Answer, Requester
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.fence import Passing
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.trail import append
from orthanc_plugin.sending.claims import Claim
from orthanc_plugin.sending.destinations import require
from orthanc_plugin.sending.lastquestion import LastQuestion
from orthanc_plugin.sending.packing import AS_IT_IS, Foreseen, Packed, Packer, Refusal, Wanted
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

MOST_TOGETHER: Final = 16  # pictures that are decided on, and begin to leave, in one transaction
MOST_COPIES: Final = 2  # of them that have to be made, one a processor
MOST_BYTES: Final = 16 << 20  # of them, all of which are held at once, and the next few besides
NOT_TRIED: Final = "not sent, because the recipient had failed before"
T = TypeVar("T")
Handovers = Generator["Handover", None, None]
Waiting = deque[tuple[AccessRequest, ImageRow]]
Ready = tuple[ImageRow, Packed | Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What became of one picture.

    Attributes:
        row: the picture.
        decision_id: finds the decision in the trail; '' when none could be taken.
        delivery: how the sending went; None when the picture was refused and nothing was sent.
        disclosure: the release's record; '' when there is none.
        released_uid: the SOP Instance UID under which the recipient got it.
        undone: whether nobody said no to what was not sent: it could not be decided or done now.
        reasons: why it was refused or not delivered; empty when it was delivered.
        last: whether nothing more is tried, because the recipient or the registry is away.
        refused: whether somebody says no by now to what had begun, such as by a withdrawal; nothing of it went out.
    """

    row: ImageRow
    decision_id: str
    delivery: Delivery | None = None
    reasons: tuple[str, ...] = ()
    last: bool = False
    disclosure: str = ""
    released_uid: str = ""
    undone: bool = False
    refused: bool = False

    @property
    def stayed(self) -> bool:
        """Tell whether a decision kept it here, before or after its release had begun."""
        return self.delivery is None or self.refused

    @property
    def delivered(self) -> bool:
        """Tell whether the recipient has confirmed the picture."""
        return self.delivery is Delivery.DELIVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a release ended, what the recipient said of it, and whether the recipient is away from here on.

    ``refused``: it was not sent, because a decision says no by now.
    """

    packed: Packed
    outcome: Delivery
    said: str = ""
    away: bool = False
    refused: bool = False

    @property
    def told(self) -> str:
        """Return it in words."""
        recipient = self.packed.answer.request.requester.recipient
        return f"{self.outcome.lower()} to {recipient}" + (f": {self.said}" if self.said else "")

    def handover(self, row: ImageRow) -> Handover:
        """Return it as the doors are told."""
        reasons = () if self.outcome is Delivery.DELIVERED else (self.told,)
        return Handover(
            row=row,
            decision_id=self.packed.answer.decision_id,
            delivery=self.outcome,
            reasons=reasons,
            disclosure=self.packed.disclosure,
            released_uid=self.packed.released.sop_instance_uid,
            refused=self.refused,
        )


class Errand(Claim, Protocol):
    """A claim that is told what became of the pictures, too."""

    @property
    def late(self) -> bool:
        """Tell whether what hasn't begun is to stay for now."""

    def ended(self, connection: Connection, handovers: Sequence[Handover]) -> None:
        """Note it, in the transaction that writes the outcomes down."""


class Courier:
    """Sends pictures to recipients, each only after the gate has said so.

    Args:
        services: gate, registry, release and policy.
        archive: reads and sends.
        modalities: name of the Orthanc modality by AE title.
        readers: read the next pictures while some are sent.
        errand: what the pictures are sent on; None when they were just asked for.
    """

    def __init__(
        self,
        services: Services,
        archive: ImageArchive,
        modalities: Mapping[str, str],
        readers: Worker,
        errand: Errand | None = None,
    ) -> None:
        self.services = services
        self.archive = archive
        self.errand = errand
        self.packer = Packer(services, archive, errand)
        self.modalities = modalities
        self.readers = readers

    def deliver(self, requester: Requester, rows: Iterable[ImageRow], node: DicomNode, door: str) -> Handovers:
        """Deliver to a node, as ``hand`` does."""
        return self.hand(requester, rows, node, door, self.archive.sending(self.modalities[node.aet]))

    def require(self, requester: Requester, node: DicomNode, door: str) -> None:
        """Let pass only a node that something may leave to, before anything is looked up.

        Raises:
            DestinationRefusedError: nothing may leave to it at all.
        """
        with closing(self.archive.sending(self.modalities[node.aet])) as way:
            require(self.services, requester, node, door, secured=way.secured)

    def hand(
        self, requester: Requester, rows: Iterable[ImageRow], binding: Destination, door: str, way: Sending
    ) -> Handovers:
        """Deliver few at a time, each decided on when its turn comes: a withdrawal stops what is still to go.

        While some are sent the next few are read, decided on, and recorded as begun; each is asked about once more
        before it goes. A recipient that can't be reached ends it, so that a dead one does not hold up the archive, and
        so does a registry in which nothing can be decided. One that refuses a picture may take the next.

        Raises:
            DestinationRefusedError: nothing may leave to it at all.
        """
        with closing(way) as sending:
            require(self.services, requester, binding, door, secured=way.secured)
            waiting = deque((asked_for(requester, row, door), row) for row in rows)
            with closing(self._batches(waiting, binding, MOST_TOGETHER)) as batches:
                for ready in batches:
                    for handover in self._together(ready, sending):
                        yield handover
                        if handover.last:
                            return

    def _batches(self, waiting: Waiting, binding: Binding, most: int) -> Generator[list[Ready], None, None]:
        """Give pictures that are ready, and have the next few made ready meanwhile; what nobody takes has stayed.

        The first goes alone, so that nothing else begins to leave to a recipient that isn't there.
        """
        if first := self.readers.ahead(self._ready, waiting, binding, 1)():
            yield first
        together = min(2, most)
        coming = deque((self.readers.ahead(self._ready, waiting, binding, together),))
        try:
            while ready := coming.popleft()():
                together = min(2 * together, most)
                coming.append(self.readers.ahead(self._ready, waiting, binding, together))
                yield ready
        finally:
            for left in coming:
                self._give_up(left())

    def _give_up(self, left: Sequence[Ready]) -> None:
        """Write down that what had begun was not sent."""
        ended = [(row, _stayed(packed, NOT_TRIED)) for row, packed in left if isinstance(packed, Packed)]
        self._note([each for _, each in ended], [each.handover(row) for row, each in ended])

    def _ready(self, waiting: Waiting, binding: Binding, most: int) -> list[Ready]:
        """Have the next few read, decided on, made where the stored object itself may not leave, and recorded."""
        wanted = self._read(waiting, binding, most)
        if not wanted:
            return []
        begun = self.packer.begin(wanted, binding)

        def packed(each: tuple[Wanted, Packed | Refusal | Answer]) -> Ready:
            row, found = each[0].row, each[1]
            return row, self.packer.make(found, row, binding) if isinstance(found, Answer) else found

        each, made = tuple(zip(wanted, begun, strict=False)), any(isinstance(one, Answer) for one in begun)
        return self.readers.share(packed, each) if made else list(map(packed, each))

    def _read(self, waiting: Waiting, binding: Binding, most: int) -> list[Wanted]:
        """Take the next pictures and read what of them needn't be made, two at a time; not too much at once."""
        asked = list(islice(waiting, most if self.errand is None or not self.errand.late else 0))
        found: list[Wanted] = []
        for both in pairs(zip(asked, self.packer.foresee(asked, binding), strict=True)):
            waits = any(foreseen == AS_IT_IS for _, foreseen in both)  # for Orthanc, which gives what is read
            found += self.readers.share(self._wanted, both) if waits else map(self._wanted, both)
            for _ in both:
                waiting.popleft()
            copies = sum(not each.size for each in found)
            if copies >= MOST_COPIES or sum(each.size for each in found) >= MOST_BYTES:
                break
        return found

    def _wanted(self, each: tuple[tuple[AccessRequest, ImageRow], Foreseen]) -> Wanted:
        return self.packer.wanted(*each)

    def _together(self, ready: Sequence[Ready], sending: Sending) -> list[Handover]:
        """Send each of these that still may go, then write down how each release ended."""
        found: list[Handover] = []
        ended: list[Ended] = []
        away = False
        asking = LastQuestion(self.services, self.packer, [each for _, each in ready if isinstance(each, Packed)])
        for row, packed in ready:
            if isinstance(packed, Refusal):
                found.append(_refused(row, packed))
                away |= not packed.decision_id
                continue
            ended.append(_stayed(packed, NOT_TRIED) if away else self._went(packed, asking, sending))
            away |= ended[-1].away
            found.append(ended[-1].handover(row))
        self._note(ended, found)
        return [*found[:-1], replace(found[-1], last=away)]

    def _went(self, packed: Packed, asking: LastQuestion, sending: Sending) -> Ended:
        """Send what has begun, unless something has happened since: while others went, or the recipient was called."""
        try:
            sending.reach(packed.released.content)
        except ArchiveError as error:
            return _failed(packed, error)
        except Exception:  # the boundary: what has begun must be told how it ended
            logger.exception("a recipient could not be called")
            return _stayed(packed, "calling it broke off", away=True)
        try:
            with self.services.database.leaving() as passing:  # until the first bytes have gone
                if (objection := asking.objection(packed, passing)) is not None:
                    return _stayed(packed, f"not sent: {objection.words}", refused=objection.refused)
                return _sent(packed, sending, passing)
        except ConsentgateError as error:
            return _stayed(packed, f"not sent: {error.args[0]}")

    def _note(self, ended: Sequence[Ended], found: Sequence[Handover]) -> None:
        """Write down how releases ended, and have the errand know it."""
        events = [self._event(each) for each in ended]

        def note(connection: Connection) -> None:
            seals = ledger.deliver_all(connection, [(each.packed.disclosure, each.outcome) for each in ended])
            append(connection, [replace(event, detail=seal) for event, seal in zip(events, seals, strict=True)])
            if self.errand is not None:
                self.errand.ended(connection, found)

        if ended or (found and self.errand is not None):
            self.services.database.write(note)

    def _event(self, ended: Ended) -> AuditEvent:
        answer = ended.packed.answer
        requester = answer.request.requester
        return AuditEvent(
            id=self.services.ids(),
            at=self.services.clock(),
            event=EventType.INSTANCES_TRANSFERRED,
            outcome=Outcome.SUCCESS if ended.outcome is Delivery.DELIVERED else Outcome.FAILURE,
            actor=requester.actor,
            address=requester.address,
            door=answer.request.door,
            subject=answer.request.sop_instance_uid,
            purpose=requester.purpose,
            effect=answer.decision.effect,
            reasons=(ended.told,),
            policy=self.services.policy.sha256,
        )


def pairs(items: Iterable[T]) -> Iterator[list[T]]:
    """Give items in twos; the last may be alone."""
    left = iter(items)
    while both := list(islice(left, 2)):
        yield both


def _refused(row: ImageRow, refusal: Refusal) -> Handover:
    return Handover(row=row, decision_id=refusal.decision_id, reasons=refusal.reasons, undone=refusal.undone)


def asked_for(requester: Requester, row: ImageRow, door: str) -> AccessRequest:
    """Return the request for one picture."""
    return AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)


def _sent(packed: Packed, sending: Sending, passing: Passing) -> Ended:
    """Send one picture; a recipient that doesn't say yes may have kept it all the same, once anything went out."""
    try:
        said = sending.store(packed.released.content, passing.left)
    except ArchiveError as error:
        return _failed(packed, error)
    except Exception:  # the boundary: what has begun must be told how it ended
        logger.exception("a picture could not be sent")
        return Ended(packed=packed, outcome=Delivery.SENT, said="sending it broke off", away=True)
    return Ended(packed=packed, outcome=Delivery.DELIVERED, said=said)


def _failed(packed: Packed, error: ArchiveError) -> Ended:
    """Return the end of what was not confirmed."""
    outcome = Delivery.FAILED if isinstance(error, NothingSentError) else Delivery.SENT
    away = not isinstance(error, NotTakenError)
    return Ended(packed=packed, outcome=outcome, said=str(error.args[0]), away=away)


def _stayed(packed: Packed, why: str, *, away: bool = False, refused: bool = False) -> Ended:
    """Return the end of what was not sent."""
    return Ended(packed=packed, outcome=Delivery.FAILED, said=why, away=away, refused=refused)
