"""Copies at another Orthanc under our control: deleted, looked for, and nothing else there touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orthanc_plugin.config.bindings import Recall
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.recipients import Recipient
from orthanc_plugin.policy.recalling import Method, Standing
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.otherorthanc import OtherSimulator, other_orthanc
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.world import POLICY, World, with_policy
from tests.unit.lifecycle.steps import recalls as copies
from tests.unit.sending.noticing import notices, only, withdraw

PEER = """
[[recipients]]
name = "branch"
kind = "peer"
url = "{url}"
owner = "the branch's records officer"
recall = "delete"
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
"""


def branch(world: World, other: OtherSimulator) -> World:
    """Return the world with another Orthanc under our control, which has a copy that was withdrawn."""
    path = world.folder / "policy.toml"
    path.write_text(POLICY + PEER.format(url=other.url))
    policy = load_policy(path)
    there = replace(world, services=replace(world.services, policy=policy))
    assert isinstance(policy.recipient("branch"), Recipient)
    row = world.file(CARE, TEACHING)
    with world.services.database.writing() as connection:
        ledger.disclose(
            connection,
            ledger.Disclosure(
                disclosure_id="D1",
                decision_id="decision",
                sop_instance_uid=UID,
                released_uid=UID,
                recipient="branch",
                requester="route",
                door="courier",
                purpose="DIRECT_CARE",
                form="PERMIT_IDENTIFIABLE",
                profile="",
                consents=(CONSENT_ID,),
                consent_versions=(1,),
                sha256=row.sha256,
                at=world.clock().isoformat(),
                outcome=Delivery.DELIVERED,
            ),
        )
    return withdraw(there)


def test_a_copy_at_a_peer_under_our_control_is_deleted_and_looked_for(world: World) -> None:
    with other_orthanc(UID, f"{UID}.7") as other:
        there = branch(world, other)
        notices(there).perform()
        assert set(other.has) == {f"{UID}.7"}
    found = only(there)
    assert (found.method, found.standing, found.settled_by) == (Method.DELETE, Standing.ACKNOWLEDGED, "courier-1")
    assert "not found there afterwards" in found.how
    assert copies(there) == {"D1": "CONFIRMED"}
    assert "CONFIRM_RECALL" not in {task["kind"] for task in there.tasks()}


def test_what_is_gone_at_the_peer_already_is_gone(world: World) -> None:
    with other_orthanc() as other:
        there = branch(world, other)
        notices(there).perform()
        assert {method for method, _ in other.asked} == {"POST"}
    assert only(there).standing is Standing.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda other: setattr(other, "keeps", True), "still has it"),
        (lambda other: other.status.update(POST=401), "can't be searched"),
        (lambda other: other.status.update(DELETE=403), "deletes nothing"),
    ],
    ids=["keeps it", "hides it", "refuses"],
)
def test_a_peer_that_does_not_delete_is_asked_again(
    fault: Callable[[OtherSimulator], None], words: str, world: World
) -> None:
    with other_orthanc(UID) as other:
        fault(other)
        there = branch(world, other)
        notices(there).perform()
        assert (only(there).standing, words in only(there).problem) == (Standing.OPEN, True)
        assert copies(there) == {"D1": "OPEN"}
        other.keeps = False
        other.status.clear()
        there.clock.advance(minutes=2)
        notices(there).perform()
    assert only(there).standing is Standing.ACKNOWLEDGED


@pytest.mark.parametrize("written", ["{url}", "{url}/", "{url}/dicom-web"])
def test_nothing_is_deleted_that_the_same_machine_has_under_another_name(written: str, world: World) -> None:
    with other_orthanc(UID) as other:
        there = branch(world, other)
        (twin,) = there.services.policy.recipients
        both = with_policy(
            there, recipients=(twin, replace(twin, name="branch-by-day", url=written.format(url=twin.url)))
        )
        row = next(row for row in there.disclosures() if row["disclosure_id"] == "D1")
        again = {**row, "disclosure_id": "D2", "recipient": "branch-by-day", "recall": "NONE"}
        with there.services.database.writing() as connection:
            connection.execute(ledger.disclosures.insert(), [again])
        notices(both).perform()
        assert other.asked == []
    assert (only(there).method, "still stands" in only(there).problem) == (Method.LETTER, True)


def test_nothing_is_deleted_at_a_recipient_that_is_no_peer_any_more(world: World) -> None:
    with other_orthanc(UID) as other:
        there = branch(world, other)
        node = replace(there.services.policy.dicom_nodes[1], name="branch", recall=Recall.KOS)
        changed = with_policy(there, recipients=(), dicom_nodes=(node,))
        notices(changed).perform()
        assert other.asked == []
    assert (only(there).method, "no other Orthanc" in only(there).problem) == (Method.LETTER, True)
