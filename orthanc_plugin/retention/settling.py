"""Write down what becomes of lines, in one transaction: the mark, the stub of what is gone, the end of each.

Knows the order of what is written. Must not decide on a record. What is still there of a line that is dropped is as it
was before; what could not be destroyed stays shut at every door.

Sources: requirements 4, steps 7 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, images, transfers
from orthanc_plugin.registry.disposals import Fate, Marked, State
from orthanc_plugin.registry.plans import Action, Decision, Line
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention import stubbing, transfer
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.order import Order
from orthanc_plugin.retention.reach import Reached

INTERRUPTED: Final = (
    "{gone} of {all} objects were gone already when an interrupted execution was taken up; the rest is kept"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A line, what became of it so far, and the kinds of holds that were ever on it."""

    decision: Decision
    line: Line
    outcome: disposals.Outcome
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """One transaction that writes; ``close`` ends it.

    Attributes:
        connection: holds the write lock.
        act: whose, when.
        order: on whose word.
        shredder: looks what is gone of a line that is dropped.
    """

    connection: Connection
    act: Act
    order: Order
    shredder: Shredder
    _stubbed: list[str] = field(default_factory=list)
    _said: list[AuditEvent] = field(default_factory=list)

    def begin(self, decision: Decision, free: Sequence[images.ImageRow], reached: Reached) -> disposals.Outcome:
        """Mark a line's ``free`` pictures; a copy that another line has marked is left to that."""
        outcome = self._outcome(decision, State.MARKED, "", tuple(_mark(row, reached) for row in free))
        disposals.mark(self.connection, outcome, self.act.ids())
        for each in outcome.marked:
            images.set_status(self.connection, each.sop_instance_uid, ImageStatus.QUARANTINED)
        subject = f"{self.order.plan.plan_id} line {decision.line}"
        self._said.append(self.act.event(EventType.STUDY_DELETED, "DISPOSITION_MARKED", subject=subject))
        return outcome

    def stop(
        self, decision: Decision, line: Line, marked: tuple[Marked, ...], problem: str, holds: tuple[str, ...]
    ) -> disposals.Outcome:
        """Drop a line; of one that was marked, what is still there is kept as it was, and what is gone has its stub."""
        gone = tuple(each for each in marked if self.shredder.gone(each))
        rest = tuple(each for each in marked if each not in gone)
        for each in rest:
            images.set_status(self.connection, each.sop_instance_uid, ImageStatus(each.status))
        disposals.unlist(self.connection, (each.sop_instance_uid for each in rest))
        reason = problem
        if gone:
            reason = f"{problem}; {INTERRUPTED.format(gone=len(gone), all=len(marked))}"
            self._stub(decision, line, gone, holds, self.read(gone))
        else:
            transfer.stays(self.connection, self.act, decision)
        return self._told(self._outcome(decision, State.DROPPED, reason))

    def settle(
        self, begun: Begun, why: Mapping[str, str], now: disposals.Outcome | None, known: stubbing.Read
    ) -> disposals.Outcome:
        """Write the stub of what is gone; what could not be destroyed is kept shut at every door.

        ``now`` is what became of the line by now, as the registry has it, and ``known`` what it has of its pictures.
        """
        if now is not None and now.state is not State.MARKED:  # another run was quicker
            return now
        marked = begun.outcome.marked
        gone = tuple(each for each in marked if each.sop_instance_uid not in why)
        disposals.fated(self.connection, why, Fate.LEFT)
        if gone:
            self._stub(begun.decision, begun.line, gone, begun.holds, known)
        if not why:
            return self._told(self._outcome(begun.decision, State.DESTROYED, ""))
        causes = "; ".join(sorted(set(why.values())))
        reason = f"{len(why)} of {len(marked)} objects could not be destroyed: {causes}"
        return self._told(self._outcome(begun.decision, State.PARTLY, reason))

    def read(self, marked: Iterable[Marked]) -> stubbing.Read:
        """Return what the registry has of pictures: each is marked by one line, so none changes what is of another."""
        return stubbing.read(self.connection, [each.sop_instance_uid for each in marked])

    def close(self) -> None:
        """Write the entries of all of the lines, and take the records of which nothing is left out of every plan."""
        append(self.connection, self._said)
        stubbing.forget_records(self.connection, self._stubbed)

    def _stub(
        self,
        decision: Decision,
        line: Line,
        gone: tuple[Marked, ...],
        holds: tuple[str, ...],
        known: stubbing.Read,
    ) -> None:
        word = stubbing.Word(
            plan=self.order.plan,
            approval=self.order.approval,
            decision=decision,
            line=line,
            certificate=self.order.batch.batch_id,
        )
        disposals.fated(self.connection, (each.sop_instance_uid for each in gone), Fate.DESTROYED)
        deposited = transfers.received(self.connection, decision) if decision.action is Action.TRANSFER else None
        method = f"{deposited.method}; {self.shredder.method}" if deposited else self.shredder.method
        self._said.extend(stubbing.write(self.connection, self.act, word, gone, holds, method, known))
        self._stubbed.append(line.study_instance_uid)

    def _outcome(
        self, decision: Decision, state: State, reason: str, marked: tuple[Marked, ...] = ()
    ) -> disposals.Outcome:
        return disposals.Outcome(
            plan_id=self.order.plan.plan_id,
            line=decision.line,
            batch_id=self.order.batch.batch_id,
            state=state,
            reason=reason,
            at=self.act.at.isoformat(),
            marked=marked,
        )

    def _told(self, outcome: disposals.Outcome) -> disposals.Outcome:
        """Write what became of a line, with its entry in the trail."""
        seal = disposals.settle(self.connection, outcome)
        event = self.act.event(
            EventType.STUDY_DELETED,
            f"DISPOSITION_{outcome.state}",
            subject=f"{outcome.plan_id} line {outcome.line}",
            outcome=Outcome.SUCCESS if outcome.state is State.DESTROYED else Outcome.REFUSED,
            detail=seal,
        )
        self._said.append(event)
        return outcome


def _mark(row: images.ImageRow, reached: Reached) -> Marked:
    return Marked(
        sop_instance_uid=row.sop_instance_uid,
        orthanc_instance=row.orthanc_instance,
        status=row.status,
        files=reached.files[row.sop_instance_uid],
    )
