"""The report of a year or a month: destroyed by which rule, decided, held, and what went otherwise.

Knows counts. Must not name a record or a patient.

Sources: requirements 4, step 12 (NHS Records Management Code 2.6, monitoring).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.registry import disposals, holds, plans, retentionschedules, stubs
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.plans import Line
from orthanc_plugin.registry.tables import tasks
from orthanc_plugin.registry.tasks import open_tasks
from orthanc_plugin.retention import noticing
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.proposing import past_date
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.staleness import AsIfFresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One line of the report; ``objects`` and ``size`` (bytes) where they are known."""

    part: str
    name: str
    records: int
    objects: int | None = None
    size: int | None = None


def report(connection: Connection, year: int, month: int | None = None) -> list[Count]:
    """Return the report of a year or of one month of it, in UTC; what is overdue is by the newest plan."""
    moments = str(year) if month is None else f"{year}-{month:02}"  # as they begin
    return [
        *_destroyed(connection, moments),
        *_decided(connection, moments),
        *_exceptions(connection, moments),
        *_noticed(connection, moments),
        *_held(connection),
        *_unplanned(connection, moments),
        *_kept(connection),
        *_overdue(connection),
    ]


def _destroyed(connection: Connection, moments: str) -> Iterator[Count]:
    records: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for stub in stubs.years(connection, moments):
        records[stub.rule] += 1
        objects[stub.rule] += stub.objects
        size[stub.rule] += stub.size
    for rule in sorted(records):
        yield Count(part="destroyed", name=rule, records=records[rule], objects=objects[rule], size=size[rule])


def _decided(connection: Connection, moments: str) -> Iterator[Count]:
    counted = plans.actions(connection, moments)
    for action in plans.Action:
        yield Count(part="decided", name=action, records=counted.get(action, 0))


def _exceptions(connection: Connection, moments: str) -> Iterator[Count]:
    counted = disposals.states(connection, moments)
    for state in (State.DROPPED, State.PARTLY):
        yield Count(part="exceptions", name=state, records=counted.get(state, 0))


def _noticed(connection: Connection, moments: str) -> Iterator[Count]:
    """Count the recipients' notices of what was destroyed, by how they stand; OPEN ones are not out yet."""
    names = [stub.stub_id for stub in stubs.years(connection, moments)]
    for standing, count in noticing.counted(connection, names).items():
        yield Count(part="notices to recipients", name=standing, records=count)


def _held(connection: Connection) -> Iterator[Count]:
    kinds = Counter(str(each.order.kind) for each in holds.standing(connection))
    yield from (Count(part="holds standing", name=kind, records=kinds[kind]) for kind in sorted(kinds))


def _unplanned(connection: Connection, moments: str) -> Iterator[Count]:
    lost = (tasks.c.kind == DisposalTask.UNPLANNED_DESTRUCTION, tasks.c.opened_at.startswith(moments))
    found = connection.execute(select(tasks.c.task_id).where(*lost), execution_options=IN_PARTS)
    yield Count(part="exceptions", name=DisposalTask.UNPLANNED_DESTRUCTION, records=sum(1 for _ in found))


def _kept(connection: Connection) -> Iterator[Count]:
    """Count what is past its date, and kept by a copy alone."""
    kind = DisposalTask.KEPT_BY_A_COPY
    yield Count(part="exceptions", name=kind, records=len(open_tasks(connection, kind)))


def overdue_on_stale_facts(connection: Connection, act: Act, records: Records) -> list[Count]:
    """Count what is past its date by rule while no plan can be made, for a source is too old; else nothing."""
    if retentionschedules.active(connection) is None or not records.around(connection, act).stale:
        return []
    past = past_date(connection, act, AsIfFresh(schedule=records.schedule))
    return list(_by_rule(f"past due on {act.day}, on stale facts", past))


def _overdue(connection: Connection) -> Iterator[Count]:
    """Count what the newest plan proposed and is still there, by rule."""
    newest = next(iter(plans.listed(connection)), None)
    if newest is not None:
        still = [each for each in plans.lines_of(connection, newest.plan_id) if each.study_instance_uid]
        yield from _by_rule(f"past due on {newest.as_of}", still)


def _by_rule(part: str, found: Sequence[Line]) -> Iterator[Count]:
    for rule in sorted({each.rule for each in found}):
        mine = [each for each in found if each.rule == rule]
        objects, size = sum(each.objects for each in mine), sum(each.size for each in mine)
        yield Count(part=part, name=rule, records=len(mine), objects=objects, size=size)
