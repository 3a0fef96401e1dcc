"""Appraisal: each line of a plan decided by a person, and the whole approved by another.

Knows who may decide and approve. Must not destroy. There is no default: a plan is approved once every line is decided,
and many lines are decided for destruction at once within one rule only.

Sources: requirements 4, steps 3, 4 and 5; T-8 (extension).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.policy.expirydates import Period, after
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import disposals, plans, progress
from orthanc_plugin.registry.plans import Action, Approval, Decision, Line
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention.acting import Act, require, require_other
from orthanc_plugin.retention.standing import executed, lapsed, require_forwards


def decide(
    connection: Connection,
    act: Act,
    plan_id: str,
    numbers: Sequence[int],
    action: Action,
    reason: str,
    schedule: Schedule,
    until: date | None = None,
    place: str = "",
) -> Decision:
    """Record what becomes of lines of a plan; a later decision on a line replaces an earlier one.

    Raises:
        NotAllowedError: whoever acts may not decide.
        IllegalTransitionError: the plan is approved or executed, the lines are of several rules, or there is no reason.
        UnknownRecordError: there is no such plan or line.
    """
    require(act, Duty.DECIDE)
    require_forwards(connection, act)
    plan = plans.get(connection, plan_id)
    _require_open(connection, act, plan_id)
    if not reason.strip():
        raise IllegalTransitionError("A line is decided with a reason.", remedy="Say why, for whoever approves it.")
    chosen = plans.chosen(connection, plan.plan_id, numbers)
    _require_sense(chosen, action, until)
    _require_place(act, action, place)
    if until is not None:
        _require_extension(act, chosen, until, schedule.max_extension_years)
    decision_id, at, entry = act.ids(), act.at.isoformat(), newest(connection)[0] + 1
    taken = [
        Decision(
            decision_id=decision_id,
            plan_id=plan_id,
            line=line.line,
            action=action,
            until=until.isoformat() if until else None,
            reason=reason.strip(),
            decided_by=act.by,
            decided_at=at,
            entry=entry,
            place=place,
        )
        for line in chosen
    ]
    seal = plans.decide(connection, taken)
    event = act.event(
        EventType.APPLICATION_ACTIVITY,
        f"DISPOSITION_{action}",
        subject=plan_id,
        reasons=(f"{len(taken)} line(s)",),
        detail=seal,
    )
    append(connection, [event])
    return taken[0]


def _require_unexecuted(connection: Connection, plan_id: str) -> None:
    """Refuse to change a word of a plan of which a line was executed, whatever else there is to say of it."""
    if ended := progress.certificates(connection, plan_id):
        raise executed(ended)
    if next(disposals.outcomes_of(connection, plan_id), None) is not None:
        raise IllegalTransitionError(
            "The execution of the plan has begun.",
            remedy="Place a hold on what must not go on ('consentgate hold place'), then have the execution finished: "
            "'consentgate retention apply'.",
        )


def _require_open(connection: Connection, act: Act, plan_id: str) -> None:
    _require_unexecuted(connection, plan_id)
    approval = plans.approval_of(connection, plan_id)
    if approval is not None and not lapsed(act, approval):
        raise IllegalTransitionError(
            "The plan is approved as it was decided.",
            remedy="Withdraw the approval first: 'consentgate retention undo'.",
        )


def _require_sense(chosen: Sequence[Line], action: Action, until: date | None) -> None:
    if not chosen:
        raise IllegalTransitionError("No line was named.", remedy="See 'consentgate retention show'.")
    if action is Action.DESTROY and len({line.rule for line in chosen}) > 1:
        raise IllegalTransitionError(
            "Lines are decided for destruction together within one rule only.", remedy="Name the lines of one rule."
        )
    if (until is None) is (action is Action.RETAIN_UNTIL):
        raise IllegalTransitionError("RETAIN_UNTIL needs a date, and nothing else has one.", remedy="Give the date.")


def _require_place(act: Act, action: Action, name: str) -> None:
    """Refuse a transfer to where policy.toml doesn't send anything, and a place for what goes nowhere."""
    if bool(name) is not (action is Action.TRANSFER):
        raise IllegalTransitionError(
            "TRANSFER needs a place of deposit, and nothing else has one.", remedy="Name it with --to."
        )
    place = act.policy.disposition.place(name)
    if name and (place is None or not place.open_on(act.day)):
        raise IllegalTransitionError(
            "policy.toml names no such place of deposit, or it takes nothing any more.",
            remedy="Name one of [[disposition.places]].",
        )


