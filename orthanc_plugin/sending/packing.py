"""Making what leaves of one picture ready: ask, read and compare, meet the obligations, record. One way for every door.

Knows the gate, the release and the ledger of disclosures. Must not know how the copy leaves. Source: GMC 2011
paragraphs 15 to 20 (what may be shared with whom), by way of the gate.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.errors import ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Requester
from orthanc_plugin.lifecycle.policies import OldPolicyError
from orthanc_plugin.policy.model import Decision, Effect, Obligation
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
    """A picture that stays: why, and the decision in the trail, '' when none could be taken.

    ``undone``: nobody said no; it could not be decided or done now, and may be another time.
    """

    decision_id: str
    reasons: tuple[str, ...]
    undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A picture that is asked for, and its bytes when they may leave as they are as far as anybody knows yet."""

    request: AccessRequest
    row: ImageRow
    stored: bytes | None


LOST: Final = Refusal(decision_id="", reasons=("It is no longer ours to send.",), undone=True)


class ClaimLostError(DecisionChangedError):
    """What is to be sent is somebody else's by now, or nobody's."""

    remedy = "Nothing is to be done: whoever has it now sends it."


class Claim(Protocol):
    """A hold on pictures that are to be sent, which can be lost at any time: until a release is on record."""

    def held(self, connection: Connection, sop_instance_uid: str) -> bool:
        """Tell whether it still holds this picture."""

    def begun(self, connection: Connection, answer: Answer, disclosure_id: str) -> None:
        """Note, in the transaction that records it, that the release has begun."""


