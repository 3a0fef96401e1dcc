"""A record that only a copy keeps isn't passed over in silence: somebody is asked to look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.retention.reporting import report
from orthanc_plugin.retention.staleness import StaleFactsError
from tests.fakes.disposing import DISPOSING, Office, office
from tests.fakes.pictures import CARE, UID, encoded, photograph
from tests.fakes.world import World

COPY, TEACHING_FILE = f"{UID}.500", "2.25.888"
KEPT = [(DisposalTask.KEPT_BY_A_COPY, "2.25.1")]


@pytest.fixture
def bureau(world: World) -> Office:
    """Give the office of a world with a picture that fell due long ago; a copy is filed under a pseudonym."""
    policy = world.folder / "policy.toml"
    policy.write_text(DISPOSING)
    world.services = replace(world.services, policy=load_policy(policy))
    world.file(CARE)
    made = office(world)
    world.receive(encoded(photograph(uid=COPY, StudyInstanceUID=TEACHING_FILE)))
    made.archive.fill()
    world.sql(f"UPDATE images SET patient_id = 'ANON-7', issuer = 'T' WHERE sop_instance_uid = '{COPY}'")  # noqa: S608
    world.sql(
        "INSERT INTO disclosures (disclosure_id, decision_id, sop_instance_uid, released_uid, recipient, door, purpose,"  # noqa: S608
        " form, profile, consents, sha256, at, outcome)"
        f" VALUES ('d', 'd', '{UID}', '{COPY}', 'r', 'd', 'TEACHING', 'x', 'p', '[]', '', '', 'DELIVERED')"
    )
    return made


def asked(bureau: Office) -> list[tuple[object, object]]:
    return [(each["kind"], each["subject"]) for each in bureau.world.tasks()]


def next_day(bureau: Office) -> None:
    """Let a day pass, and have the feed tell of the patient alone."""
    bureau.pass_days(1)
    bureau.world.sql(f"UPDATE retention_feeds SET told_at = '{bureau.world.clock().isoformat()}'")  # noqa: S608


def test_a_record_whose_copy_has_no_date_is_put_on_the_records_officer_s_list_once(bureau: Office) -> None:
    for _ in range(2):
        assert bureau.plan().lines == 0
        assert asked(bureau) == KEPT
        next_day(bureau)
    (task,) = bureau.world.tasks()
    assert TEACHING_FILE in str(task["reason"])
    with bureau.world.services.database.reading() as connection:
        told = [each.records for each in report(connection, 2026) if each.name == DisposalTask.KEPT_BY_A_COPY]
    assert told == [1]


def test_stale_facts_close_no_such_task(bureau: Office) -> None:
    bureau.plan()
    bureau.world.clock.advance(days=3)
    with pytest.raises(StaleFactsError):
        bureau.plan()
    assert asked(bureau) == KEPT


def test_once_the_copy_is_gone_the_record_is_proposed_and_can_be_destroyed(bureau: Office) -> None:
    bureau.plan()
    bureau.world.sql(f"UPDATE images SET status = 'DISPOSED' WHERE sop_instance_uid = '{COPY}'")  # noqa: S608
    next_day(bureau)
    plan = bureau.plan()
    assert (plan.lines, asked(bureau)) == (1, [])
    bureau.decide(plan)
    bureau.approve(plan)
    bureau.pass_days(30)
    next_day(bureau)
    (outcome,), _ = bureau.execute(plan)
    assert outcome.state is State.DESTROYED