def _require_extension(act: Act, chosen: Sequence[Line], until: date, years: int) -> None:
    """Refuse a date that isn't to come, or is further beyond the minimum period than the schedule allows."""
    latest = min(after(date.fromisoformat(line.due_date), Period(years=years)) for line in chosen)
    if latest <= act.day:
        raise IllegalTransitionError(
            f"A line keeps a record {years} years beyond its minimum period at most, and these ended on {latest}.",
            remedy="Name the lines alone whose years haven't ended. What is still needed is kept by a hold "
            "('consentgate hold place') with HOLD on its line, or goes to a place of deposit (TRANSFER).",
        )
    if not act.day < until <= latest:
        raise IllegalTransitionError(
            f"A record is kept until a day to come, at most {years} years beyond its minimum period.",
            remedy=f"Give a date up to {latest}, or transfer the record.",
        )


def approve(connection: Connection, act: Act, plan_id: str) -> Approval:
    """Approve a plan as it is decided; the cooling-off begins.

    Raises:
        NotAllowedError: whoever acts may not approve, or proposed the plan or decided on a line of it.
        IllegalTransitionError: a line is undecided, it is approved already, or it was executed.
    """
    officer = require(act, Duty.APPROVE)
    require_forwards(connection, act)
    plan, taken = plans.get(connection, plan_id), plans.decided(connection, plan_id)
    _require_open(connection, act, plan_id)
    if undecided := plan.lines - len(taken):
        raise IllegalTransitionError(
            f"{undecided} line(s) of the plan are undecided, and there is no default.", remedy="Decide on each first."
        )
    require_other(act, officer, (plan.proposed_by,), "proposed the plan")
    require_other(act, officer, plans.deciders(connection, plan_id), "decided on a line of it")
    approval = Approval(
        approval_id=act.ids(),
        plan_id=plan_id,
        decided_sha256=plans.decided_sha256(taken),
        approved_by=act.by,
        approved_at=act.at.isoformat(),
        entry=newest(connection)[0] + 1,
    )
    seal = plans.approve(connection, approval)
    append(
        connection, [act.event(EventType.APPLICATION_ACTIVITY, "DISPOSITION_APPROVED", subject=plan_id, detail=seal)]
    )
    return approval


def undo(connection: Connection, act: Act, plan_id: str, reason: str) -> Approval:
    """Withdraw the approval of a plan of which nothing was executed yet; any officer of disposition may.

    Raises:
        NotAllowedError: whoever acts has no duty in disposition.
        IllegalTransitionError: there is no approval, its execution has begun, or there is no reason.
        UnknownRecordError: there is no such plan.
    """
    require(act)
    plan = plans.get(connection, plan_id)
    _require_unexecuted(connection, plan.plan_id)
    approval = plans.approval_of(connection, plan_id)
    if approval is None:
        raise IllegalTransitionError(
            "The plan isn't approved, so there is no approval to withdraw.",
            remedy="See 'consentgate retention plans'. A hold keeps a record anyway: 'consentgate hold place'.",
        )
    if not reason.strip():
        raise IllegalTransitionError("An approval is withdrawn with a reason.", remedy="Say why.")
    ended = replace(approval, withdrawn_by=act.by, withdrawn_at=act.at.isoformat(), reason=reason.strip())
    seal = plans.withdraw(connection, ended)
    append(connection, [act.event(EventType.APPLICATION_ACTIVITY, "DISPOSITION_UNDONE", subject=plan_id, detail=seal)])
    return ended
