"""At the execution every word is asked for again: a later one, another's picture, an approval that was taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

import orthanc_plugin.lifecycle.consenting  # noqa: F401 (withdrawal and it import each other: it comes first)
from dicomwrap.consentrecord import Withdrawal
from dicomwrap.subject import Patient
from dicomwrap.terms import WithdrawalPhase
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import plans, tasks
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Action, Approval, Plan
from orthanc_plugin.retention import deciding
from orthanc_plugin.retention.acting import NotAllowedError
from tests.fakes.disposing import DISPOSING, PLACE, Office, PowerCutError, office
from tests.fakes.pictures import CARE, CONSENT_ID, UID, consent, encoded, photograph
from tests.fakes.world import World
from tests.unit.dicomwrap.objects import PATIENT

OTHER, OTHER_STUDY = f"{UID}.500", "2.25.888"
KEPT = date(2030, 1, 1)


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with one picture that fell due long ago."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    return office(world)


def decide(bureau: Office, plan: Plan, line: int, action: Action) -> None:
    until = KEPT if action is Action.RETAIN_UNTIL else None
    with bureau.world.services.database.writing() as connection:
        place = PLACE if action is Action.TRANSFER else ""
        act, known = bureau.act("officer"), bureau.known
        deciding.decide(connection, act, plan.plan_id, (line,), action, "why", known, until, place)


def undo(bureau: Office, plan: Plan) -> None:
    with bureau.world.services.database.writing() as connection:
        deciding.undo(connection, bureau.act("clerk"), plan.plan_id, "the family asked")


def cool_off(bureau: Office) -> None:
    bureau.pass_days(31)
    bureau.tell()


def file_another(bureau: Office) -> None:
    """File a picture of another record of the same patient."""
    bureau.world.receive(encoded(photograph(uid=OTHER, StudyInstanceUID=OTHER_STUDY)))
    bureau.archive.fill()


def copied(bureau: Office) -> None:
    """Have that picture be a copy of the first record's."""
    bureau.world.sql(
        "INSERT INTO disclosures (disclosure_id, decision_id, sop_instance_uid, released_uid, recipient, door, purpose,"  # noqa: S608
        " form, profile, consents, sha256, at, outcome)"
        f" VALUES ('d', 'd', '{UID}', '{OTHER}', 'r', 'd', 'TEACHING', 'x', 'p', '[]', '', '', 'DELIVERED')"
    )


def line_of(bureau: Office, plan: Plan, study: str) -> plans.Line:
    with bureau.world.services.database.reading() as connection:
        return next(each for each in plans.lines_of(connection, plan.plan_id) if each.study_instance_uid == study)


def nothing_destroyed(bureau: Office, plan: Plan, words: str) -> None:
    (outcome,), _ = bureau.execute(plan)
    assert (outcome.state, words in outcome.reason) == (State.DROPPED, True), outcome.reason
    assert {row.status for row in bureau.world.rows()} == {ImageStatus.ACTIVE}


@pytest.mark.parametrize("action", [Action.RETAIN_UNTIL, Action.HOLD, Action.TRANSFER])
def test_a_later_decision_on_the_record_in_another_plan_keeps_it(action: Action, bureau: Office) -> None:
    first = bureau.plan()
    bureau.decide(first)
    bureau.approve(first)
    bureau.world.clock.advance(days=1)
    bureau.tell()
    decide(bureau, bureau.plan(), 1, action)
    bureau.pass_days(30)
    bureau.tell()
    nothing_destroyed(bureau, first, f"a later decision on the record is {action}")


