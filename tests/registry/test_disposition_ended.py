"""A plan that has ended is nobody's way any more: it is not given again, decided on, approved nor executed twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import holding
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Action, Plan
from orthanc_plugin.retention import deciding
from tests.fakes.disposing import DISPOSING, Office, PowerCutError, office
from tests.fakes.pictures import CARE, UID, encoded, photograph
from tests.fakes.world import World

AT_ONCE = DISPOSING.replace("[disposition]\n", "[disposition]\ncooling_off_days = 0\n")


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture that fell due long ago, where nothing needs to cool off."""
    policy = world.folder / "policy.toml"
    policy.write_text(AT_ONCE)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def approved(bureau: Office) -> Plan:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.approve(plan)
    return plan


def undo(bureau: Office, plan: Plan) -> None:
    with bureau.world.services.database.writing() as connection:
        deciding.undo(connection, bureau.act("clerk"), plan.plan_id, "the family asked")


def held_and_let_go(bureau: Office, plan: Plan) -> None:
    hold = bureau.hold()
    bureau.execute(plan)
    with bureau.world.services.database.writing() as connection:
        holding.lift(connection, bureau.act("officer"), hold, "the court", "settled")


def another_schedule_and_back(bureau: Office, plan: Plan) -> None:
    before = bureau.known
    bureau.known = replace(before, digest="0" * 64)
    bureau.execute(plan)
    bureau.known = before


CHANGES = pytest.mark.parametrize("change", [held_and_let_go, another_schedule_and_back])


def state_of(bureau: Office) -> tuple[object, ...]:
    """Return how much is on record and in the folder of certificates."""
    tables = ("trail", "disposition_batches", "disposition_outcomes")
    counts = [bureau.world.sql(f"SELECT count(*) FROM {each}") for each in tables]  # noqa: S608
    return *counts, sorted(path.name for path in bureau.certificates.iterdir())


@CHANGES
def test_what_was_dropped_is_proposed_again_on_the_same_day_in_a_plan_of_its_own(
    change: Callable[[Office, Plan], None], bureau: Office
) -> None:
    plan = approved(bureau)
    change(bureau, plan)
    again = bureau.plan()
    assert (again.plan_id != plan.plan_id, again.lines) == (True, 1)
    assert bureau.plan() == again
    bureau.decide(again)
    bureau.approve(again)
    (outcome,), _ = bureau.execute(again)
    assert outcome.state is State.DESTROYED


@CHANGES
@pytest.mark.parametrize("step", [Office.decide, Office.approve, Office.execute, undo])
def test_every_step_on_an_executed_plan_says_so_and_names_the_certificate(
    step: Callable[[Office, Plan], object], change: Callable[[Office, Plan], None], bureau: Office
) -> None:
    plan = approved(bureau)
    change(bureau, plan)
    ((number,),) = bureau.world.sql("SELECT batch_id FROM disposition_batches")
    before = state_of(bureau)
    with pytest.raises(IllegalTransitionError, match=f"was executed: see certificate {number}.*retention plan"):
        step(bureau, plan)
    assert state_of(bureau) == before


@pytest.mark.parametrize("step", [Office.decide, Office.approve, undo])
def test_a_plan_whose_execution_was_cut_off_is_to_be_finished_and_then_is(
    step: Callable[[Office, Plan], object], bureau: Office
) -> None:
    plan = approved(bureau)
    bureau.archive.cut_at = 4
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    bureau.archive.cut_at = -1
    with pytest.raises(IllegalTransitionError, match=r"execution of the plan has begun.*retention apply"):
        step(bureau, plan)
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED


def test_an_executed_plan_is_not_said_to_have_lapsed(bureau: Office) -> None:
    plan = approved(bureau)
    bureau.execute(plan)
    bureau.pass_days(20)
    with pytest.raises(IllegalTransitionError, match="was executed"):
        bureau.execute(plan)


def test_a_plan_of_which_nothing_goes_is_not_executed(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan, action=Action.HOLD)
    bureau.approve(plan)
    with pytest.raises(IllegalTransitionError, match="No line of the plan is to be destroyed"):
        bureau.execute(plan)
    assert bureau.world.sql("SELECT count(*) FROM disposition_batches") == [(0,)]


def test_an_approval_that_nobody_gave_is_not_withdrawn(bureau: Office) -> None:
    with pytest.raises(IllegalTransitionError, match="isn't approved"):
        undo(bureau, bureau.plan())


def test_a_plan_of_which_a_record_waits_for_its_receipt_says_that_and_not_that_it_was_executed(bureau: Office) -> None:
    bureau.world.receive(encoded(photograph(uid=f"{UID}.500", StudyInstanceUID="2.25.888")))
    bureau.archive.fill()
    plan = bureau.plan()
    bureau.decide(plan, 1)
    bureau.decide(plan, 2, action=Action.TRANSFER)
    bureau.approve(plan)
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED
    with pytest.raises(IllegalTransitionError, match="place of deposit"):
        bureau.execute(plan)
