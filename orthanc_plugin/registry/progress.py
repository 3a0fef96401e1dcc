"""How far plans of disposition have come: what is decided, who approved, which executions there were, what they did.

Knows rows. Must not know days, nor who may do what: what a plan's stage is, ``retention.stages`` says.

Source: requirements 4, steps 3 to 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, ColumnElement, Connection, func, select, true

from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.disposaltables import approvals, batches, decisions, outcomes
from orthanc_plugin.registry.plans import Action, Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a plan has come.

    Attributes:
        decided: how many lines were decided, by what was decided last.
        approval: the newest, though it be withdrawn.
        running: an execution has begun and not ended.
        certificates: numbers of the executions that have ended, oldest first.
        settled: how many lines an execution has seen to, by what became of them.
    """

    decided: Mapping[Action, int] = field(default_factory=dict)
    approval: Approval | None = None
    running: bool = False
    certificates: tuple[str, ...] = ()
    settled: Mapping[State, int] = field(default_factory=dict)


def of(connection: Connection, plan_id: str) -> Progress:
    """Return how far one plan has come."""
    return _found(connection, plan_id)[plan_id]


def of_all(connection: Connection) -> Mapping[str, Progress]:
    """Return how far every plan has come; one of which nothing is on record has come nowhere."""
    return _found(connection, None)


def certificates(connection: Connection, plan_id: str) -> tuple[str, ...]:
    """Return the numbers of a plan's executions that have ended, oldest first."""
    return tuple(_ended(connection, plan_id)[plan_id])


def _found(connection: Connection, plan_id: str | None) -> defaultdict[str, Progress]:
    decided, approved = _decided(connection, plan_id), _approved(connection, plan_id)
    ended, running, settled = _ended(connection, plan_id), _running(connection, plan_id), _settled(connection, plan_id)
    named = {*decided, *approved, *ended, *running, *settled}
    known = {
        each: Progress(
            decided=decided[each],
            approval=approved.get(each),
            running=each in running,
            certificates=tuple(ended[each]),
            settled=settled[each],
        )
        for each in sorted(named)
    }
    return defaultdict(Progress, known)


def _of(column: Column[str], plan_id: str | None) -> ColumnElement[bool]:
    return true() if plan_id is None else column == plan_id


def _decided(connection: Connection, plan_id: str | None) -> defaultdict[str, dict[Action, int]]:
    """Count lines by their last decision; that is the one with the latest entry, by no clock."""
    key, last = (decisions.c.plan_id, decisions.c.line), func.max(decisions.c.entry).label("entry")
    newest = select(*key, last).where(_of(decisions.c.plan_id, plan_id)).group_by(*key).subquery()
    same = [decisions.c[name] == newest.c[name] for name in ("plan_id", "line", "entry")]
    action = decisions.c.action
    query = select(decisions.c.plan_id, action, func.count()).join(newest, same[0] & same[1] & same[2])
    found: defaultdict[str, dict[Action, int]] = defaultdict(dict)
    for plan, name, count in connection.execute(query.group_by(decisions.c.plan_id, action).order_by(action)):
        found[plan][Action(name)] = count
    return found


def _approved(connection: Connection, plan_id: str | None) -> dict[str, Approval]:
    query = select(approvals).where(_of(approvals.c.plan_id, plan_id)).order_by(approvals.c.entry)
    return {row.plan_id: Approval(**row._mapping) for row in connection.execute(query)}


def _ended(connection: Connection, plan_id: str | None) -> defaultdict[str, list[str]]:
    known = (_of(batches.c.plan_id, plan_id), batches.c.ended_at.is_not(None))
    query = select(batches.c.plan_id, batches.c.batch_id).where(*known)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for plan, number in connection.execute(query.order_by(batches.c.ended_at, batches.c.batch_id)):
        found[plan].append(number)
    return found


def _running(connection: Connection, plan_id: str | None) -> frozenset[str]:
    known = (_of(batches.c.plan_id, plan_id), batches.c.ended_at.is_(None))
    return frozenset(connection.execute(select(batches.c.plan_id).where(*known)).scalars())


def _settled(connection: Connection, plan_id: str | None) -> defaultdict[str, dict[State, int]]:
    query = select(outcomes.c.plan_id, outcomes.c.state, func.count()).where(_of(outcomes.c.plan_id, plan_id))
    found: defaultdict[str, dict[State, int]] = defaultdict(dict)
    for plan, state, count in connection.execute(query.group_by(outcomes.c.plan_id, outcomes.c.state)):
        found[plan][State(state)] = count
    return found