def test_the_later_of_two_decisions_is_the_later_in_the_trail_whatever_the_clock_said(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.world.clock.advance(seconds=-30)
    bureau.decide(plan, action=Action.HOLD)
    with bureau.world.services.database.reading() as connection:
        assert plans.decided(connection, plan.plan_id)[1].action is Action.HOLD


def test_nobody_decides_or_approves_on_a_clock_that_ran_backwards(bureau: Office) -> None:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.world.clock.advance(days=-31)
    with pytest.raises(IllegalTransitionError, match="clock is behind"):
        bureau.approve(plan)
    with pytest.raises(IllegalTransitionError, match="clock is behind"):
        bureau.decide(plan)


def test_a_copy_in_a_record_that_somebody_decided_to_keep_keeps_its_original(bureau: Office) -> None:
    file_another(bureau)
    copied(bureau)
    plan = bureau.plan()
    line, other = line_of(bureau, plan, "2.25.1"), line_of(bureau, plan, OTHER_STUDY)
    assert "COPIES_HERE: 1" in line.flags
    assert f"1 picture(s) of the record {OTHER_STUDY}" in line.words
    decide(bureau, plan, line.line, Action.DESTROY)
    decide(bureau, plan, other.line, Action.RETAIN_UNTIL)
    bureau.approve(plan)
    cool_off(bureau)
    nothing_destroyed(bureau, plan, "a copy of it lies in another record")


def test_a_copy_that_was_filed_after_the_decision_drops_the_line(bureau: Office) -> None:
    plan = bureau.approved()
    file_another(bureau)
    copied(bureau)
    nothing_destroyed(bureau, plan, "has changed")


def test_an_approval_that_was_taken_back_lets_no_older_one_stand_again(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.execution().begin(plan.plan_id)
    bureau.pass_days(20)
    bureau.approve(plan)
    undo(bureau, plan)
    bureau.tell()
    with pytest.raises(IllegalTransitionError, match="isn't approved"):
        bureau.execute(plan)


def test_an_execution_that_did_nothing_yet_outlasts_no_approval(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.execution().begin(plan.plan_id)
    bureau.pass_days(20)
    bureau.tell()
    with pytest.raises(IllegalTransitionError, match="lapsed"):
        bureau.execute(plan)


def test_what_is_held_of_another_patient_under_the_same_uid_stays(bureau: Office) -> None:
    stranger = Patient(**{name: getattr(PATIENT, name) for name in PATIENT.__slots__} | {"id": "P999"})
    bureau.world.receive(encoded(photograph(patient=stranger)))
    outcomes, _ = bureau.execute(bureau.approved())
    assert [each.state for each in outcomes] == [State.DESTROYED]
    assert len(bureau.world.services.spool.names()) == 1
    assert bureau.world.sql("SELECT patient_id, status FROM quarantine") == [("P999", "HELD")]


def test_what_is_held_of_the_picture_itself_is_flagged_and_a_later_one_drops_the_line(bureau: Office) -> None:
    bureau.world.receive(encoded(photograph(InstanceNumber=77)))
    plan = bureau.approved()
    assert "HELD_IN_QUARANTINE: 1" in line_of(bureau, plan, "2.25.1").flags
    bureau.world.receive(encoded(photograph(InstanceNumber=78)))
    nothing_destroyed(bureau, plan, "has changed")


def repoint(bureau: Office, plan: Plan) -> None:
    other = line_of(bureau, plan, OTHER_STUDY)
    bureau.world.sql(
        f"UPDATE disposition_lines SET study_instance_uid = '{OTHER_STUDY}', study_sha256 = '{other.study_sha256}',"  # noqa: S608
        f" facts_sha256 = '{other.facts_sha256}' WHERE line = 1"
    )


def lift(bureau: Office, plan: Plan) -> None:
    undo(bureau, plan)
    bureau.world.sql("UPDATE disposition_approvals SET withdrawn_at = NULL, withdrawn_by = NULL, reason = ''")


def forge(bureau: Office, plan: Plan) -> None:
    with bureau.world.services.database.writing() as connection:
        known = plans.approval_of(connection, plan.plan_id)
        assert isinstance(known, Approval)
        plans.approve(connection, replace(known, approval_id="x", approved_by="officer", entry=known.entry + 1))


def hide(bureau: Office, plan: Plan) -> None:
    bureau.world.sql("DELETE FROM disposition_decisions WHERE action = 'HOLD'")


@pytest.mark.parametrize("change", [repoint, lift, forge, hide])
def test_what_was_changed_behind_consentgate_s_back_is_not_executed(
    change: Callable[[Office, Plan], None], bureau: Office
) -> None:
    file_another(bureau)
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.approve(plan)
    bureau.world.clock.advance(days=1)
    bureau.tell()
    decide(bureau, bureau.plan(), 1, Action.HOLD)
    bureau.pass_days(30)
    bureau.tell()
    change(bureau, plan)
    with pytest.raises(IllegalTransitionError, match="doesn't tell the same"):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('accounts = ["clerk", "clerk-admin"]', 'accounts = ["clerk", "clerk-admin", "guardian"]'),
        ('may = ["approve"]', 'may = ["propose"]'),
    ],
    ids=["the proposer's account now", "another duty now"],
)
def test_an_approver_who_is_none_any_more_drops_the_approval(before: str, after: str, bureau: Office) -> None:
    plan, policy = bureau.approved(), bureau.world.folder / "policy.toml"
    text = DISPOSING.replace(before, after)
    if "guardian" in after:
        text = text.replace('accounts = ["guardian"]', 'accounts = ["somebody"]')
    policy.write_text(text)
    bureau.world.services = replace(bureau.world.services, policy=load_policy(policy))
    with pytest.raises(NotAllowedError):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 1


def test_what_is_withdrawn_while_a_run_is_interrupted_comes_back_restricted(bureau: Office) -> None:
    plan = bureau.approved()
    delete = bureau.archive.delete

    def cut(_name: str) -> None:
        raise PowerCutError

    bureau.archive.delete = cut  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    bureau.archive.delete = delete  # type: ignore[method-assign]
    assert bureau.world.row().status is ImageStatus.QUARANTINED
    bureau.world.clock.advance(hours=1)
    note = Withdrawal(phase=WithdrawalPhase.LATER)
    with bureau.world.services.database.writing() as connection:
        withdrawal.withdraw(connection, bureau.act("nurse"), CONSENT_ID, (), on=bureau.world.clock().date(), note=note)
    assert bureau.world.row().status is ImageStatus.QUARANTINED
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DROPPED
    assert bureau.world.row().status is ImageStatus.RESTRICTED


@pytest.mark.parametrize("subject", ["2.25.1", CONSENT_ID])
def test_a_dispute_about_the_record_or_a_consent_drops_the_line(subject: str, bureau: Office) -> None:
    plan = bureau.approved()
    with bureau.world.services.database.writing() as connection:
        at = bureau.world.clock()
        tasks.open_task(connection, task_id="t", kind="IG_REVIEW", subject=subject, reason="whose is it", at=at)
    nothing_destroyed(bureau, plan, "has changed")


def test_a_refusal_under_a_number_that_was_merged_meanwhile_drops_the_line(bureau: Office) -> None:
    plan, world = bureau.approved(), bureau.world
    giver = {"type": "PATIENT", "id": "P7"}
    refusal = "urn:uuid:00000000-0000-4000-8000-00000000000a"
    world.record(consent(patient_id="P7", id=refusal, giver=giver, state="REFUSED"))
    world.sql("UPDATE patients SET merged_into_id = 'P7', merged_into_issuer = issuer WHERE patient_id = 'P1'")
    nothing_destroyed(bureau, plan, "has changed")


def test_two_runs_of_one_plan_settle_each_line_once(bureau: Office) -> None:
    plan = bureau.approved()
    first, second = bureau.execution(), bureau.execution()
    one, two = first.begin(plan.plan_id), second.begin(plan.plan_id)
    delete, inner = bureau.archive.delete, []

    def also(name: str) -> None:
        bureau.archive.delete = delete  # type: ignore[method-assign]
        inner.extend(second.run(*two))
        delete(name)

    bureau.archive.delete = also  # type: ignore[method-assign]
    outer = list(first.run(*one))
    again = list(second.run(*two))
    assert [each.state for each in (*inner, *outer, *again)] == [State.DESTROYED] * 3
    assert bureau.world.sql("SELECT count(*) FROM disposition_stubs") == [(1,)]


def test_a_line_that_one_person_alone_decided_to_keep_is_proposed_again(bureau: Office) -> None:
    decide(bureau, bureau.plan(), 1, Action.RETAIN_UNTIL)
    bureau.world.clock.advance(days=1)
    bureau.tell()
    assert bureau.plan().lines == 1


def test_a_stub_tells_the_year_alone_for_a_child_s_day_is_a_birthday(bureau: Office) -> None:
    _, certificate = bureau.execute(bureau.approved())
    assert '"due_date": "2018"' in certificate.text
    assert "2018-03-04" not in certificate.text


def test_the_holds_that_were_on_a_record_are_told_of_what_was_gone_already(bureau: Office) -> None:
    plan = bureau.approved()
    fill = bureau.world.archive.objects

    def gone(name: str) -> None:
        fill.pop(name)
        bureau.archive.file_of(name).unlink()
        raise PowerCutError

    bureau.archive.delete = gone  # type: ignore[method-assign]
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    bureau.hold()
    bureau.execute(plan)
    assert bureau.world.sql("SELECT holds FROM disposition_stubs") == [('["LITIGATION"]',)]


def test_a_hold_that_comes_between_the_mark_and_the_deletion_of_the_next_line_keeps_that(bureau: Office) -> None:
    file_another(bureau)
    plan, delete = bureau.approved(), bureau.archive.delete

    def held(name: str) -> None:
        bureau.archive.delete = delete  # type: ignore[method-assign]
        bureau.hold()
        delete(name)

    bureau.archive.delete = held  # type: ignore[method-assign]
    outcomes, _ = bureau.execute(plan)
    assert [each.state for each in outcomes] == [State.DESTROYED, State.DROPPED]
    assert sorted(row.status for row in bureau.world.rows()) == [ImageStatus.ACTIVE, ImageStatus.DISPOSED]


def test_a_line_all_of_whose_pictures_go_with_another_is_dropped_and_stops_nobody(bureau: Office) -> None:
    file_another(bureau)
    copied(bureau)
    bureau.world.sql(f"UPDATE images SET status = 'QUARANTINED' WHERE sop_instance_uid = '{OTHER}'")  # noqa: S608
    outcomes, _ = bureau.execute(bureau.approved())
    assert {each.line: each.state for each in outcomes} == {1: State.DESTROYED, 2: State.DROPPED}
    assert bureau.world.archive.objects == {}
