"""Whether every word that a plan is executed on still stands: the approval, its days, its persons, later decisions.

Knows days, persons and the trail. Must not know objects. The cooling-off lies between approval and execution; an
approval that isn't executed within its days after that lapses. A row counts as a person's word only where the trail
has it. Of this machine's clock it is known that it doesn't run backwards, and a leap of it counts as SILENCE at most:
the trail must tell of the days in between.

Sources: requirements 4, steps 4, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.config.disposition import Disposition, Duty
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry import disposals, plans, progress, transfers
from orthanc_plugin.registry.plans import Action, Approval, Decision, Plan
from orthanc_plugin.registry.trail import newest_at, passed, said_since
from orthanc_plugin.retention.acting import Act, require_other, require_still

BACKWARDS: Final = timedelta(minutes=1)  # by as much the clocks of two nodes may differ
SILENCE: Final = timedelta(days=3)  # a long weekend in which nothing at all happens
LATER: Final = "a later decision on the record is {action} (plan {plan})"
NOT_RECEIVED: Final = "it goes to a place of deposit, and there is no confirmed receipt for it"
ANEW: Final = (
    "Where nothing was executed yet, withdraw the approval ('consentgate retention undo') and have another officer "
    "approve the plan; else mend [[disposition.officers]] of policy.toml."
)
CONFIRMED_ANEW: Final = (
    "Mend [[disposition.officers]] of policy.toml, or give the transfer up ('consentgate transfer abandon')."
)
OF_A_COPY: Final = "a copy of it lies in another record, and the last decision on that is {action} (plan {plan})"


def window(terms: Disposition, approval: Approval) -> tuple[datetime, datetime]:
    """Return from when an approved plan may be executed, and until when."""
    since = datetime.fromisoformat(approval.approved_at) + timedelta(days=terms.cooling_off_days)
    return since, since + timedelta(days=terms.approval_lapses_days)


def lapsed(act: Act, approval: Approval) -> bool:
    """Tell whether an approval was not executed in time."""
    return act.at > window(act.policy.disposition, approval)[1]


def executable(
    connection: Connection, act: Act, plan: Plan, taken: dict[int, Decision], *, received: bool = False
) -> Approval:
    """Return the approval under which a plan may be executed now; one of which a line was executed may be finished.

    So may one of which a place of deposit has ``received`` a record meanwhile.

    Raises:
        NotAllowedError: whoever approved may not any more, or is somebody who proposed or decided.
        IllegalTransitionError: there is none, it is of other decisions, it is too early or too late.
    """
    approval = _approval(connection, plan.plan_id)
    require_forwards(connection, act)
    require_two_persons(connection, act, plan, approval)
    if approval.decided_sha256 != plans.decided_sha256(taken):
        raise IllegalTransitionError(
            "What was approved isn't what is decided.", remedy="Withdraw the approval, and have the plan approved anew."
        )
    _require_cooled(connection, act, approval)
    _, until = window(act.policy.disposition, approval)
    if act.at > until and not (received or begun(connection, plan.plan_id)):
        raise IllegalTransitionError(
            f"The approval lapsed on {until.date()}.", remedy="Have the plan approved anew, or make a new one."
        )
    return approval


def begun(connection: Connection, plan_id: str) -> bool:
    """Tell whether an execution of a plan was cut off after it had seen to a line."""
    return disposals.unfinished(connection, plan_id) is not None and any(disposals.outcomes_of(connection, plan_id))


def _require_cooled(connection: Connection, act: Act, approval: Approval) -> None:
    """Refuse what hasn't cooled off by the clock, or only by a clock that has leapt over days without an entry.

    Raises:
        IllegalTransitionError: it is too early.
    """
    since, _ = window(act.policy.disposition, approval)
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


def executed(certificates: Sequence[str]) -> IllegalTransitionError:
    """Return the refusal of whatever comes to a plan whose execution has ended."""
    return IllegalTransitionError(
        f"The plan was executed: see certificate {', '.join(certificates)}.",
        remedy="What it left is proposed by a new plan: 'consentgate retention plan'. The files of the certificate are "
        "written again by 'consentgate certificate export'.",
    )


def require_left(connection: Connection, plan_id: str) -> None:
    """Refuse to execute again what was executed to its end, whoever asks and whatever became of its approval since.

    Raises:
        IllegalTransitionError: it was, and no line is left that might still be destroyed.
    """
    ended = progress.certificates(connection, plan_id)
    if not ended or disposals.unfinished(connection, plan_id) is not None:
        return
    taken = plans.decided(connection, plan_id)
    leave = plans.lines_for(taken, Action.DESTROY) | plans.lines_for(taken, Action.TRANSFER)
    if leave <= {each.line for each in disposals.outcomes_of(connection, plan_id)}:
        raise executed(ended)


def require_work(connection: Connection, plan_id: str, due: Collection[Decision], moving: Collection[int]) -> None:
    """Refuse to begin an execution that would come to nothing: no certificate is given of none.

    Raises:
        IllegalTransitionError: what is left is on its way to a place of deposit, or nothing is.
    """
    if due:
        return
    if moving:
        raise IllegalTransitionError(
            f"{len(moving)} record(s) go to a place of deposit, and no receipt for them is confirmed yet.",
            remedy="See 'consentgate transfer list'; what isn't exported yet is by 'consentgate transfer export'.",
        )
    if ended := progress.certificates(connection, plan_id):
        raise executed(ended)
    raise IllegalTransitionError(
        "No line of the plan is to be destroyed, so there is nothing to execute.",
        remedy="See 'consentgate retention show'; what is kept until a day is kept by the approval alone.",
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


def require_two_persons(connection: Connection, act: Act, plan: Plan, approval: Approval) -> None:
    """Refuse unless whoever approved may still do so, and is nobody who proposed or decided, by the policy in force.

    Whoever decided on a line has had a hand in the plan, though another decided on that line again.

    Raises:
        NotAllowedError: an account has another owner or another duty since.
    """
    officer = require_still(act, approval.approved_by, Duty.APPROVE, what="approved the plan", remedy=ANEW)
    require_other(act, officer, (plan.proposed_by,), "proposed the plan", remedy=ANEW)
    require_other(act, officer, plans.deciders(connection, plan.plan_id), "decided on a line of it", remedy=ANEW)


def require_receivers(connection: Connection, act: Act, taken: dict[int, Decision], received: Iterable[int]) -> None:
    """Refuse unless whoever confirmed each receipt may still do so, and is nobody who made the bag or entered it.

    Raises:
        NotAllowedError: an account has another owner or another duty since.
    """
    for each in (transfers.received(connection, taken[line]) for line in received):
        if each is not None:
            officer = require_still(
                act, each.confirmed_by, Duty.APPROVE, what="confirmed a receipt", remedy=CONFIRMED_ANEW
            )
            require_other(act, officer, (each.begun_by,), "exported the bag", remedy=CONFIRMED_ANEW)
            require_other(act, officer, (each.entered_by,), "entered the receipt", remedy=CONFIRMED_ANEW)


def unreceived(connection: Connection, decision: Decision) -> str:
    """Say that a record is to be transferred and wasn't received, '' when nothing is amiss."""
    if decision.action is not Action.TRANSFER or transfers.received(connection, decision):
        return ""
    return NOT_RECEIVED


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
        and _told_of_transfers(connection, since, plan_id)
    )
    if not same:
        raise IllegalTransitionError(
            "The trail doesn't tell the same of the plan, its decisions and its approval as the registry.",
            remedy="Rely on none of it: run 'consentgate audit verify', and make a new plan.",
        )


def _told_of_transfers(connection: Connection, since: int, plan_id: str) -> bool:
    """Tell whether the trail has each transfer of a plan as it stands; of none it isn't read."""
    if not (known := transfers.listed(connection, plan_id)):
        return True
    told = said_since(connection, since, transfers.SEAL)
    newest = {subject: detail.partition("\n")[0] for subject, _, detail in told}
    return all(newest.get(each.transfer_id) == transfers.seal(each) for each in known)


def objection(connection: Connection, record_sha256: str, studies: Iterable[str], carried_out: Decision) -> str:
    """Say which later word of anybody's keeps a record, or one that a copy of it lies in; '' when there is none.

    The decision that is ``carried_out`` speaks against no destruction of its own record, though it be a TRANSFER.

    Whoever decides to keep need not be approved: when in doubt nothing is destroyed.
    """
    others = {plans.uid_sha256(study) for study in studies} - {record_sha256}
    last = plans.newest(connection, (record_sha256, *others))
    for record, decision in last.items():
        own = record == record_sha256 and decision.decision_id == carried_out.decision_id
        if decision.action is not Action.DESTROY and not own:
            words = LATER if record == record_sha256 else OF_A_COPY
            return words.format(action=decision.action, plan=decision.plan_id)
    return ""
