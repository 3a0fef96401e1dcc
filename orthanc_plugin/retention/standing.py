"""Whether every word that a plan is executed on still stands: the approval, its days, its persons, later decisions.

Knows days, persons and the trail. Must not know objects. The cooling-off lies between approval and execution; an
approval that isn't executed within its days after that lapses. A row counts as a person's word only where the trail
has it. Of this machine's clock it is known that it doesn't run backwards, and a leap of it counts as SILENCE at most:
the trail must tell of the days in between.

Sources: requirements 4, steps 4, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry import disposals, plans
from orthanc_plugin.registry.plans import Action, Approval, Decision, Plan
from orthanc_plugin.registry.trail import newest_at, passed, said_since
from orthanc_plugin.retention.acting import Act, require_other, require_person

BACKWARDS: Final = timedelta(minutes=1)  # by as much the clocks of two nodes may differ
SILENCE: Final = timedelta(days=3)  # a long weekend in which nothing at all happens
LATER: Final = "a later decision on the record is {action} (plan {plan})"
OF_A_COPY: Final = "a copy of it lies in another record, and the last decision on that is {action} (plan {plan})"


def window(act: Act, approval: Approval) -> tuple[datetime, datetime]:
    """Return from when an approved plan may be executed, and until when."""
    terms = act.policy.disposition
    since = datetime.fromisoformat(approval.approved_at) + timedelta(days=terms.cooling_off_days)
    return since, since + timedelta(days=terms.approval_lapses_days)


def lapsed(act: Act, approval: Approval) -> bool:
    """Tell whether an approval was not executed in time."""
    return act.at > window(act, approval)[1]


def executable(connection: Connection, act: Act, plan: Plan, taken: dict[int, Decision]) -> Approval:
    """Return the approval under which a plan may be executed now; one of which a line was executed may be finished.

    Raises:
        NotAllowedError: whoever approved may not any more, or is somebody who proposed or decided.
        IllegalTransitionError: there is none, it is of other decisions, it is too early or too late.
    """
    approval = _approval(connection, plan.plan_id)
    require_forwards(connection, act)
    require_two_persons(act, plan, taken, approval)
    if approval.decided_sha256 != plans.decided_sha256(taken):
        raise IllegalTransitionError(
            "What was approved isn't what is decided.", remedy="Withdraw the approval, and have the plan approved anew."
        )
    _require_cooled(connection, act, approval)
    _, until = window(act, approval)
    begun = disposals.unfinished(connection, plan.plan_id) and any(disposals.outcomes_of(connection, plan.plan_id))
    if act.at > until and not begun:
        raise IllegalTransitionError(
            f"The approval lapsed on {until.date()}.", remedy="Have the plan approved anew, or make a new one."
        )
    return approval


def _require_cooled(connection: Connection, act: Act, approval: Approval) -> None:
    """Refuse what hasn't cooled off by the clock, or only by a clock that has leapt over days without an entry.

    Raises:
        IllegalTransitionError: it is too early.
    """
    since, _ = window(act, approval)
    if act.at < since:
        raise IllegalTransitionError(
            f"The plan cools off until {since.date()}.", remedy="Until then the approval can be withdrawn; wait."
        )
    days = timedelta(days=act.policy.disposition.cooling_off_days)
    lived = passed(connection, approval.entry, act.at, SILENCE)
    if lived < days:
        raise IllegalTransitionError(
            f"Of the {days.days} days of the cooling-off the trail tells of {lived.days} only: the clock has leapt.",
            remedy=f"Set the clock right, and wait. A silence of the trail counts as {SILENCE.days} days at most.",
        )


def _approval(connection: Connection, plan_id: str) -> Approval:
    approval = plans.approval_of(connection, plan_id)
    if approval is None:
        raise IllegalTransitionError("The plan isn't approved.", remedy="See 'consentgate retention approve'.")
    return approval


def require_forwards(connection: Connection, act: Act) -> None:
    """Refuse to write down when something was done while the clock is behind what is written down already.

    Raises:
        IllegalTransitionError: the trail has a later entry.
    """
    last = newest_at(connection)
    if last is not None and act.at < last - BACKWARDS:
        raise IllegalTransitionError(
            "This machine's clock is behind the last entry of the trail.", remedy="Set the clock right, and try again."
        )


def require_two_persons(act: Act, plan: Plan, taken: dict[int, Decision], approval: Approval) -> None:
    """Refuse unless whoever approved may still do so, and is nobody who proposed or decided, by the policy in force.

    Raises:
        NotAllowedError: an account has another owner or another duty since.
    """
    officer = require_person(act, approval.approved_by, Duty.APPROVE)
    require_other(act, officer, (plan.proposed_by,), "proposed the plan")
    require_other(act, officer, {each.decided_by for each in taken.values()}, "decided on a line of it")


def require_on_record(connection: Connection, plan_id: str) -> None:
    """Refuse unless the trail has each word of the plan as the registry has it, and none that the registry lacks.

    Raises:
        IllegalTransitionError: there is no approval; or a row was changed, added or taken out beside Consentgate.
        UnknownRecordError: there is no such plan.
    """
    plan, approval = plans.get(connection, plan_id), _approval(connection, plan_id)
    since = plan.entry - 1
    proposed = {detail for _, _, detail in said_since(connection, since, plans.PLAN_SEAL)}
    decided = {detail for _, _, detail in said_since(connection, since, plans.DECISION_SEAL)}
    words = [
        (actor, detail)
        for subject, actor, detail in said_since(connection, since, plans.APPROVAL_SEAL)
        if subject == plan.plan_id
    ]
    same = (
        plans.plan_seal(connection, plan) in proposed
        and set(plans.decision_seals(connection, since=since)) == decided
        and words[-1:] == [(approval.approved_by, plans.approval_seal(approval))]
    )
    if not same:
        raise IllegalTransitionError(
            "The trail doesn't tell the same of the plan, its decisions and its approval as the registry.",
            remedy="Rely on none of it: run 'consentgate audit verify', and make a new plan.",
        )


def objection(connection: Connection, record_sha256: str, studies: Iterable[str]) -> str:
    """Say which later word of anybody's keeps a record, or one that a copy of it lies in; '' when there is none.

    Whoever decides to keep need not be approved: when in doubt nothing is destroyed.
    """
    others = {plans.uid_sha256(study) for study in studies} - {record_sha256}
    last = plans.newest(connection, (record_sha256, *others))
    for record, decision in last.items():
        if decision.action is not Action.DESTROY:
            words = LATER if record == record_sha256 else OF_A_COPY
            return words.format(action=decision.action, plan=decision.plan_id)
    return ""
