"""Who approves never had a hand in the plan, and what can't go on says whose word is concerned and what helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.registry import plans
from orthanc_plugin.registry.plans import Action, Approval
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention import deciding
from orthanc_plugin.retention.acting import NotAllowedError
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, office
from tests.fakes.pictures import CARE
from tests.fakes.world import World

SECOND_GUARDIAN = """
[[disposition.officers]]
person = "D. Guardian"
accounts = ["guardian2", "guardian2-ward"]
may = ["decide", "approve"]
"""
OF_BOTH = DISPOSING + SECOND_GUARDIAN


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture that fell due long ago."""
    ruled(world, OF_BOTH)
    world.file(CARE)
    return office(world)


def ruled(world: World, text: str) -> None:
    policy = world.folder / "policy.toml"
    policy.write_text(text)
    world.services = replace(world.services, policy=load_policy(policy))


def approve_behind_our_back(bureau: Office, plan: plans.Plan, by: str) -> None:
    """Write an approval, sealed in the trail, as an earlier release of Consentgate would have taken it."""
    world, act = bureau.world, bureau.act(by)
    with world.services.database.writing() as connection:
        taken = plans.decided(connection, plan.plan_id)
        given = Approval(
            approval_id="a",
            plan_id=plan.plan_id,
            decided_sha256=plans.decided_sha256(taken),
            approved_by=by,
            approved_at=act.at.isoformat(),
            entry=newest(connection)[0] + 1,
        )
        seal = plans.approve(connection, given)
        kind = EventType.APPLICATION_ACTIVITY
        append(connection, [act.event(kind, "DISPOSITION_APPROVED", subject=plan.plan_id, detail=seal)])


@pytest.mark.parametrize("by", ["guardian2", "guardian2-ward", " GUARDIAN2"])
@pytest.mark.parametrize("action", [Action.DESTROY, Action.HOLD])
def test_whoever_ever_decided_on_a_line_does_not_approve_though_another_decided_again(
    action: Action, by: str, bureau: Office
) -> None:
    plan = bureau.plan()
    bureau.decide(plan, by="guardian2", action=action)
    bureau.decide(plan, by="clerk")
    with pytest.raises(NotAllowedError, match="decided on a line of it"):
        bureau.approve(plan, by)
    bureau.approve(plan)


def test_whoever_decided_before_the_approval_was_withdrawn_does_not_approve_afterwards(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan, by="guardian2")
    bureau.approve(plan)
    with bureau.world.services.database.writing() as connection:
        deciding.undo(connection, bureau.act("clerk"), plan.plan_id, "the family asked")
    bureau.decide(plan, by="clerk")
    with pytest.raises(NotAllowedError):
        bureau.approve(plan, "guardian2")


def test_an_approval_by_somebody_who_had_decided_once_is_not_executed(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan, by="guardian2")
    bureau.decide(plan, by="clerk")
    approve_behind_our_back(bureau, plan, "guardian2-ward")
    bureau.pass_days(31)
    bureau.tell()
    with pytest.raises(NotAllowedError, match=r"decided on a line of it.*retention undo"):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 1


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('accounts = ["guardian"]', 'accounts = ["somebody"]', "approved the plan .*is no officer"),
        ('accounts = ["guardian"]\nmay = ["approve"]', 'accounts = ["guardian"]\nmay = ["propose"]', "may not approve"),
    ],
    ids=["gone", "another duty"],
)
def test_whoever_executes_is_told_that_it_is_the_approver_who_is_gone(
    before: str, after: str, words: str, bureau: Office
) -> None:
    plan = bureau.approved()
    ruled(bureau.world, OF_BOTH.replace(before, after))
    with pytest.raises(NotAllowedError, match=words) as told:
        bureau.execute(plan)
    assert "'guardian'" in str(told.value)
    assert "retention undo" in str(told.value)
    assert "This account" not in str(told.value)


def test_whoever_may_not_execute_is_told_of_their_own_account(bureau: Office) -> None:
    with pytest.raises(NotAllowedError, match="This account"):
        bureau.execute(bureau.approved(), by="stranger")


@pytest.mark.parametrize(("last", "latest"), [(date(1998, 7, 1), "2026-07-01"), (date(1998, 11, 22), "2026-11-22")])
def test_what_no_line_can_keep_any_more_is_refused_with_what_can(last: date, latest: str, bureau: Office) -> None:
    bureau.tell(replace(LONG_AGO, last_contact=last))
    plan, until = bureau.plan(), date(2030, 1, 1)
    act, known = bureau.act("officer"), bureau.known
    with bureau.world.services.database.writing() as connection, pytest.raises(IllegalTransitionError) as told:
        deciding.decide(connection, act, plan.plan_id, (1,), Action.RETAIN_UNTIL, "rare", known, until)
    assert f"ended on {latest}" in str(told.value)
    assert "hold place" in str(told.value)
    assert "Give a date" not in str(told.value)
