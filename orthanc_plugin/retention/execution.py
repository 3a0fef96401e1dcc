"""The execution of an approved plan: decide again, mark, destroy, verify, write the stub; resumable at any point.

Knows the order. Nothing is listed as destroyed that is still there: a line is marked first, in the transaction that
decides on it again; its stub is written only after its objects were looked for and not found. A line that was marked
when the process ended is taken up again. It runs in a process of its own, never inside Orthanc. While some lines are
destroyed, the next are decided on and marked, and those before are written down; right before it is destroyed a line is
decided on once more, unless nobody else has written into the trail since.

Sources: requirements 4, steps 6, 7, 8 and 10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import sleep
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.clock import Ticks, elapsed
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.registry import disposals, plans, transfers
from orthanc_plugin.registry.disposals import Batch, State
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.plans import Action, Decision, Line
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention import standing
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.again import Again
from orthanc_plugin.retention.ahead import Ahead
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.following import Followed, Head
from orthanc_plugin.retention.hand import Deleting, Hand, Why, Word
from orthanc_plugin.retention.interim import Memory
from orthanc_plugin.retention.order import Order
from orthanc_plugin.retention.portions import Portions
from orthanc_plugin.retention.reach import Ground, Reached, reach, require_found, require_same, survey
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.settling import Begun, Settling

AT_ONCE: Final = 50  # lines in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """Lines that were decided on together.

    Attributes:
        reached: where their files are.
        begun: those that are marked.
        stopped: what became of the others.
        head: the trail's newest entry then.
    """

    reached: Reached
    begun: tuple[Begun, ...]
    stopped: tuple[disposals.Outcome, ...]
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Executes plans.

    Attributes:
        database: the registry.
        shredder: deletes and looks.
        records: what is known of a record now.
        memory: what is destroyed is written there before the registry says so.
        acting: gives the act at the moment of each step.
        beside: deletes in a process of its own; None: this one deletes.
        at_once: how many lines are seen to in one transaction at most.
        ticks: gives seconds that pass.
        pause: leaves the registry to others for so many seconds.
    """

    database: Database
    shredder: Shredder
    records: Records
    memory: Memory
    acting: Callable[[], Act]
    beside: Deleting | None = None
    at_once: int = AT_ONCE
    ticks: Ticks = elapsed
    pause: Callable[[float], None] = sleep

    @property
    def deleting(self) -> Deleting:
        """Return what deletes."""
        return self.beside or Hand(database=self.database, shredder=self.shredder)

    def begin(self, plan_id: str) -> tuple[Order, tuple[Decision, ...]]:
        """Return the order and the lines that are still to be seen to; begins an execution unless one has begun.

        Raises:
            NotAllowedError: whoever acts may not execute.
            IllegalTransitionError: the plan isn't approved, still cools off, its approval has lapsed, it was executed,
                or the trail doesn't tell the same.
            ArchiveError: nothing could be verified.
        """
        self.shredder.require()
        with self.database.reading() as connection:  # the trail is long: not under the write lock
            standing.require_left(connection, plan_id)
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
                standing.require_work(connection, plan_id, due, plans.lines_for(taken, Action.TRANSFER) - settled)
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
        """See to each line, and give what became of it.

        Raises:
            ArchiveError: Orthanc can't be reached; what is marked is taken up by the next execution.
            RegistryError: the same, for the registry.
        """
        if not due:
            return
        before = self._head()
        ground = survey(self.database, self.shredder)
        require_found(ground, order.batch, self.shredder)
        head = self._head()
        with Ahead() as ahead:
            run = Run(
                execution=self,
                again=Again(records=self.records, order=order),
                ground=ground,
                ahead=ahead,
                portions=Portions(self.at_once, self.ticks, others=head != before),
                followed=Followed(head),
            )
            last: tuple[Some, Future[list[Why | None]]] | None = None
            waiting = iter(due)
            while portion := tuple(islice(waiting, run.portions.lines)):
                some = run.begin(portion)
                begun = some, ahead.begin(partial(run.destroy, some))
                yield from some.stopped
                if last is not None:
                    yield from run.write(*last)
                last = begun
            if last is not None:
                yield from run.write(*last)

    def _head(self) -> Head:
        with self.database.reading() as connection:
            return newest(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The steps that some lines take together: ``begin`` and ``write`` on one thread, ``destroy`` between on another.

    Attributes:
        execution: what is executed with.
        again: decides again.
        ground: what the archive had at the beginning.
        ahead: the other thread.
        portions: how many lines share a transaction.
        followed: tells what others write into the trail meanwhile.
    """

    execution: Execution
    again: Again
    ground: Ground
    ahead: Ahead
    portions: Portions
    followed: Followed

    def begin(self, due: Sequence[Decision]) -> Some:
        """Decide on lines again and mark them, in one transaction, for each is waited for until it is on disk."""
        self._let_others_write()
        reached = self._reached(due)
        with self._writing(len(due)) as (settling, head):
            connection = settling.connection
            lines = self._lines(connection, due)
            before = self.again.outcomes(connection, lines)
            known = self.again.known(connection, settling.act, lines, before)
            begun = [
                self.again.mark(settling, each, line, reached, before=before.get(number), known=known.get(number))
                for each, (number, line) in zip(due, lines.items(), strict=True)
            ]
            stopped = tuple(each.outcome for each in begun if each.outcome.state is not State.MARKED)
            self._keep(settling, head, [each.line for each in stopped])  # something of them may be gone already
            after = newest(connection)
        marked = tuple(each for each in begun if each.outcome.state is State.MARKED)
        return Some(reached=reached, begun=marked, stopped=stopped, head=after)

    def destroy(self, some: Some) -> list[Why | None]:
        """Destroy what is marked, and say why anything is left of each line; None of one that is to be kept.

        Each is asked about right before its own deletion; they are looked for together afterwards.
        """
        records = [each.outcome.marked for each in some.begun]
        return self.execution.deleting.destroy(records, some.head, partial(self._may_go, some), self.ahead.go_on)

    def write(self, some: Some, destroyed: Future[list[Why | None]]) -> list[disposals.Outcome]:
        """Write down what became of lines, once they are destroyed."""
        found = destroyed.result()
        self._let_others_write()
        with self._writing(len(some.begun)) as (settling, head):
            now = self.again.outcomes(settling.connection, [each.decision.line for each in some.begun])
            known = settling.read(each for begun in some.begun for each in begun.outcome.marked)
            done = [
                self._kept(settling, each, some)
                if why is None
                else settling.settle(each, why, now.get(each.decision.line), known)
                for each, why in zip(some.begun, found, strict=True)
            ]
            self._keep(settling, head, [each.decision.line for each in some.begun])
        return done

    @contextmanager
    def _writing(self, lines: int) -> Iterator[tuple[Settling, Head]]:
        """Give a transaction that sees to so many lines, and the trail's head before it."""
        execution, order = self.execution, self.again.order
        with execution.database.writing() as connection:
            began, head = execution.ticks(), newest(connection)
            others = not self.followed.alone(head)
            yield (
                Settling(connection=connection, act=execution.acting(), order=order, shredder=execution.shredder),
                head,
            )
            worked = execution.ticks() - began
        self.portions.held(lines, worked, execution.ticks() - began, others=others)

    def _let_others_write(self) -> None:
        """Leave the lock alone; before anything is looked at, for others change things meanwhile."""
        if seconds := self.portions.wait:
            self.execution.pause(seconds)

    def _lines(self, connection: Connection, due: Sequence[Decision]) -> dict[int, Line]:
        found = plans.chosen(connection, self.again.order.plan.plan_id, [each.line for each in due])
        known = {each.line: each for each in found}
        return {each.line: known[each.line] for each in due}

    def _line(self, connection: Connection, decision: Decision) -> Line:
        return self._lines(connection, (decision,))[decision.line]

    def _reached(self, due: Sequence[Decision]) -> Reached:
        """Look where the objects of the lines are, before the write lock is taken."""
        with self.execution.database.reading() as connection:
            studies = tuple(each.study_instance_uid for each in self._lines(connection, due).values())
            return reach(connection, self.execution.shredder, self.ground, studies)

    def _keep(self, settling: Settling, head: Head, lines: Sequence[int]) -> None:
        """End a transaction: what it tells is written outside first, and its entries are known as ours."""
        settling.close()
        if lines:
            self.execution.memory.keep(settling.connection, self.again.order.batch, head, lines)
        self.followed.wrote(head, newest(settling.connection))

    def _may_go(self, some: Some, place: int, now: Head) -> Word:
        """Tell whether a line may go after all; whatever may speak against it has an entry in the trail."""
        if self.followed.quiet(some.head, now):
            return Word.QUIET
        with self.execution.database.reading() as connection:
            return Word.KEEP if self._against(connection, some.begun[place], some) else Word.GO

    def _against(self, connection: Connection, begun: Begun, some: Some) -> str:
        act, line = self.execution.acting(), self._line(connection, begun.decision)
        marked = begun.outcome.marked
        return self.again.against(connection, act, begun.decision, line, marked, some.reached)[1]

    def _kept(self, settling: Settling, begun: Begun, some: Some) -> disposals.Outcome:
        """Drop a line that something came against, unless another run has settled it."""
        line = self._line(settling.connection, begun.decision)
        before = self.again.outcomes(settling.connection, (line.line,)).get(line.line)
        return self.again.mark(settling, begun.decision, line, some.reached, before=before).outcome
