"""From the plan to the certificate: nothing is destroyed that nobody has decided on and approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.errors import ConsentgateError, IllegalTransitionError
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import disposals, plans
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.plans import Action
from orthanc_plugin.retention import deciding
from orthanc_plugin.retention.acting import NotAllowedError
from orthanc_plugin.retention.certificate import verify
from orthanc_plugin.retention.staleness import StaleFactsError
from tests.fakes.disposing import DISPOSING, LONG_AGO, Office, PowerCutError, office
from tests.fakes.pictures import CARE, UID, encoded, photograph
from tests.fakes.world import World

SECOND = f"{UID}.2"


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with two pictures of one study that fell due long ago."""
    return opened(world)


@pytest.fixture
def either_bureau(either_world: World) -> Office:
    """Give the same on each database: for what requirements 4 demands of both, (a) to (j)."""
    return opened(either_world)


def opened(world: World) -> Office:
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    world.file(CARE, uid=SECOND)
    return office(world)


def lines(bureau: Office, plan: plans.Plan) -> list[plans.Line]:
    with bureau.world.services.database.reading() as connection:
        return list(plans.lines_of(connection, plan.plan_id))


def test_a_plan_lists_what_is_past_its_date_and_destroys_nothing(bureau: Office) -> None:
    (line,) = lines(bureau, bureau.plan())
    assert (line.objects, line.rule, line.due_date) == (2, "ADULT_GENERAL", "2018-03-04")
    assert line.size > 0
    assert "ADULT_GENERAL" in line.words
    assert bureau.archive.steps == 0


def test_the_same_day_gives_the_same_plan_and_makes_it_once(bureau: Office) -> None:
    assert bureau.plan() == bureau.plan("clerk-admin")
    bureau.world.clock.advance(days=1)
    assert bureau.plan().plan_id != ""


def test_nothing_is_proposed_on_facts_that_are_too_old(bureau: Office) -> None:
    bureau.world.clock.advance(hours=25)
    with pytest.raises(StaleFactsError, match="pas is fresh as of"):
        bureau.plan()
    assert bureau.world.sql("SELECT count(*) FROM disposition_plans") == [(0,)]


def test_an_approved_record_is_destroyed_and_only_its_stub_is_left(bureau: Office) -> None:
    outcomes, certificate = bureau.execute(bureau.approved())
    assert [each.state for each in outcomes] == [State.DESTROYED]
    assert bureau.world.archive.objects == {}
    assert not any(path.is_file() for path in bureau.archive.storage.rglob("*"))
    said = verify(certificate.text.encode(), bureau.world.services.heads.key.public_key())
    assert said["counts"] == {"records": 1, "objects": 2}
    assert said["not_destroyed"] == []


def test_a_destroyed_picture_is_answered_for_by_a_certificate(either_bureau: Office) -> None:
    either_bureau.execute(either_bureau.approved())
    decision = either_bureau.world.services.gate.authorize(either_bureau.world.request()).decision
    assert "destroyed" in decision.reasons[0]
    assert "PROVIDE_DESTRUCTION_CERTIFICATE" in decision.obligations


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Office.hold, "HELD (LITIGATION)"),
        (lambda bureau: bureau.tell(replace(LONG_AGO, last_contact=date(2026, 12, 1))), "RETAIN"),
        (lambda bureau: bureau.tell(replace(LONG_AGO, open_episode=True)), "OPEN"),
        (lambda bureau: bureau.tell(replace(LONG_AGO, last_contact=date(2010, 3, 5))), "has changed"),
        (lambda bureau: bureau.world.clock.advance(hours=25), "too old"),
        (lambda bureau: bureau.world.withdraw(), "has changed"),
    ],
    ids=["a hold", "seen again", "under care", "another date", "stale", "withdrawn"],
)
def test_a_change_between_approval_and_execution_drops_the_line(
    change: Callable[[Office], object], words: str, either_bureau: Office
) -> None:
    plan = either_bureau.approved()
    change(either_bureau)
    (outcome,), certificate = either_bureau.execute(plan)
    assert outcome.state is State.DROPPED
    assert words in outcome.reason
    assert len(either_bureau.world.archive.objects) == 2
    assert {row.status for row in either_bureau.world.rows()} == {ImageStatus.ACTIVE}
    assert words in certificate.text


@pytest.mark.parametrize("by", ["clerk", "clerk-admin", " CLERK-Admin", "officer", "stranger"])
def test_no_disguise_lets_the_proposer_or_a_decider_approve(by: str, either_bureau: Office) -> None:
    plan = either_bureau.plan()
    either_bureau.decide(plan)
    with pytest.raises(NotAllowedError):
        either_bureau.approve(plan, by)
    either_bureau.approve(plan)


def test_nobody_approves_what_is_undecided(bureau: Office) -> None:
    with pytest.raises(IllegalTransitionError, match="no default"):
        bureau.approve(bureau.plan())


@pytest.mark.parametrize(("days", "words"), [(0, "cools off"), (29, "cools off"), (45, "lapsed")])
def test_a_plan_is_executed_after_the_cooling_off_and_before_the_approval_lapses(
    days: int, words: str, bureau: Office
) -> None:
    plan = bureau.plan()
    bureau.decide(plan)
    bureau.approve(plan)
    bureau.pass_days(days)
    with pytest.raises(IllegalTransitionError, match=words):
        bureau.execute(plan)
    assert len(bureau.world.archive.objects) == 2


