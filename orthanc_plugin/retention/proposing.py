"""Propose what is past its date: a plan, with one line a record. Nothing is destroyed by it.

Knows what a line says. Must not reckon dates. The same day, schedule and records give the same plan, which is then not
made twice unless it was executed; what somebody decided to keep until a later day isn't proposed before.

Sources: requirements 4, steps 1 and 2; T-12 (nothing is proposed on stale facts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import drafts, plans, tasks, transfers
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.plans import Line, Plan
from orthanc_plugin.registry.retentionlines import Reckoned
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.lining import past_due, refresh
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.staleness import StaleFactsError, aged

AT_ONCE: Final = 1000  # lines in one transaction: whoever else writes waits for it
KEPT: Final = "past its date, but a copy of it was filed in {others}, which has none or a later one"
FREE: Final = "no copy keeps it any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """The plan of a day, whether it was made just now, and how many records had to be reckoned anew for it."""

    plan: Plan
    new: bool
    reckoned: int


def propose(database: Database, act: Act, records: Records) -> Proposed:
    """Return the plan of this day.

    Records are looked at without the write lock, for whatever changes meanwhile is noticed when a plan is executed.

    Raises:
        NotAllowedError: whoever acts may not propose.
        StaleFactsError: a source is too old; no plan is made, for an empty one would say that nothing is past its date.
    """
    require(act, Duty.PROPOSE)
    reckoned = refresh(database, act, records)
    with database.reading() as connection:
        shared = records.around(connection, act)
        if shared.stale:
            raise StaleFactsError(aged(connection, act, shared))
        proposed, kept = _found(connection, act, records)
        digest = plans.lines_sha256(proposed)
        known = plans.like(connection, act.day.isoformat(), shared.schedule.digest, digest)
    plan_id = act.ids()
    if known is None:
        _draft(database, plan_id, proposed)
    with database.writing() as connection:
        _ask(connection, act, kept)
        same = plans.like(connection, act.day.isoformat(), shared.schedule.digest, digest)
        plan = same or _written(connection, act, shared.schedule, plan_id, len(proposed), digest)
    return Proposed(plan=plan, new=same is None, reckoned=reckoned)


def _draft(database: Database, plan_id: str, proposed: list[Line]) -> None:
    """Write the lines of a plan to be, a few at a time, and take out what a run that was cut off has left."""
    with database.reading() as connection:
        left_over = drafts.left_over(connection)
    for each in left_over:
        with database.writing() as connection:
            drafts.discard(connection, each)
    for some in pieces(proposed, AT_ONCE):
        with database.writing() as connection:
            drafts.draft(connection, plan_id, some)


def past_date(connection: Connection, act: Act, records: Records) -> list[Line]:
    """Return what the records' dates say may be proposed now, as lines of no plan: to be counted."""
    return _found(connection, act, records)[0]


def _found(connection: Connection, act: Act, records: Records) -> tuple[list[Line], dict[str, tuple[str, ...]]]:
    """Return the lines of what may be proposed; and what is past its date and kept by copies, with their records."""
    decided = plans.retained(connection, act.day.isoformat()) | transfers.under_way(connection)
    proposed, kept = list[Line](), {}
    for each, others in past_due(connection, act, records):
        digest = plans.uid_sha256(each.study_instance_uid)
        if others:
            kept[each.study_instance_uid] = others
        elif digest not in decided:
            proposed.append(_line(len(proposed) + 1, each, digest))
    return proposed, kept


def _ask(connection: Connection, act: Act, kept: dict[str, tuple[str, ...]]) -> None:
    """Have somebody look into each record that only a copy keeps, and end that where none does any more."""
    kind = DisposalTask.KEPT_BY_A_COPY
    for study, others in kept.items():
        reason = KEPT.format(others=", ".join(others))
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=study, reason=reason, at=act.at)
    for subject in {str(task["subject"]) for task in tasks.open_tasks(connection, kind)} - set(kept):
        tasks.close_tasks(connection, kind=kind, subject=subject, by=act.by, at=act.at, note=FREE)


def _written(connection: Connection, act: Act, schedule: Schedule, plan_id: str, count: int, digest: str) -> Plan:
    """Make the plan of the lines that are written.

    Raises:
        IllegalTransitionError: they aren't all there: another plan was made at the same time.
    """
    if drafts.count(connection, plan_id) != count:
        raise IllegalTransitionError("Another plan was made at the same time.", remedy="Run it again.")
    plan = Plan(
        plan_id=plan_id,
        as_of=act.day.isoformat(),
        proposed_at=act.at.isoformat(),
        proposed_by=act.by,
        schedule=schedule.version,
        schedule_sha256=schedule.digest,
        lines=count,
        lines_sha256=digest,
        entry=newest(connection)[0] + 1,
    )
    seal = plans.add(connection, plan)
    event = act.event(EventType.APPLICATION_ACTIVITY, "DISPOSITION_PROPOSED", subject=plan.plan_id, detail=seal)
    append(connection, [event])
    return plan


def _line(number: int, found: Reckoned, digest: str) -> Line:
    return Line(
        number,
        found.study_instance_uid,
        digest,
        found.objects,
        found.size,
        found.unsized,
        found.rule,
        found.due_date,
        found.words,
        found.flags,
        found.facts_sha256,
    )


def shown(line: Line) -> dict[str, object]:
    """Return a line for people and other programs."""
    return {name: value for name, value in line._asdict().items() if name not in ("study_sha256", "facts_sha256")}
