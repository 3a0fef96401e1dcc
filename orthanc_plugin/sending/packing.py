"""Making what leaves of one picture ready: ask, read and compare, meet the obligations, record. One way for every door.

Knows the gate, the release and the ledger of disclosures. Must not know how the copy leaves. Source: GMC 2011
paragraphs 15 to 20 (what may be shared with whom), by way of the gate.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection

from dicomwrap.terms import Form
from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.errors import ConfigurationError, ConsentgateError, ReleaseRefusedError
from orthanc_plugin.gate import AccessRequest, Answer, DecisionChangedError, Permits, Requester
from orthanc_plugin.lifecycle.policies import OldPolicyError
from orthanc_plugin.policy.model import Decision, Effect, Obligation
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Context, Released, unmet
from orthanc_plugin.sending.claims import Claim, ClaimLostError
from orthanc_plugin.sending.keptcopies import Cause, Shelf
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
    """A picture that is asked for, and what may leave of it as far as anybody knows yet.

    Attributes:
        request: for it.
        row: the registry's.
        stored: its bytes, when they may leave as they are.
        kept: the anonymised copy, when one is kept, and what it came of.
    """

    request: AccessRequest
    row: ImageRow
    stored: bytes | None = None
    kept: tuple[Cause, Released] | None = None

    @property
    def size(self) -> int:
        """Return of how many bytes it is, 0 where the copy has to be made."""
        return len(self.stored or b"") + (len(self.kept[1].content) if self.kept else 0)


class Going(NamedTuple):
    """What may leave as it is, and is not on record yet."""

    answer: Answer
    released: Released


COPIED: Final = frozenset({Obligation.TAG_PURPOSE, Obligation.REDACT_THIRD_PARTIES})
AS_IT_IS: Final = True
Foreseen = Cause | bool | None  # what an anonymised copy comes of, or whether the stored object itself would leave
LOST: Final = Refusal(decision_id="", reasons=("It is no longer ours to send.",), undone=True)


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
        self.shelf = Shelf(services)

    def pack(self, requester: Requester, row: ImageRow, binding: Binding, door: str) -> Packed | Refusal:
        """Ask about one picture, and record its release to ``binding``; a refusal's reason is in the trail, too."""
        request = AccessRequest(requester=requester, sop_instance_uid=row.sop_instance_uid, door=door)
        (foreseen,) = self.foresee(((request, row),), binding)
        (packed,) = self.begin((self.wanted((request, row), foreseen),), binding)
        return self.make(packed, row, binding) if isinstance(packed, Answer) else packed

    def foresee(self, asked: Sequence[tuple[AccessRequest, ImageRow]], binding: Binding) -> tuple[Foreseen, ...]:
        """Tell of each picture whether it would leave as it is now, or as which copy, None where that has to be made.

        Nothing is recorded, so nothing may leave by it. What is read and compared beforehand can begin to leave in the
        very transaction that decides on it.
        """
        try:
            with self.services.database.reading() as connection:
                permits = self.services.gate.permits.shelf(connection)
                return tuple(self._foreseen(connection, *each, binding, permits) for each in asked)
        except Exception:  # noqa: BLE001 - it is decided once more then, where the reason gets on record
            return (None,) * len(asked)

    def _foreseen(
        self, connection: Connection, request: AccessRequest, row: ImageRow, binding: Binding, permits: Permits
    ) -> Foreseen:
        if binding.form is Form.ANONYMISED:
            return self.shelf.foreseen(connection, row, binding)
        answer = self.services.gate.answer(connection, request, self.services.clock(), permits)
        return AS_IT_IS if _as_it_is(answer.decision) else None

    def _cause(self, connection: Connection, answer: Answer, row: ImageRow, binding: Binding) -> Cause | None:
        """Return what the copy comes of that may leave, None where it can't, or isn't kept."""
        try:
            return self.shelf.cause(answer.decision, self.services.context_in(connection, answer, binding), row)
        except (ReleaseRefusedError, ConfigurationError):
            return None

    def wanted(self, asked: tuple[AccessRequest, ImageRow], foreseen: Foreseen) -> Wanted:
        """Return a picture with what was foreseen of it read."""
        request, row = asked
        if isinstance(foreseen, Cause):
            kept = self.shelf.of(foreseen, row)
            return Wanted(request=request, row=row, kept=(foreseen, kept) if kept else None)
        return Wanted(request=request, row=row, stored=self.read(row) if foreseen else None)

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
        held = self.held(connection, [each.row.sop_instance_uid for each in wanted])
        ours = [each for each in wanted if each.row.sop_instance_uid in held]
        answers = self.services.gate.decide(connection, [each.request for each in ours])
        ready = [self._ready(connection, *each, binding) for each in zip(answers, ours, strict=True)]
        found = iter(self._begun(connection, ready))
        return tuple(next(found) if each.row.sop_instance_uid in held else LOST for each in wanted)

    def _begun(
        self, connection: Connection, ready: Sequence[Going | Packed | Refusal | Answer]
    ) -> list[Packed | Refusal | Answer]:
        """Record the releases of those that may leave as they are."""
        going = [each for each in ready if isinstance(each, Going)]
        disclosures = self.services.begin_together(connection, going) if going else []
        if self.claim is not None and going:  # in whose transaction it was looked at that the claim holds
            self.claim.begun(connection, [(each.answer, one) for each, one in zip(going, disclosures, strict=True)])
        begun = iter(disclosures)
        return [
            Packed(answer=each.answer, released=each.released, disclosure=next(begun))
            if isinstance(each, Going)
            else each
            for each in ready
        ]

    def held(self, connection: Connection, uids: Collection[str]) -> frozenset[str]:
        """Return which pictures nobody else has in hand by now."""
        return frozenset(uids) if self.claim is None else self.claim.held(connection, uids)

    def _ready(
        self, connection: Connection, answer: Answer, wanted: Wanted, binding: Binding
    ) -> Going | Packed | Refusal | Answer:
        """Tell whether a picture that was decided on may begin to leave."""
        if not answer.decision.permits:
            return Refusal(decision_id=answer.decision_id, reasons=answer.decision.reasons)
        if wanted.kept is not None:
            return self._begun_kept(connection, answer, wanted, binding)
        if wanted.stored is None or not _as_it_is(answer.decision):  # whatever was foreseen, a copy has to be made
            return answer
        context = self.services.context_in(connection, answer, binding, as_stored=True)
        if reasons := unmet(answer.decision, context):
            append(connection, [self._against(answer, "; ".join(reasons), "OBLIGATION_UNMET")])
            return Refusal(decision_id=answer.decision_id, reasons=reasons)
        row = wanted.row
        released = Released(content=wanted.stored, sha256=row.sha256, sop_instance_uid=row.sop_instance_uid)
        return Going(answer, released)

    def _begun_kept(
        self, connection: Connection, answer: Answer, wanted: Wanted, binding: Binding
    ) -> Packed | Refusal | Answer:
        """Begin the release of a copy that is kept, if it is still the one that would be made; else it is made."""
        assert wanted.kept is not None  # noqa: S101 - the caller has looked
        (cause, copy), row = wanted.kept, wanted.row
        if self._cause(connection, answer, row, binding) != cause:
            return answer
        try:
            disclosure = self.services.begin(connection, answer, copy)
        except ReleaseRefusedError:  # nothing of it is written; why, is told where it is asked for once more
            return answer
        if self.claim is not None:
            self.claim.begun(connection, ((answer, disclosure),))
        return Packed(answer=answer, released=copy, disclosure=disclosure)

    def _note(self, connection: Connection, answer: Answer, disclosure: str) -> None:
        """Have the claim know of the release.

        Raises:
            ClaimLostError: it holds the picture no more, so the release is none.
        """
        if self.claim is None:
            return
        if not self.claim.held(connection, (answer.request.sop_instance_uid,)):
            raise ClaimLostError(*LOST.reasons)
        self.claim.begun(connection, ((answer, disclosure),))

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
        context = self.services.context(answer, binding)
        kept = self.shelf.take(answer.decision, context, row)  # made of the very bytes that were accepted
        released = kept or self._made(answer, context, row)
        (disclosure,) = self.services.disclose_all(
            ((answer, released),), lambda connection, begun: self._note(connection, answer, begun)
        )
        if kept is None:
            self.shelf.keep(answer, context, row, released)
        return Packed(answer=answer, released=released, disclosure=disclosure)

    def _made(self, answer: Answer, context: Context, row: ImageRow) -> Released:
        stored = original(self.archive, row)
        return self.services.release.prepare(answer.decision, context, stored, row.sop_instance_uid)

    def _refused(self, answer: Answer, reason: str, rule: str, *, undone: bool) -> Refusal:
        self.services.gate.note(self._against(answer, reason, rule))
        return Refusal(decision_id=answer.decision_id, reasons=(reason,), undone=undone)


def _as_it_is(decision: Decision) -> bool:
    """Tell whether the stored object itself would leave; one that says what it was released for is a copy.

    So is one in which others are hidden.
    """
    return decision.effect is Effect.PERMIT_IDENTIFIABLE and COPIED.isdisjoint(decision.obligations)


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
