"""No release begins after a withdrawal's commit has returned, whichever process does what on which database."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orthanc_plugin.audit.chain import verify
from orthanc_plugin.registry.tables import images
from tests.fakes.pictures import CARE, UID, consent
from tests.fakes.processes import actors
from tests.fakes.world import World

ROUNDS = 40


def picture(world: World, number: int) -> tuple[str, str]:
    """Put one more patient with a consent and a picture on record; return the consent's id and the picture's UID."""
    changes = {"sop_instance_uid": f"2.25.{1000 + number}", "patient_id": f"P{number}", "consent_id": f"urn:x:{number}"}
    world.record(consent(CARE, id=changes["consent_id"], patient_id=changes["patient_id"]))
    with world.services.database.writing() as connection:
        row = connection.execute(select(images).where(images.c.sop_instance_uid == UID)).one()._mapping
        connection.execute(images.insert().values({**row, **changes}))
    return changes["consent_id"], changes["sop_instance_uid"]


def place(trail: list[dict[str, object]], subject: str, effect: str, event: str) -> list[int]:
    """Return the numbers of the entries of this kind on this subject."""
    return [
        int(str(entry["seq"]))
        for entry in trail
        if (entry["subject"], entry["effect"], entry["event"]) == (subject, effect, event)
    ]


def test_no_release_begins_after_a_withdrawal_s_commit_returned(world: World) -> None:
    world.file(CARE)
    rounds = [picture(world, number) for number in range(10, 10 + ROUNDS)]
    stopped_by: list[str] = []
    with actors(world, "release", "withdraw") as (releaser, withdrawer):
        for consent_id, uid in rounds:
            releaser.begin(uid)
            assert releaser.answer() == "begun"
            withdrawer.begin(consent_id)
            returned = withdrawer.answer()["returned"]
            released = releaser.answer()
            assert [mark for mark in released["begun"] if mark > returned] == []
            stopped_by.append(released["stopped_by"])
    trail = world.trail()
    for consent_id, uid in rounds:
        (withdrawn,) = place(trail, consent_id, "WITHDRAWN", "110135")
        assert max(place(trail, uid, "PERMIT_IDENTIFIABLE", "110102")) < withdrawn
    on_record = [each["sop_instance_uid"] for each in world.disclosures()]
    told = [entry["subject"] for entry in trail if entry["event"] == "110102"]
    assert sorted(on_record) == sorted(told)
    assert "confirmation" in stopped_by  # some of them between the decision and the release
    assert verify(world.services.trail.entries()).whole


@pytest.mark.parametrize("roles", [("withdraw", "withdraw"), ("supersede", "supersede"), ("withdraw", "supersede")])
def test_of_two_who_end_a_consent_at_once_one_is_told_that_it_has_ended(roles: tuple[str, str], world: World) -> None:
    rounds = [f"urn:x:{number}" for number in range(10)]
    for consent_id in rounds:
        world.record(consent(CARE, id=consent_id))
    renewed = []
    with actors(world, *roles) as (left, right):
        for consent_id in rounds:
            left.begin(consent_id)
            right.begin(consent_id)
            answers = [left.answer(), right.answer()]
            (refused,) = [answer["refused"] for answer in answers if "refused" in answer]
            assert "A consent in state WITHDRAWN" in refused or "A consent in state SUPERSEDED" in refused
            renewed += [answer["id"] for answer in answers if "id" in answer]
    versions = world.sql("SELECT consent_id, count(*), max(version) FROM consents GROUP BY consent_id")
    assert set(versions) == {(each, 2, 2) for each in rounds} | {(each, 1, 1) for each in renewed}
    assert verify(world.services.trail.entries()).whole
