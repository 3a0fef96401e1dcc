"""Copies that are out when the patient says no: a refusal recalls them as a withdrawal does."""

from __future__ import annotations

import pytest

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.lifecycle import capture, consenting
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.captures import StopKind
from orthanc_plugin.registry.ledger import Delivery
from tests.fakes.clinic import STUDY
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.fakes.world import World
from tests.unit.lifecycle.steps import acting, leave, listed, recalls

NO, NEWER = "urn:x:no", "urn:x:newer"
SECONDARY = {**TEACHING, "purpose": "ALL_SECONDARY"}
OTHER_GROUNDS = ("SUBJECT_ACCESS", "LEGAL_DISCLOSURE", "PUBLIC_INTEREST", "RECORDS_MANAGEMENT", "EMERGENCY_CARE")


def says_no(*scopes: dict[str, object], **changes: object) -> ConsentRecord:
    fields = {"id": NO, "level": "PATIENT", "state": "REFUSED", "decided_on": "2026-11-22", **changes}
    return consent(*scopes, **fields)


def record(world: World, said: ConsentRecord) -> None:
    with acting(world) as (connection, act):
        consenting.record(connection, act, said)


@pytest.mark.parametrize("under", [(), (CONSENT_ID,), ("urn:x:lost",)], ids=["none", "one on record", "one lost"])
def test_a_refusal_recalls_what_left_for_what_it_refuses(under: tuple[str, ...], world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", purpose="TEACHING", under=under)
    leave(world, "D2", purpose="DIRECT_CARE", under=under)
    leave(world, "D3", purpose="TEACHING", under=under, outcome=Delivery.FAILED)
    record(world, says_no(SECONDARY))
    assert recalls(world) == {"D1": "OPEN", "D2": "NONE", "D3": "NONE"}
    assert listed(world) == {("CONFIRM_RECALL", "D1")}
    assert world.trail()[-1]["reasons"] == ["recalled: D1"]


def test_a_proposal_that_is_refused_recalls_and_one_that_is_given_or_open_does_not(world: World) -> None:
    world.file(CARE)
    leave(world, "D1", under=())
    with acting(world) as (connection, act):
        for name in (NO, NEWER):
            consenting.record(connection, act, says_no(TEACHING, id=name, state="PROPOSED"))
        consenting.give(connection, act, NEWER)
    assert recalls(world) == {"D1": "NONE"}
    with acting(world) as (connection, act):
        consenting.refuse(connection, act, NO)
    assert recalls(world) == {"D1": "OPEN"}


def test_a_capture_that_is_stopped_recalls_the_copies_of_what_was_filed(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1", purpose="TEACHING")
    leave(world, "D2", purpose="DIRECT_CARE", under=())
    with acting(world) as (connection, act):
        capture.stop(connection, act, STUDY, StopKind.DISTRESS, "cried")
    assert recalls(world) == {"D1": "OPEN", "D2": "OPEN"}
    assert listed(world) == {("IG_REVIEW", STUDY), ("CONFIRM_RECALL", "D1"), ("CONFIRM_RECALL", "D2")}


@pytest.mark.parametrize("purpose", OTHER_GROUNDS)
def test_what_left_whatever_the_patient_said_is_not_recalled(purpose: str, world: World) -> None:
    world.file(CARE)
    leave(world, "D1", purpose=purpose, under=())
    record(world, says_no({**TEACHING, "purpose": "ALL"}))
    assert recalls(world) == {"D1": "NONE"}


def test_what_was_published_can_t_be_had_back_and_the_patient_is_told(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    with acting(world) as (connection, _):
        ledger.publish(connection, "D1")
    record(world, says_no(SECONDARY))
    assert recalls(world) == {"D1": "NOT_RECALLABLE"}
    assert listed(world) == {("TELL_PATIENT_NOT_RECALLABLE", "D1")}


@pytest.mark.parametrize(("in_error", "recall"), [(False, "NONE"), (True, "OPEN")])
def test_an_older_refusal_that_comes_late_leaves_alone_what_a_newer_consent_let_out(
    in_error: bool, recall: str, world: World
) -> None:
    world.file(CARE)
    record(world, consent(TEACHING, id=NEWER, level="PATIENT", decided_on="2026-11-01"))
    leave(world, "D1", under=(NEWER,))
    if in_error:
        with acting(world, "sister") as (connection, act):
            consenting.enter_in_error(connection, act, NEWER, "another patient's")
    record(world, says_no(TEACHING, decided_on="2026-10-31"))
    assert recalls(world) == {"D1": recall}


def test_a_refusal_that_can_t_be_written_down_recalls_nothing(world: World) -> None:
    world.file(CARE, TEACHING)
    leave(world, "D1")
    world.stop_the_trail()
    with pytest.raises(RegistryError):
        record(world, says_no(SECONDARY))
    assert recalls(world) == {"D1": "NONE"}
