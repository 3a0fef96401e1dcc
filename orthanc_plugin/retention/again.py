"""Decide on the lines of a plan again, in the transaction that marks them: any change since the proposal drops a line.

Knows the records as they stand, and what was decided. Must not destroy.

Source: requirements 4, step 6 (re-check at execution, in the same transaction).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.registry import disposals
from orthanc_plugin.registry.disposals import Marked, Outcome, State
from orthanc_plugin.registry.plans import Decision, Line
from orthanc_plugin.retention import standing
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.changes import change
from orthanc_plugin.retention.order import Order
from orthanc_plugin.retention.reach import Reached
from orthanc_plugin.retention.records import Record, Records
from orthanc_plugin.retention.settling import Begun, Settling

TAKEN: Final = "another line has taken all of its pictures, as copies of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Decides again.

    Attributes:
        records: what is known of a record now.
        order: what is executed, on whose word.
    """

    records: Records
    order: Order

    def outcomes(self, connection: Connection, lines: Collection[int]) -> dict[int, Outcome]:
        """Return what became of those of these lines that were seen to before."""
        return disposals.outcomes_in(connection, self.order.plan.plan_id, lines)

    def known(
        self, connection: Connection, act: Act, lines: Mapping[int, Line], before: Mapping[int, Outcome]
    ) -> dict[int, Record]:
        """Return lines' records as they stand, looked at together, but for those that share pictures.

        These are looked at one by one, for marking one of them changes the other.
        """
        marked = [each for outcome in before.values() for each in outcome.marked]
        studies = tuple(line.study_instance_uid for line in lines.values())
        found = self.records.many(connection, studies, act, before=marked)
        times = Counter(row.sop_instance_uid for record in found.values() for row in record.pictures)
        alone = {
            study: record
            for study, record in found.items()
            if all(times[row.sop_instance_uid] == 1 for row in record.pictures)
        }
        return {
            number: alone[line.study_instance_uid] for number, line in lines.items() if line.study_instance_uid in alone
        }

    def mark(
        self,
        settling: Settling,
        decision: Decision,
        line: Line,
        reached: Reached,
        *,
        before: Outcome | None,
        known: Record | None = None,
    ) -> Begun:
        """Decide on a line; mark it, take it up if it is marked, or drop it."""
        if before is not None and before.state is not State.MARKED:  # another run has settled it
            return Begun(decision=decision, line=line, outcome=before)
        marked = before.marked if before else ()
        record, problem = self.against(settling.connection, settling.act, decision, line, marked, reached, known)
        holds = record.holds if record else ()
        if problem or record is None:
            outcome = settling.stop(decision, line, marked, problem, holds)
        elif before is not None and marked:
            outcome = before
        else:
            free = [row for row in record.pictures if disposals.is_free(settling.connection, row.sop_instance_uid)]
            if free:
                outcome = settling.begin(decision, free, reached)
            else:
                outcome = settling.stop(decision, line, marked, TAKEN, holds)
        return Begun(decision=decision, line=line, outcome=outcome, holds=holds)

    def against(
        self,
        connection: Connection,
        act: Act,
        decision: Decision,
        line: Line,
        marked: tuple[Marked, ...],
        reached: Reached,
        known: Record | None = None,
    ) -> tuple[Record | None, str]:
        """Return a record as it stands, and what speaks against its destruction, '' for nothing."""
        record = known or self.records.of(connection, line.study_instance_uid, act, before=marked)
        problem = standing.unreceived(connection, decision) or change(self.order.plan, line, record, reached)
        if record is not None and not problem:
            studies = (row.study_instance_uid for row in record.pictures)
            problem = standing.objection(connection, line.study_sha256, studies, decision)
        if not (problem or marked):
            problem = reached.problems.get(line.study_instance_uid, "")
        return record, problem
