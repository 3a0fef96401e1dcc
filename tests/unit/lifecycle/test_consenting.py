"""Consents as people decide them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.terms import ConsentState, Purpose
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import consenting, people, withdrawal
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import Effect, ImageStatus, Obligation
from orthanc_plugin.registry import consents, patients, tasks
from orthanc_plugin.registry.consents import IncompleteConsentError
from orthanc_plugin.registry.quarantine import Status
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, effects, hold, leave, listed, recalls

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


def test_nobody_is_born_on_a_day_to_come(world: World) -> None:
    with (
        pytest.raises(IncompleteConsentError) as refused,
        acting(world) as (connection, act),
    ):
        consenting.record(connection, act, consent(CARE), date(2099, 1, 1))
    assert refused.value.problems == ("birth_date: lies in the future",)
    assert world.sql("SELECT * FROM patients") == []
    with acting(world) as (connection, act):
        assert people.know(connection, act, ("P9", "HOSP"), date(2099, 1, 1), "told by a picture").dob is None


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


def test_a_withdrawal_reaches_what_left_under_the_consents_that_were_replaced(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    held = hold(world, Status.AWAITING_PATIENT_APPROVAL)
    for old, new in ((CONSENT_ID, RENEWED), (RENEWED, "urn:x:again")):
        with acting(world) as (connection, act):
            done = consenting.supersede(connection, act, old, consent(CARE, TEACHING, id=new))
        assert done.consequences.recalls == ()
    leave(world, "D2", under=("urn:x:again",))
    with acting(world) as (connection, act):
        gone = withdrawal.withdraw(connection, act, "urn:x:again", (), on=act.day, note=Withdrawal())
    assert recalls(world) == {"D1": "OPEN", "D2": "OPEN"}
    assert (gone.consequences.restricted, gone.consequences.deleted) == ((UID,), (held.sop_instance_uid,))


ONE_STUDY = {"level": "STUDY", "targets": ["2.25.1"]}


@pytest.mark.parametrize(
    ("teaching", "changes", "asked"),
    [
        (TEACHING, {}, False),
        ({**TEACHING, "max_form": "IDENTIFIABLE"}, {}, False),
        ({**TEACHING, "audience": ["CARE_TEAM"]}, {}, True),
        ({**TEACHING, "named_recipients": ["r-1"]}, {}, True),
        (TEACHING, ONE_STUDY, True),
    ],
)
def test_copies_that_left_under_wider_terms_are_looked_into(
    teaching: dict[str, object], changes: dict[str, object], asked: bool, world: World
) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world) as (connection, act):
        consenting.supersede(connection, act, CONSENT_ID, consent(CARE, teaching, id=RENEWED, **changes))
    assert listed(world) == ({("IG_REVIEW", CONSENT_ID)} if asked else set())


def test_another_birth_date_than_the_one_on_record_may_be_another_patient_s(world: World) -> None:
    world.record(consent(CARE), birth_date=date(1980, 6, 15))
    with pytest.raises(IncompleteConsentError, match="birth_date"), acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, id=RENEWED), date(1981, 6, 15))
    with pytest.raises(IncompleteConsentError, match="birth_date"), acting(world) as (connection, act):
        consenting.supersede(connection, act, CONSENT_ID, consent(CARE, id=RENEWED), date(1981, 6, 15))
    assert len(world.consents()) == 1
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, id=RENEWED), date(1980, 6, 15))


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
    world.clock.advance(days=1)
    with acting(world) as (connection, act):
        consenting.record(connection, act, consent(CARE, id="urn:x:3", decided_on="2026-11-23", level="PATIENT"))
    assert world.row().status is ImageStatus.ACTIVE
    assert world.services.gate.authorize(world.request()).decision.permits


def test_a_picture_stays_restricted_while_another_denial_stands(world: World) -> None:
    world.file(CARE)
    with acting(world) as (connection, act):
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=Withdrawal())
    with acting(world) as (connection, act):
        older = consent(CARE, id="urn:x:2", decided_on="2026-11-21", level="PATIENT")
        consenting.record(connection, act, older)
    assert world.row().status is ImageStatus.RESTRICTED
    assert world.services.gate.authorize(world.request()).decision.effect is Effect.DENY


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
