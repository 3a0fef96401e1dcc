"""The execution of an approved plan: decide again, mark, destroy, verify, write the stub; resumable at any point.

Knows the order. Nothing is listed as destroyed that is still there: a line is marked first, in the transaction that
decides on it again; its stub is written only after its objects were looked for and not found. A line that was marked
when the process ended is taken up again. It runs in a process of its own, never inside Orthanc.

Sources: requirements 4, steps 6, 7, 8 and 10.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, images, plans, remnants, transfers
from orthanc_plugin.registry.disposals import Batch, Fate, Marked, State
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.plans import Action, Decision
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention import standing, stubbing, transfer
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.changes import change
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.interim import Memory
from orthanc_plugin.retention.order import Order
from orthanc_plugin.retention.reach import Ground, Reached, reach, require_found, require_same, survey
from orthanc_plugin.retention.records import Record, Records

TAKEN: Final = "another line has taken all of its pictures, as copies of its own"
INTERRUPTED: Final = (
    "{gone} of {all} objects were gone already when an interrupted execution was taken up; the rest is kept"
)

AT_ONCE: Final = 10  # lines in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A line, what became of it so far, and the kinds of holds that were ever on it."""

    decision: Decision
    outcome: disposals.Outcome
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Executes plans.

    Attributes:
        database: the registry.
        shredder: deletes and looks.
        records: what is known of a record now.
        memory: what is destroyed is written there before the registry says so.
        acting: gives the act at the moment of each step.
    """

    database: Database
    shredder: Shredder
    records: Records
    memory: Memory
    acting: Callable[[], Act]

    def begin(self, plan_id: str) -> tuple[Order, tuple[Decision, ...]]:
        """Return the order and the lines that are still to be seen to; begins an execution unless one has begun.

        Raises:
            NotAllowedError: whoever acts may not execute.
            IllegalTransitionError: the plan isn't approved, still cools off, its approval has lapsed, or the trail
                doesn't tell the same.
            ArchiveError: nothing could be verified.
        """
        self.shredder.require()
        with self.database.reading() as connection:  # the trail is long: not under the write lock
            standing.require_on_record(connection, plan_id)
        with self.database.writing() as connection:
            act = self.acting()
            require(act, Duty.EXECUTE)
            plan = plans.get(connection, plan_id)
            taken = plans.decided(connection, plan_id)
            received = transfers.received_lines(connection, taken)
            approval = standing.executable(connection, act, plan, taken, received=bool(received))
            standing.require_receivers(connection, act, taken, received)
            late = standing.lapsed(act, approval) and not standing.begun(connection, plan_id)
            settled = {
                each.line for each in disposals.outcomes_of(connection, plan_id) if each.state is not State.MARKED
            }
            to_destroy = received if late else received | plans.lines_for(taken, Action.DESTROY)
            due = tuple(taken[line] for line in sorted(to_destroy - settled))
            batch = disposals.unfinished(connection, plan_id)
            if batch is None:
                standing.require_work(due, plans.lines_for(taken, Action.TRANSFER) - settled)
                batch = self._batch(connection, act, plan_id)
            require_same(batch, self.shredder)
        return Order(plan=plan, approval=approval, batch=batch), due

    def _batch(self, connection: Connection, act: Act, plan_id: str) -> Batch:
        """Begin an execution."""
        where = {"archive": self.shredder.name, "storage": self.shredder.folder}
        batch = Batch(batch_id=act.ids(), plan_id=plan_id, begun_by=act.by, begun_at=act.at.isoformat(), **where)
        disposals.begin(connection, batch)
        said = f"batch {batch.batch_id}"
        append(
            connection, [act.event(EventType.APPLICATION_ACTIVITY, "DISPOSITION_BEGUN", subject=plan_id, detail=said)]
        )
        return batch

    def run(self, order: Order, due: Sequence[Decision]) -> Iterator[disposals.Outcome]:
        """See to each line in turn, and give what became of it.

        Raises:
            ArchiveError: Orthanc can't be reached; what is marked is taken up by the next execution.
            RegistryError: the same, for the registry.
        """
        if not due:
            return
        ground = survey(self.database, self.shredder)
        require_found(ground, order.batch, self.shredder)
        for start in range(0, len(due), AT_ONCE):
            yield from self._some(order, ground, due[start : start + AT_ONCE])

    def _some(self, order: Order, ground: Ground, due: Sequence[Decision]) -> Iterator[disposals.Outcome]:
        """See to some lines together, for each transaction is waited for until it is on disk."""
        reached, lines = self._reached(order, ground, due), [each.line for each in due]
        with self.database.writing() as connection:
            head, known = newest(connection), self._known(connection, order, due)
            begun = [self._marked(connection, order, decision, reached, known.get(decision.line)) for decision in due]
            self.memory.keep(connection, order.batch, head, lines)
            head = newest(connection)
        yield from (each.outcome for each in begun if each.outcome.state is not State.MARKED)
        begun = [each for each in begun if each.outcome.state is State.MARKED]
        why = [self._shredded(order, each, reached, head) for each in begun]
        with self.database.writing() as connection:
            head = newest(connection)
            done = [
                self._marked(connection, order, each.decision, reached).outcome
                if found is None
                else self._settled(connection, order, each, found)
                for each, found in zip(begun, why, strict=True)
            ]
            self.memory.keep(connection, order.batch, head, lines)
        yield from done

    def _known(self, connection: Connection, order: Order, due: Sequence[Decision]) -> dict[int, Record]:
        """Return lines' records as they stand, looked at together, but for those that share pictures.

        These are looked at one by one, for marking one of them changes the other.
        """
        plan, act = order.plan.plan_id, self.acting()
        before = (disposals.outcome_of(connection, plan, each.line) for each in due)
        marked = [each for outcome in before if outcome is not None for each in outcome.marked]
        studies = {each.line: plans.line_of(connection, plan, each.line).study_instance_uid for each in due}
        found = self.records.many(connection, tuple(studies.values()), act, before=marked)
        times = Counter(row.sop_instance_uid for record in found.values() for row in record.pictures)
        alone = {
            study: record
            for study, record in found.items()
            if all(times[row.sop_instance_uid] == 1 for row in record.pictures)
        }
        return {line: alone[study] for line, study in studies.items() if study in alone}

    def _shredded(self, order: Order, begun: Begun, reached: Reached, head: tuple[int, str]) -> dict[str, str] | None:
        """Destroy what is marked, and say why anything is left; None where something came against it since.

        Whatever may speak against it has an entry in the trail: while that has none since the marking (``head``),
        nothing does.
        """
        marked = begun.outcome.marked
        with self.database.reading() as connection:
            told = newest(connection) != head
            if told and self._against(connection, self.acting(), order, begun.decision, marked, reached)[1]:
                return None
            spooled = remnants.spooled(connection, tuple(each.sop_instance_uid for each in marked))
        self.shredder.drop(spooled)
        return self.shredder.destroy(marked)

    def _reached(self, order: Order, ground: Ground, due: Sequence[Decision]) -> Reached:
        """Look where the objects of the lines are, before the write lock is taken."""
        with self.database.reading() as connection:
            lines = (plans.line_of(connection, order.plan.plan_id, each.line) for each in due)
            return reach(connection, self.shredder, ground, tuple(line.study_instance_uid for line in lines))

    def _marked(
        self,
        connection: Connection,
        order: Order,
        decision: Decision,
        reached: Reached,
        known: Record | None = None,
    ) -> Begun:
        """Decide on a line again; mark it, take it up if it is marked, or drop it."""
        act = self.acting()
        before = disposals.outcome_of(connection, order.plan.plan_id, decision.line)
        if before is not None and before.state is not State.MARKED:  # another run has settled it
            return Begun(decision=decision, outcome=before)
        marked = before.marked if before else ()
        record, problem = self._against(connection, act, order, decision, marked, reached, known)
        free = tuple(
            row for row in (record.pictures if record else ()) if disposals.is_free(connection, row.sop_instance_uid)
        )
        if not (problem or marked or free):
            problem = TAKEN
        if problem or record is None:
            holds = record.holds if record else ()
            outcome = self._stopped(connection, act, order, decision, marked, problem, holds)
            return Begun(decision=decision, outcome=outcome)
        outcome = before or _begun(connection, act, order, decision, free, reached)
        return Begun(decision=decision, outcome=outcome, holds=record.holds)

    def _against(
        self,
        connection: Connection,
        act: Act,
        order: Order,
        decision: Decision,
        marked: tuple[Marked, ...],
        reached: Reached,
        known: Record | None = None,
    ) -> tuple[Record | None, str]:
        """Return a record as it stands, and what speaks against its destruction, '' for nothing."""
        line = plans.line_of(connection, order.plan.plan_id, decision.line)
        record = known or self.records.of(connection, line.study_instance_uid, act, before=marked)
        problem = standing.unreceived(connection, decision) or change(order.plan, line, record, reached)
        if record is not None and not problem:
            studies = (row.study_instance_uid for row in record.pictures)
            problem = standing.objection(connection, line.study_sha256, studies, decision)
        if not (problem or marked):
            problem = reached.problems.get(line.study_instance_uid, "")
        return record, problem

    def _stopped(
        self,
        connection: Connection,
        act: Act,
        order: Order,
        decision: Decision,
        marked: tuple[Marked, ...],
        problem: str,
        holds: tuple[str, ...],
    ) -> disposals.Outcome:
        """Drop a line; of one that was marked, what is still there is kept as it was, and what is gone has its stub."""
        gone = tuple(each for each in marked if self.shredder.gone(each))
        rest = tuple(each for each in marked if each not in gone)
        for each in rest:
            images.set_status(connection, each.sop_instance_uid, ImageStatus(each.status))
        disposals.unlist(connection, (each.sop_instance_uid for each in rest))
        reason = problem
        if gone:
            reason = f"{problem}; {INTERRUPTED.format(gone=len(gone), all=len(marked))}"
            self._stub(connection, act, order, decision, gone, holds)
        else:
            transfer.stays(connection, act, decision)
        return _told(connection, act, _outcome(act, order, decision, State.DROPPED, reason))

    def _settled(self, connection: Connection, order: Order, begun: Begun, why: dict[str, str]) -> disposals.Outcome:
        """Write the stub of what is gone; what could not be destroyed is kept shut at every door."""
        now = disposals.outcome_of(connection, order.plan.plan_id, begun.decision.line)
        if now is not None and now.state is not State.MARKED:  # another run was quicker
            return now
        act, decision, marked = self.acting(), begun.decision, begun.outcome.marked
        gone = tuple(each for each in marked if each.sop_instance_uid not in why)
        disposals.fated(connection, why, Fate.LEFT)
        if gone:
            self._stub(connection, act, order, decision, gone, begun.holds)
        if not why:
            return _told(connection, act, _outcome(act, order, decision, State.DESTROYED, ""))
        causes = "; ".join(sorted(set(why.values())))
        reason = f"{len(why)} of {len(marked)} objects could not be destroyed: {causes}"
        return _told(connection, act, _outcome(act, order, decision, State.PARTLY, reason))

    def _stub(
        self,
        connection: Connection,
        act: Act,
        order: Order,
        decision: Decision,
        gone: tuple[Marked, ...],
        holds: tuple[str, ...],
    ) -> None:
        word = stubbing.Word(
            plan=order.plan, approval=order.approval, decision=decision, certificate=order.batch.batch_id
        )
        disposals.fated(connection, (each.sop_instance_uid for each in gone), Fate.DESTROYED)
        deposited = transfers.received(connection, decision) if decision.action is Action.TRANSFER else None
        method = f"{deposited.method}; {self.shredder.method}" if deposited else self.shredder.method
        stubbing.write(connection, act, word, gone, holds, method)


def _begun(
    connection: Connection,
    act: Act,
    order: Order,
    decision: Decision,
    free: Sequence[images.ImageRow],
    reached: Reached,
) -> disposals.Outcome:
    """Mark a line's ``free`` pictures; a copy that another line has marked is left to that."""
    outcome = _outcome(act, order, decision, State.MARKED, "", tuple(_mark(row, reached) for row in free))
    disposals.mark(connection, outcome, act.ids())
    for each in outcome.marked:
        images.set_status(connection, each.sop_instance_uid, ImageStatus.QUARANTINED)
    subject = f"{order.plan.plan_id} line {decision.line}"
    append(connection, [act.event(EventType.STUDY_DELETED, "DISPOSITION_MARKED", subject=subject)])
    return outcome


def _mark(row: images.ImageRow, reached: Reached) -> Marked:
    return Marked(
        sop_instance_uid=row.sop_instance_uid,
        orthanc_instance=row.orthanc_instance,
        status=row.status,
        files=reached.files[row.sop_instance_uid],
    )


def _outcome(
    act: Act, order: Order, decision: Decision, state: State, reason: str, marked: tuple[Marked, ...] = ()
) -> disposals.Outcome:
    return disposals.Outcome(
        plan_id=order.plan.plan_id,
        line=decision.line,
        batch_id=order.batch.batch_id,
        state=state,
        reason=reason,
        at=act.at.isoformat(),
        marked=marked,
    )


def _told(connection: Connection, act: Act, outcome: disposals.Outcome) -> disposals.Outcome:
    """Write what became of a line, with its entry in the trail."""
    seal = disposals.settle(connection, outcome)
    event = act.event(
        EventType.STUDY_DELETED,
        f"DISPOSITION_{outcome.state}",
        subject=f"{outcome.plan_id} line {outcome.line}",
        outcome=Outcome.SUCCESS if outcome.state is State.DESTROYED else Outcome.REFUSED,
        detail=seal,
    )
    append(connection, [event])
    return outcome