class Packer:
    """Makes pictures ready to leave, each only after the gate has said so.

    Args:
        services: gate, registry, release and policy.
        archive: reads.
        claim: what must still be held when a release begins; None where nobody else would send the same.
    """

    def __init__(self, services: Services, archive: ImageArchive, claim: Claim | None = None) -> None:
        self.services = services
        self.archive = archive
        self.claim = claim

    def pack(self, requester: Requester, row: ImageRow, binding: Binding, door: str) -> Packed | Refusal:
        """Ask about one picture, and record its release to ``binding``; a refusal's reason is in the trail, too."""
        request = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)
        (as_it_is,) = self.foresee((request,))
        wanted = Wanted(request=request, row=row, stored=self.read(row) if as_it_is else None)
        (packed,) = self.begin((wanted,), binding)
        return self.make(packed, row, binding) if isinstance(packed, Answer) else packed

    def foresee(self, requests: Sequence[AccessRequest]) -> tuple[bool, ...]:
        """Tell of each picture whether it would leave as it is now; nothing is recorded, so nothing may leave by it.

        What is read and compared beforehand can begin to leave in the very transaction that decides on it.
        """
        try:
            with self.services.database.reading() as connection:
                at = self.services.clock()
                answers = [self.services.gate.answer(connection, request, at) for request in requests]
        except Exception:  # noqa: BLE001 - it is decided once more then, where the reason gets on record
            return (False,) * len(requests)
        return tuple(_as_it_is(answer.decision) for answer in answers)

    def any_may_go(self, requests: Iterable[AccessRequest]) -> bool:
        """Tell whether one of these would be permitted now; nothing is recorded, so nothing may leave by it.

        Raises:
            RegistryError: nobody can tell.
        """
        with self.services.database.reading() as connection:
            at = self.services.clock()
            return any(self.services.gate.answer(connection, each, at).decision.permits for each in requests)

    def read(self, row: ImageRow) -> bytes | None:
        """Return the stored bytes, None when they can't be had or are others than were accepted."""
        try:
            return original(self.archive, row)
        except Exception:  # noqa: BLE001 - it is read once more then, where the reason gets on record
            return None

    def begin(self, wanted: Sequence[Wanted], binding: Binding) -> tuple[Packed | Refusal | Answer, ...]:
        """Decide on pictures, and record the release of those that were read, in one transaction.

        A permit for what was not read comes back as it is: its copy has to be made. Where that transaction fails each
        picture is tried by itself, so that none stays for the sake of another, until nothing can be decided at all.
        """
        try:
            return self.services.database.write(lambda connection: self._begin(connection, wanted, binding))
        except Exception:  # the boundary: whatever failed, the picture stays
            if len(wanted) > 1:
                return self._one_by_one(wanted, binding)
            logger.exception("a release could not be recorded")
        reason, request = "the release could not be recorded", wanted[0].request
        self.services.gate.refuse(
            request.requester, request.door, reason, rule="FAIL_CLOSED", subject=request.sop_instance_uid
        )
        return (Refusal(decision_id="", reasons=(reason,), undone=True),)

    def _one_by_one(self, wanted: Sequence[Wanted], binding: Binding) -> tuple[Packed | Refusal | Answer, ...]:
        found: list[Packed | Refusal | Answer] = []
        for each in wanted:
            found += self.begin((each,), binding)
            if isinstance(found[-1], Refusal) and not found[-1].decision_id:
                break
        return tuple(found)

    def _begin(
        self, connection: Connection, wanted: Sequence[Wanted], binding: Binding
    ) -> tuple[Packed | Refusal | Answer, ...]:
        """Do so in a write transaction: no withdrawal comes between a decision and its release."""
        ours = [each for each in wanted if self.holds(connection, each.row)]
        answers = iter(self.services.gate.decide(connection, [each.request for each in ours]))
        return tuple(self._begun(connection, next(answers), each, binding) if each in ours else LOST for each in wanted)

    def holds(self, connection: Connection, row: ImageRow) -> bool:
        """Tell whether nobody else has the picture in hand by now."""
        return self.claim is None or self.claim.held(connection, row.sop_instance_uid)

    def _begun(
        self, connection: Connection, answer: Answer, wanted: Wanted, binding: Binding
    ) -> Packed | Refusal | Answer:
        if not answer.decision.permits:
            return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)
        if wanted.stored is None:
            return answer
        context = self.services.context_in(connection, answer, binding, as_stored=True)
        reasons = unmet(answer.decision, context)
        if answer.decision.effect is not Effect.PERMIT_IDENTIFIABLE:
            reasons = ("only an anonymised copy may leave now",)
        if reasons:
            append(connection, [self._against(answer, "; ".join(reasons), "OBLIGATION_UNMET")])
            return Refusal(decision_id=answer.decision_id, reasons=reasons)
        row = wanted.row
        released = Released(content=wanted.stored, sha256=row.sha256, sop_instance_uid=row.sop_instance_uid)
        disclosure = self.services.begin(connection, answer, released)
        if self.claim is not None:  # in whose transaction it was looked at that the claim holds
            self.claim.begun(connection, answer, disclosure)
        return Packed(answer=answer, released=released, disclosure=disclosure)

    def _note(self, connection: Connection, answer: Answer, disclosure: str) -> None:
        """Have the claim know of the release.

        Raises:
            ClaimLostError: it holds the picture no more, so the release is none.
        """
        if self.claim is None:
            return
        if not self.claim.held(connection, answer.request.sop_instance_uid):
            raise ClaimLostError(*LOST.reasons)
        self.claim.begun(connection, answer, disclosure)

    def make(self, answer: Answer, row: ImageRow, binding: Binding) -> Packed | Refusal:
        """Make the copy that was permitted, and record its release if it still is."""
        try:
            return self._packed(answer, row, binding)
        except ReleaseRefusedError as error:
            undone = isinstance(error, (DecisionChangedError, OldPolicyError))
            rule = "DECISION_CHANGED" if undone else "OBLIGATION_UNMET"
            return self._refused(answer, str(error.args[0]), rule, undone=undone)
        except ConsentgateError as error:
            return self._refused(answer, str(error.args[0]), "FAIL_CLOSED", undone=True)
        except Exception:  # the boundary: a permit that ends in nothing needs its reason in the trail
            logger.exception("a release failed")
            return self._refused(answer, "the copy could not be made", "FAIL_CLOSED", undone=True)

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
        (disclosure,) = self.services.disclose_all(
            ((answer, released),), lambda connection, begun: self._note(connection, answer, begun)
        )
        return Packed(answer=answer, released=released, disclosure=disclosure)

    def _refused(self, answer: Answer, reason: str, rule: str, *, undone: bool) -> Refusal:
        self.services.gate.note(self._against(answer, reason, rule))
        return Refusal(decision_id=answer.decision_id, reasons=(reason,), undone=undone)


def _as_it_is(decision: Decision) -> bool:
    """Tell whether the stored object itself would leave; one that must say what it was released for is a copy."""
    return decision.effect is Effect.PERMIT_IDENTIFIABLE and Obligation.TAG_PURPOSE not in decision.obligations


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
