"""Propose what is past its date: a plan, with one line a record. Nothing is destroyed by it.

Knows what a line says. Must not reckon dates. The same day, schedule and records give the same plan, which is then not
made twice; what somebody decided to keep until a later day isn't proposed before.

Sources: requirements 4, steps 1 and 2; T-12 (nothing is proposed on stale facts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import plans, tasks
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.plans import Line, Plan
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.records import Record, Records

KEPT: Final = "past its date, but a copy of it was filed in {others}, which has none or a later one"
FREE: Final = "no copy keeps it any more"


def propose(database: Database, act: Act, records: Records) -> tuple[Plan, bool]:
    """Return the plan of this day, and whether it was made just now.

    Records are looked at without the write lock, for whatever changes meanwhile is noticed when a plan is executed.

    Raises:
        NotAllowedError: whoever acts may not propose.
    """
    require(act, Duty.PROPOSE)
    with database.reading() as connection:
        schedule, stale = records.schedule(connection), records.stale(connection, act)
        proposed, kept = _found(connection, act, records)
    with database.writing() as connection:
        if not stale:
            _ask(connection, act, kept)
        digest = plans.lines_sha256(proposed)
        same = plans.like(connection, act.day.isoformat(), schedule.digest, digest)
        return (same, False) if same is not None else (_written(connection, act, schedule, proposed, digest), True)


def _found(connection: Connection, act: Act, records: Records) -> tuple[list[Line], dict[str, tuple[str, ...]]]:
    """Return the lines of what may be proposed; and what is past its date and kept by copies, with their records."""
    decided, proposed, kept = plans.retained(connection, act.day.isoformat()), list[Line](), {}
    for each in records.past_due(connection, act):
        if not each.due.proposable:
            kept[each.study_instance_uid] = each.kept_by
        elif plans.uid_sha256(each.study_instance_uid) not in decided:
            proposed.append(_line(len(proposed) + 1, each))
    return proposed, kept


def _ask(connection: Connection, act: Act, kept: dict[str, tuple[str, ...]]) -> None:
    """Have somebody look into each record that only a copy keeps, and end that where none does any more."""
    kind = DisposalTask.KEPT_BY_A_COPY
    for study, others in kept.items():
        reason = KEPT.format(others=", ".join(others))
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=study, reason=reason, at=act.at)
    for subject in {str(task["subject"]) for task in tasks.open_tasks(connection, kind)} - set(kept):
        tasks.close_tasks(connection, kind=kind, subject=subject, by=act.by, at=act.at, note=FREE)


def _written(connection: Connection, act: Act, schedule: Schedule, proposed: list[Line], digest: str) -> Plan:
    day = act.day.isoformat()
    plan = Plan(
        plan_id=act.ids(),
        as_of=day,
        proposed_at=act.at.isoformat(),
        proposed_by=act.by,
        schedule=schedule.version,
        schedule_sha256=schedule.digest,
        lines=len(proposed),
        lines_sha256=digest,
        entry=newest(connection)[0] + 1,
    )
    seal = plans.add(connection, plan, proposed)
    event = act.event(EventType.APPLICATION_ACTIVITY, "DISPOSITION_PROPOSED", subject=plan.plan_id, detail=seal)
    append(connection, [event])
    return plan


def _line(number: int, record: Record) -> Line:
    due = record.due
    return Line(
        line=number,
        study_instance_uid=record.study_instance_uid,
        study_sha256=plans.uid_sha256(record.study_instance_uid),
        objects=len(record.pictures),
        size=sum(row.size or 0 for row in record.pictures),
        unsized=sum(row.size is None for row in record.pictures),
        rule=due.governing_rule or "",
        due_date=str(due.due_date),
        words="\n".join((*due.words, *_copies(record))),
        flags=record.flags,
        facts_sha256=record.facts_sha256,
    )


def _copies(record: Record) -> Iterator[str]:
    """Say which pictures of other records a line takes with it."""
    beside = Counter(row.study_instance_uid for row in record.pictures)
    for study, count in sorted(beside.items()):
        if study != record.study_instance_uid:
            yield f"Takes with it {count} picture(s) of the record {study}: copies of its own that were filed there."


def shown(line: Line) -> dict[str, object]:
    """Return a line for people and other programs."""
    return {name: value for name, value in asdict(line).items() if name not in ("study_sha256", "facts_sha256")}
