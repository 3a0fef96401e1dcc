"""Consents as people decide them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.terms import ConsentState, Purpose
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import ImageStatus, Obligation
from orthanc_plugin.registry import consents, patients, tasks
from orthanc_plugin.registry.consents import IncompleteConsentError
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, effects, leave, listed, recalls

Step = Callable[[Connection, Act, str], ConsentRecord]
RENEWED = "urn:x:renewed"


def ask(world: World, kind: str, subject: str) -> None:
    with acting(world) as (connection, act):
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason="why", at=act.at)


def sealed(world: World) -> None:
    """Check that every version on record is tied to the trail."""
    with world.services.database.reading() as connection:
        seals = list(consents.seals(connection))
    details = [entry["detail"] for entry in world.trail()]
    first = f"{consents.SEAL}{CONSENT_ID} version 1 "  # which the test itself may have put there
    assert [seal for seal in seals if seal not in details and not seal.startswith(first)] == []


def test_a_consent_is_recorded_with_its_patient(world: World) -> None:
    with acting(world) as (connection, act):
        filed = consenting.record(connection, act, consent(CARE, issuer=None), date(1980, 6, 15))
        patient = patients.find(connection, "P1", "HOSP")
    assert (filed.patient_id, filed.issuer) == ("P1", "HOSP")
    assert patient is not None
    assert patient.dob == date(1980, 6, 15)
    assert effects(world) == ["RECORDED_GIVEN"]
    assert world.trail()[0]["detail"] == consents.seal(filed)


def test_a_record_without_a_patient_leaves_none_behind(world: World) -> None:
    with pytest.raises(IncompleteConsentError), acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, patient_id=None))
    assert world.sql("SELECT * FROM patients") == []


def test_an_answer_closes_what_asked_for_it(world: World) -> None:
    world.file(CARE)
    ask(world, Obligation.SEEK_CONSENT, UID)
    ask(world, Obligation.SEEK_RECONSENT, UID)
    ask(world, Obligation.VERIFY_RESIDUAL_ID, UID)
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, TEACHING, id="urn:x:2"))
    assert listed(world) == {("VERIFY_RESIDUAL_ID", UID)}


def test_a_proposal_closes_nothing(world: World) -> None:
    world.file(CARE)
    ask(world, Obligation.SEEK_CONSENT, UID)
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(TEACHING, id="urn:x:2", state="PROPOSED"))
    assert listed(world) == {("SEEK_CONSENT", UID)}


@pytest.mark.parametrize(
    ("step", "state"), [(consenting.give, ConsentState.GIVEN), (consenting.refuse, ConsentState.REFUSED)]
)
def test_what_was_proposed_is_decided(step: Step, state: ConsentState, world: World) -> None:
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, state="PROPOSED"))
    with acting(world) as (connection, act):
        decided = step(connection, act, CONSENT_ID)
    assert (decided.state, decided.version) == (state, 2)
    assert effects(world) == ["RECORDED_PROPOSED", state]
    sealed(world)


def test_a_proposal_is_given_as_it_was_completed_with_the_patient(world: World) -> None:
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, state="PROPOSED"))
    with acting(world) as (connection, act):
        given = consenting.give(connection, act, consent(CARE, TEACHING, issuer=None))
    assert [scope.purpose for scope in given.scopes] == [Purpose.DIRECT_CARE, Purpose.TEACHING]


def test_a_renewed_consent_that_drops_a_use_withdraws_it_with_all_that_follows(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", purpose="TEACHING")
    leave(world, "D2", purpose="DIRECT_CARE")
    with acting(world) as (connection, act):
        done = consenting.supersede(connection, act, CONSENT_ID, consent(CARE, id=RENEWED))
    assert (done.record.previous_id, done.consequences.recalls) == (CONSENT_ID, ("D1",))
    assert recalls(world) == {"D1": "OPEN", "D2": "NONE"}
    assert {each.record.id: each.record.state for each in world.consents()} == {
        CONSENT_ID: ConsentState.SUPERSEDED,
        RENEWED: ConsentState.GIVEN,
    }
    assert effects(world)[-2:] == ["RECORDED_GIVEN", "SUPERSEDED"]
    assert world.trail()[-2]["reasons"] == ["no longer covers: TEACHING"]
    sealed(world)


def test_a_renewed_consent_that_widens_says_so_and_answers_what_was_asked(world: World) -> None:
    world.record(consent(CARE))
    ask(world, Obligation.SEEK_RECONSENT, CONSENT_ID)
    with acting(world) as (connection, act):
        done = consenting.supersede(connection, act, CONSENT_ID, consent(CARE, TEACHING, id=RENEWED))
    assert world.trail()[-2]["reasons"] == ["now covers: TEACHING"]
    assert (done.consequences.recalls, world.tasks()) == ((), [])


def test_a_picture_is_used_for_care_again_when_the_patient_agrees_again(world: World) -> None:
    world.file(CARE)
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    assert world.row().status is ImageStatus.RESTRICTED
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(TEACHING, id="urn:x:2"))
    assert world.row().status is ImageStatus.RESTRICTED
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, id="urn:x:3"))
    assert world.row().status is ImageStatus.ACTIVE


def test_a_record_in_error_is_marked_by_a_second_person(world: World) -> None:
    world.record(consent(CARE))
    with pytest.raises(IllegalTransitionError, match="second person"), acting(world) as (connection, act):
        consenting.enter_in_error(connection, act, CONSENT_ID, "wrong patient")
    with acting(world, "sister") as (connection, act):
        marked = consenting.enter_in_error(connection, act, CONSENT_ID, "wrong patient")
    assert (marked.state, effects(world)) == (ConsentState.ENTERED_IN_ERROR, ["ENTERED_IN_ERROR"])
    assert world.tasks() == []


def test_copies_that_left_under_a_record_in_error_are_looked_into(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world, "sister") as (connection, act):
        consenting.enter_in_error(connection, act, CONSENT_ID, "wrong patient")
    assert listed(world) == {("IG_REVIEW", CONSENT_ID)}
