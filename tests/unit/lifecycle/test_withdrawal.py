"""A withdrawal, in one transaction."""

from __future__ import annotations

import pytest

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import ConsentState, Purpose, PurposeGroup, WithdrawalPhase
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.errors import IllegalTransitionError, RegistryError, UnknownRecordError
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.lifecycle.consequences import Withdrawn
from orthanc_plugin.policy.eventmodel import Words
from orthanc_plugin.policy.model import Effect, ImageStatus, MadeFor, Obligation
from orthanc_plugin.registry import images, ledger, quarantine, tasks
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.quarantine import Status
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, effects, hold, leave, listed, recalls

LATER, DURING = WithdrawalPhase.LATER, WithdrawalPhase.DURING_CAPTURE


def withdraw(
    world: World, *purposes: Purpose | PurposeGroup, phase: WithdrawalPhase = LATER, consent_id: str = CONSENT_ID
) -> Withdrawn:
    words: Words = purposes
    note = Withdrawal(by="patient", phase=phase, reason="changed my mind", how_received="by telephone")
    with acting(world) as (connection, act):
        return withdrawal.withdraw(connection, act, consent_id, words, on=act.day, note=note)


def test_a_withdrawal_recalls_each_copy_that_left_under_the_consent(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED, outcome=Delivery.SENT)  # and may have been kept
    leave(world, "D3", under=("another",))
    leave(world, "D4", outcome=Delivery.FAILED)
    done = withdraw(world)
    assert set(done.consequences.recalls) == {"D1", "D2"}
    assert recalls(world) == {"D1": "OPEN", "D2": "OPEN", "D3": "NONE", "D4": "NONE"}
    assert listed(world) == {("CONFIRM_RECALL", "D1"), ("CONFIRM_RECALL", "D2")}


@pytest.mark.parametrize(
    ("purpose", "recall"), [("TEACHING", "OPEN"), ("RESEARCH", "NONE"), ("LEGAL_DISCLOSURE", "NONE")]
)
def test_a_withdrawal_recalls_what_left_without_any_consent_for_what_is_withdrawn(
    purpose: str, recall: str, world: World
) -> None:
    world.file(CARE, TEACHING, {**TEACHING, "purpose": "LEGAL_DISCLOSURE"})
    leave(world, "D1", purpose=purpose, under=())
    withdraw(world)
    assert recalls(world) == {"D1": recall}


