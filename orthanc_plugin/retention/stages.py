"""At which stage a plan is, and from when until when it may be executed: for whoever may still stop it.

Knows days. Must not decide anything: ``standing`` asks for every word again before anything is executed.

Source: requirements 4, step 5 (the cooling-off is visible to the Caldicott Guardian and to information governance).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from orthanc_plugin.config.disposition import Disposition
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Action, Plan
from orthanc_plugin.registry.progress import Progress
from orthanc_plugin.retention.standing import window


@unique
class Stage(StrEnum):
    """Where a plan stands.

    Attributes:
        PROPOSED: a line is undecided.
        DECIDED: every line is; it waits for its approval.
        WITHDRAWN: its approval was withdrawn; it may be approved anew.
        COOLING_OFF: approved; until it may be executed the approval can be withdrawn.
        EXECUTABLE: approved, and it may be executed.
        LAPSED: approved, and not executed in time.
        KEPT: approved, and nothing of it is to be destroyed.
        BEGUN: an execution has seen to a line and was cut off, or is at work.
        EXECUTED: an execution has ended, and was certified.
    """

    PROPOSED = "PROPOSED"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"
    COOLING_OFF = "COOLING_OFF"
    EXECUTABLE = "EXECUTABLE"
    LAPSED = "LAPSED"
    KEPT = "KEPT"
    BEGUN = "BEGUN"
    EXECUTED = "EXECUTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A plan's stage; times as ISO 8601, None of what hasn't come to be.

    Attributes:
        executable_from: end of the cooling-off, by the policy in force.
        lapses: end of the approval.
        certificates: numbers of its executions' certificates.
        destroyed, dropped, partly: how many lines were.
    """

    state: Stage
    approved_by: str | None
    approved_at: str | None
    executable_from: str | None
    lapses: str | None
    withdrawn_by: str | None
    withdrawn_at: str | None
    withdrawn_because: str | None
    certificates: tuple[str, ...]
    destroyed: int
    dropped: int
    partly: int


def staged(plan: Plan, found: Progress, terms: Disposition, now: datetime) -> Staged:
    """Return the stage of a plan."""
    given = found.approval
    stands = given is not None and given.withdrawn_at is None
    since, until = window(terms, given) if given is not None and stands else (None, None)
    return Staged(
        state=_stage(plan, found, since, until, now),
        approved_by=given.approved_by if given else None,
        approved_at=given.approved_at if given else None,
        executable_from=since.isoformat() if since else None,
        lapses=until.isoformat() if until else None,
        withdrawn_by=given.withdrawn_by if given else None,
        withdrawn_at=given.withdrawn_at if given else None,
        withdrawn_because=given.reason if given and not stands else None,
        certificates=found.certificates,
        destroyed=found.settled.get(State.DESTROYED, 0),
        dropped=found.settled.get(State.DROPPED, 0),
        partly=found.settled.get(State.PARTLY, 0),
    )


def _stage(plan: Plan, found: Progress, since: datetime | None, until: datetime | None, now: datetime) -> Stage:
    if found.certificates or found.settled:
        return Stage.BEGUN if found.running or not found.certificates else Stage.EXECUTED
    if since is None or until is None:
        if found.approval is not None:
            return Stage.WITHDRAWN
        return Stage.DECIDED if sum(found.decided.values()) == plan.lines else Stage.PROPOSED
    if not {Action.DESTROY, Action.TRANSFER} & found.decided.keys():
        return Stage.KEPT
    if now < since:
        return Stage.COOLING_OFF
    return Stage.EXECUTABLE if now <= until else Stage.LAPSED


def sentences(found: Staged) -> Iterator[str]:
    """Give what there is to say of a plan's stage, for a person."""
    yield f"The plan is {found.state}."
    if found.approved_by:
        yield f"Approved by {found.approved_by} on {_day(found.approved_at)}."
    if found.withdrawn_by:
        yield f"Withdrawn by {found.withdrawn_by} on {_day(found.withdrawn_at)}: {found.withdrawn_because}."
    if found.state in (Stage.COOLING_OFF, Stage.EXECUTABLE, Stage.LAPSED):
        yield f"Executable from {_day(found.executable_from)} to {_day(found.lapses)}."
    if found.destroyed or found.dropped or found.partly:
        yield f"{found.destroyed} record(s) destroyed, {found.dropped} dropped, {found.partly} in part."
    if found.certificates:
        yield f"See certificate {', '.join(found.certificates)}."


def _day(moment: str | None) -> str:
    return (moment or "")[:10]
