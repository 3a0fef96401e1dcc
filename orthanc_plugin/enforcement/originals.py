"""Releasing originals as they are stored: decide on every picture, meet the obligations, record.

Knows the gate, the obligations and the disclosures. One refusal refuses all. Must not know by which door the pictures
leave, nor their bytes: who calls sees to it that nothing leaves but the pictures that were decided on. Source: GMC 2011
paragraphs 15 to 20 (what may be shared with whom), by way of the gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.gate import AccessRequest, Answer, Permits, Requester
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.release import Released, unmet
from orthanc_plugin.sending.packing import Refusal
from orthanc_plugin.services import Services

ANONYMISED: Final = "only an anonymised copy may leave, and it is released by C-MOVE to a bound node, not here"


class Originals:
    """Says whether pictures may leave as they are.

    Args:
        services: gate, registry and policy.
        requester: who asks.
        binding: as policy.toml binds them.
        door: by which exit.
    """

    def __init__(self, services: Services, requester: Requester, binding: Binding, door: str) -> None:
        self.services = services
        self.requester = requester
        self.binding = binding
        self.door = door

    def release(self, rows: Sequence[ImageRow]) -> Refusal | None:
        """Decide on pictures that leave together and record it; return why none of them may, None when all may.

        Raises:
            RegistryError: it could not be decided or recorded, so nothing may leave.
        """
        return self.services.database.write(lambda connection: self.begin(connection, rows))

    def begin(self, connection: Connection, rows: Sequence[ImageRow], permits: Permits | None = None) -> Refusal | None:
        """Do the same in a write transaction: once it is committed the release has begun.

        No withdrawal comes between the decision and the disclosure. No picture at all is one that the registry doesn't
        know. It is denied, and on record under no name: that of a patient could be turned back into their number.
        ``permits`` is as in ``Gate.decide``.
        """
        names = [row.sop_instance_uid for row in rows] or [""]
        answers = self.services.gate.decide(connection, [self._asked(name) for name in names], permits)
        found = [(answer, self._against(connection, answer)) for answer in answers]
        refused = [(answer, reasons) for answer, reasons in found if reasons is not None]
        append(connection, [self._unmet(answer, reasons) for answer, reasons in refused if answer.decision.permits])
        if refused:
            answer, reasons = refused[0]
            return Refusal(decision_id=answer.decision_id, reasons=reasons)
        for answer, row in zip(answers, rows, strict=True):
            if self.services.must_disclose(answer):  # otherwise the decision is the release's record
                as_stored = Released(content=b"", sha256=row.sha256, sop_instance_uid=row.sop_instance_uid)
                self.services.begin(connection, answer, as_stored)
        return None

    def first_refused(self, rows: Sequence[ImageRow]) -> ImageRow | None:
        """Return the first picture that would be refused now. Nothing is recorded, so nothing may leave by this."""
        with self.services.database.reading() as connection:
            at = self.services.clock()
            for row in rows:
                answer = self.services.gate.answer(connection, self._asked(row.sop_instance_uid), at)
                if self._against(connection, answer) is not None:
                    return row
        return None

    def _asked(self, sop_instance_uid: str) -> AccessRequest:
        return AccessRequest(requester=self.requester, sop_instance_uid=sop_instance_uid, door=self.door)

    def _against(self, connection: Connection, answer: Answer) -> tuple[str, ...] | None:
        """Return why the original may not go out as it is, None when it may; nothing is rewritten on the wire."""
        if not answer.decision.permits:
            return answer.decision.reasons
        if answer.decision.effect is not Effect.PERMIT_IDENTIFIABLE:
            return (ANONYMISED,)
        context = self.services.context_in(connection, answer, self.binding, as_stored=True)
        return unmet(answer.decision, context) or None

    def _unmet(self, answer: Answer, reasons: Sequence[str]) -> AuditEvent:
        """Return the entry for a permit that opens nothing; a denial is on record by itself."""
        named, said = answer.request.sop_instance_uid, "; ".join(reasons)
        return self.services.gate.refusal(self.requester, self.door, said, rule="OBLIGATION_UNMET", subject=named)
