"""A consent's life from proposal to recall, on each database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import ConsentState
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.lifecycle import consenting, recall, withdrawal
from orthanc_plugin.lifecycle.sweep import sweep
from orthanc_plugin.policy.model import ImageStatus
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, leave, listed, recalls


def test_from_the_proposal_to_the_last_recall(world: World) -> None:
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, TEACHING, state="PROPOSED"))
    with acting(world) as (connection, act):
        consenting.give(connection, act, consent(CARE, TEACHING))
    world.file()
    leave(world, "D1")
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    assert (world.row().status, recalls(world)) == (ImageStatus.RESTRICTED, {"D1": "OPEN"})
    with acting(world) as (connection, act):
        recall.confirm(connection, act, "D1", "letter on file")
    assert (world.tasks(), recalls(world)) == ([], {"D1": "CONFIRMED"})
    assert verify(world.services.trail.entries()).whole


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_the_sweep_goes_through_every_patient_however_many_fit_on_a_page(page: int, world: World) -> None:
    who = [("N1", "A"), ("N1", "B"), ("N2", "A"), ("N10", "C"), ("n1", "A")]
    for number, (patient_id, issuer) in enumerate(who):
        until = {**CARE, "valid_to": "2026-11-30"}
        world.record(consent(until, id=f"urn:x:{number}", patient_id=patient_id, issuer=issuer))
    world.clock.at = datetime(2026, 12, 1, 3, tzinfo=UTC)
    act = world.services.act("sweep", "test")
    due = [each.consent_id for each in sweep(world.services.database, act, page=page).done]
    assert sorted(due) == [f"urn:x:{number}" for number in range(5)]
    assert sweep(world.services.database, act, page=page).done == ()
    ended = [each for each in world.consents() if each.record.state is ConsentState.EXPIRED]
    assert len(ended) == len(listed(world)) == 5