def test_what_was_published_is_not_recalled_and_the_patient_is_told(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    leave(world, "D2", effect=Effect.PERMIT_ANONYMISED)
    with acting(world) as (connection, _):
        ledger.publish(connection, "D1")
        ledger.destroy_key(connection, "D2")
    assert set(withdraw(world).consequences.not_recallable) == {"D1", "D2"}
    assert recalls(world) == {"D1": "NOT_RECALLABLE", "D2": "NOT_RECALLABLE"}
    assert listed(world) == {("TELL_PATIENT_NOT_RECALLABLE", "D1"), ("TELL_PATIENT_NOT_RECALLABLE", "D2")}


def test_a_withdrawal_of_teaching_leaves_care_alone(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", purpose="TEACHING")
    leave(world, "D2", purpose="DIRECT_CARE")
    done = withdraw(world, PurposeGroup.ALL_SECONDARY)
    assert (done.record.state, done.record.withdrawn_purposes) == (ConsentState.GIVEN, {Purpose.TEACHING})
    assert (done.consequences.recalls, done.consequences.restricted) == (("D1",), ())
    assert world.row().status is ImageStatus.ACTIVE
    assert world.services.gate.authorize(world.request("derm")).decision.permits


def test_a_filed_picture_is_kept_and_restricted_when_care_is_withdrawn(world: World) -> None:
    world.file(CARE, TEACHING)
    done = withdraw(world)
    assert done.consequences.restricted == (UID,)
    assert world.row().status is ImageStatus.RESTRICTED
    assert world.services.gate.authorize(world.request("derm")).decision.effect is Effect.DENY


def test_each_part_of_a_consent_is_recalled_once_when_it_goes_bit_by_bit(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", purpose="TEACHING")
    leave(world, "D2", purpose="DIRECT_CARE")
    assert withdraw(world, Purpose.TEACHING).consequences.recalls == ("D1",)
    assert withdraw(world).consequences.recalls == ("D2",)


def test_a_picture_made_only_for_teaching_is_proposed_for_disposal(world: World) -> None:
    world.file(TEACHING)
    with acting(world) as (connection, _):
        images.change(connection, UID, {"made_for": MadeFor.SECONDARY})
    assert withdraw(world).consequences.proposed == (UID,)
    assert (world.row().status, listed(world)) == (ImageStatus.RESTRICTED, {("PROPOSE_DISPOSAL", UID)})


@pytest.mark.parametrize(
    ("status", "phase", "then"),
    [
        (Status.AWAITING_PATIENT_APPROVAL, DURING, Status.DELETED),
        (Status.AWAITING_PATIENT_APPROVAL, LATER, Status.DELETED),
        (Status.APPROVED, WithdrawalPhase.IMMEDIATELY_AFTER, Status.DELETED),
        (Status.HELD, DURING, Status.DELETED),
        (Status.HELD, LATER, Status.HELD),
        (Status.FILING, DURING, Status.FILING),
    ],
)
def test_what_was_never_filed_is_deleted_and_its_event_kept(
    status: Status, phase: WithdrawalPhase, then: Status, world: World
) -> None:
    world.record(consent(CARE))
    held = hold(world, status)
    done = withdraw(world, phase=phase)
    with world.services.database.reading() as connection:
        assert quarantine.get(connection, held.quarantine_id).status is then
    gone = then is Status.DELETED
    assert done.consequences.spool_names == ((held.spool_name,) if gone else ())
    assert ("DELETED_UNFILED" in effects(world)) == gone


@pytest.mark.parametrize(
    ("phase", "stops"), [(DURING, ["WITHDRAWN"]), (WithdrawalPhase.IMMEDIATELY_AFTER, []), (LATER, [])]
)
def test_a_withdrawal_during_the_capture_stops_it_once(phase: WithdrawalPhase, stops: list[str], world: World) -> None:
    world.record(consent(CARE))
    for name in ("Q1", "Q2"):
        hold(world, Status.AWAITING_PATIENT_APPROVAL, name=name)
    assert len(withdraw(world, phase=phase).consequences.deleted) == 2
    assert [kind for (kind,) in world.sql("SELECT kind FROM capture_stops")] == stops


def test_what_was_held_under_another_consent_stays(world: World) -> None:
    world.record(consent(CARE))
    hold(world, Status.AWAITING_PATIENT_APPROVAL, refers_to="urn:x:other")
    assert withdraw(world, phase=DURING).consequences.deleted == ()


def test_nobody_goes_on_asking_a_patient_who_has_withdrawn(world: World) -> None:
    world.file(CARE)
    with acting(world) as (connection, act):
        for kind, subject in ((Obligation.SEEK_RECONSENT, CONSENT_ID), (Obligation.SEEK_CONSENT, UID)):
            tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason="why", at=act.at)
    withdraw(world)
    assert world.tasks() == []


def test_pictures_under_a_number_that_was_merged_are_reached(world: World) -> None:
    world.file(CARE)
    world.record(consent(CARE, id="urn:x:old", patient_id="P0"))
    world.sql("UPDATE patients SET merged_into_id = 'P1', merged_into_issuer = 'HOSP' WHERE patient_id = 'P0'")
    assert withdraw(world, consent_id="urn:x:old").consequences.restricted == (UID,)


def test_the_withdrawal_is_on_record_with_how_it_came(world: World) -> None:
    world.file(CARE)
    leave(world, "D1", purpose="DIRECT_CARE")
    done = withdraw(world, phase=WithdrawalPhase.IMMEDIATELY_AFTER)
    note = done.record.withdrawal
    assert note is not None
    assert (note.by, note.phase, note.how_received) == ("patient", "IMMEDIATELY_AFTER", "by telephone")
    entry = world.trail()[-1]
    assert (entry["effect"], entry["subject"], entry["actor"]) == ("WITHDRAWN", CONSENT_ID, "nurse")
    assert entry["reasons"] == ["phase IMMEDIATELY_AFTER", "recalled: D1", f"restricted: {UID}"]
    assert "changed my mind" not in str(world.trail())
    assert verify(world.services.trail.entries()).whole


def test_a_withdrawal_that_is_not_possible_changes_nothing(world: World) -> None:
    world.file(CARE)
    leave(world, "D1", purpose="DIRECT_CARE")
    withdraw(world)
    before = (world.trail(), world.tasks(), recalls(world))
    with pytest.raises(IllegalTransitionError, match="in state WITHDRAWN"):
        withdraw(world)
    assert (world.trail(), world.tasks(), recalls(world)) == before


def test_an_unknown_consent_can_t_be_withdrawn(world: World) -> None:
    with pytest.raises(UnknownRecordError):
        withdraw(world)


def test_a_withdrawal_that_can_t_be_written_down_changes_nothing(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    world.stop_the_trail()
    with pytest.raises(RegistryError):
        withdraw(world)
    assert (world.consents()[0].record.state, recalls(world)) == (ConsentState.GIVEN, {"D1": "NONE"})
    assert (world.row().status, world.tasks()) == (ImageStatus.ACTIVE, [])