def test_an_approval_is_withdrawn_in_the_cooling_off(bureau: Office) -> None:
    plan = bureau.approved()
    with bureau.world.services.database.writing() as connection:
        deciding.undo(connection, bureau.act("officer"), plan.plan_id, "the family asked")
    with pytest.raises(IllegalTransitionError, match="isn't approved"):
        bureau.execute(plan)


def test_what_orthanc_can_t_delete_is_shut_at_every_door_and_certified_as_kept(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.archive.refuses.add(bureau.world.row(SECOND).orthanc_instance)
    (outcome,), certificate = bureau.execute(plan)
    assert outcome.state is State.PARTLY
    assert "1 of 2" in certificate.text
    assert bureau.world.row(SECOND).status is ImageStatus.QUARANTINED
    assert len(bureau.world.archive.objects) == 1


def test_a_file_that_stays_on_disk_is_not_taken_for_destroyed(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.archive.keeps_files = True
    (outcome,), _ = bureau.execute(plan)
    assert (outcome.state, "still on disk" in outcome.reason) == (State.PARTLY, True)


def test_nothing_begins_where_deleted_files_are_kept(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.archive.loaded = ("python", "delayed-deletion")
    with pytest.raises(ConsentgateError, match="keeps what is destroyed"):
        bureau.execute(plan)


def listed_as_destroyed(bureau: Office) -> set[str]:
    with bureau.world.services.database.reading() as connection:
        return {instance for instance, _ in disposals.instances(connection)}


def test_a_run_cut_off_at_any_step_is_taken_up_and_never_lists_as_destroyed_what_is_there(
    either_bureau: Office,
) -> None:
    plan, step = either_bureau.approved(), 0
    while True:
        step += 1
        either_bureau.archive.steps, either_bureau.archive.cut_at = 0, step % 7 + 1 if step < 40 else -1
        try:
            _, certificate = either_bureau.execute(plan)
            break
        except PowerCutError:
            assert not listed_as_destroyed(either_bureau) & either_bureau.archive.instances()
    assert certificate.text.count("uids_sha256") == 1
    assert either_bureau.world.archive.objects == {}


def test_a_hold_that_comes_while_a_run_is_interrupted_keeps_what_is_left(bureau: Office) -> None:
    plan = bureau.approved()
    bureau.archive.cut_at = 6
    with pytest.raises(PowerCutError):
        bureau.execute(plan)
    bureau.archive.cut_at, left = -1, len(bureau.world.archive.objects)
    bureau.hold()
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DROPPED
    assert len(bureau.world.archive.objects) == left
    assert not listed_as_destroyed(bureau) & bureau.archive.instances()


def test_copies_that_were_filed_here_and_what_quarantine_holds_go_with_the_record(bureau: Office) -> None:
    world = bureau.world
    world.receive(encoded(photograph(uid=UID, InstanceNumber=77)))  # the same UID with other bytes: held
    assert len(world.services.spool.names()) == 1
    world.sql(f"UPDATE images SET study_instance_uid = '2.25.9' WHERE sop_instance_uid = '{SECOND}'")  # noqa: S608
    world.sql(
        "INSERT INTO disclosures (disclosure_id, decision_id, sop_instance_uid, released_uid, recipient, door, purpose,"  # noqa: S608
        " form, profile, consents, sha256, at, outcome)"
        f" VALUES ('d', 'd', '{UID}', '{SECOND}', 'r', 'd', 'TEACHING', 'x', 'p', '[]', '', '', 'DELIVERED')"
    )
    outcomes, _ = bureau.execute(bureau.approved())
    assert {each.state for each in outcomes} == {State.DESTROYED, State.DROPPED}
    assert world.archive.objects == {}
    assert world.services.spool.names() == ()
    assert world.sql("SELECT status, patient_id, reasons FROM quarantine") == [("DELETED", "", "[]")]


def test_a_record_whose_recall_is_not_confirmed_is_flagged(either_bureau: Office) -> None:
    either_bureau.world.sql(
        "INSERT INTO disclosures (disclosure_id, decision_id, sop_instance_uid, released_uid, recipient, door, purpose,"  # noqa: S608
        " form, profile, consents, sha256, at, outcome, recall)"
        f" VALUES ('d', 'd', '{UID}', '{UID}', 'r', 'd', 'TEACHING', 'x', 'p', '[]', '', '', 'DELIVERED', 'OPEN')"
    )
    (line,) = lines(either_bureau, either_bureau.plan())
    assert line.flags[:2] == ("RECALL_NOT_CONFIRMED: 1", "COPIES_OUTSIDE: 1")


@pytest.mark.parametrize(
    ("last", "day"), [(date(2016, 2, 28), date(2028, 2, 29)), (date(2020, 2, 29), date(2028, 3, 1))]
)
def test_a_plan_of_a_leap_day_and_of_the_day_after(last: date, day: date, either_bureau: Office) -> None:
    either_bureau.world.clock.at = either_bureau.world.clock.at.replace(year=day.year, month=day.month, day=day.day)
    either_bureau.tell(replace(LONG_AGO, last_contact=last))
    (line,) = lines(either_bureau, either_bureau.plan())
    assert date.fromisoformat(line.due_date) < day


def test_what_two_persons_agreed_to_keep_is_not_proposed_before_that_day_is_over(bureau: Office) -> None:
    plan, until = bureau.plan(), date(2026, 12, 1)
    with bureau.world.services.database.writing() as connection:
        act = bureau.act("officer")
        deciding.decide(connection, act, plan.plan_id, (1,), Action.RETAIN_UNTIL, "a rare case", bureau.known, until)
    bureau.approve(plan)
    for days, proposed in ((5, 0), (5, 1)):
        bureau.pass_days(days)
        bureau.tell()
        assert bureau.plan().lines == proposed
