"""Whose word a claim of the sender's is: that the patient supplied a picture, and from which device it comes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.lifecycle import duties, filing
from orthanc_plugin.policy.devices import DeviceTask
from orthanc_plugin.policy.model import ImageSource
from orthanc_plugin.registry import captured, devices
from orthanc_plugin.registry.quarantine import Held
from tests.fakes.clinic import way_in
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.fakes.register import act, find, lose, register, ruled, rules_of, taken
from tests.fakes.world import POLICY, World, make_world

SENT_IN = taken(device_class="PATIENT", serial=None)
CLAIM = ["PATIENT_SUPPLIED_UNCONFIRMED"]
NAMELESS = taken(serial=None)


def world_with(tmp_path: Path, policy: str = POLICY) -> World:
    world = make_world(tmp_path, policy=policy)
    world.record(consent(CARE, TEACHING))
    return world


def the_one_held(world: World) -> Held:
    (held,) = world.held()
    return held


def confirmed(world: World) -> None:
    with world.services.database.writing() as connection:
        filing.confirm(connection, act(world, "officer"), the_one_held(world).quarantine_id)


STRICT = ruled('devices = "registered"', 'operators = "registered"')


@pytest.mark.parametrize("account", ["", "uploader", "derm", "PORTAL", "portal ", "consentgate", "stranger"])
@pytest.mark.parametrize("rules", [POLICY, STRICT])
def test_a_picture_isn_t_believed_to_be_the_patient_s_because_it_says_so(
    rules: str, account: str, tmp_path: Path
) -> None:
    world = world_with(tmp_path, rules)
    verdict = world.receive(SENT_IN, account)
    assert (rules_of(verdict.reasons), verdict.content, verdict.refused) == (CLAIM, None, False)
    assert "quarantine release --patient-supplied" in verdict.reasons[0]
    assert world.services.spool.get(the_one_held(world).spool_name) == SENT_IN
    assert (world.rows(), the_one_held(world).account) == ([], account)
    world.close()


@pytest.mark.parametrize("rules", [POLICY, STRICT])
def test_an_account_that_is_bound_for_it_is_believed(rules: str, tmp_path: Path) -> None:
    world = world_with(tmp_path, rules)
    assert world.receive(SENT_IN, "portal").content == SENT_IN
    assert (world.row().source, world.held()) == (ImageSource.PATIENT_SUPPLIED, [])
    world.close()


def test_an_account_that_is_bound_for_it_sends_others_like_anybody(world: World) -> None:
    assert rules_of(world.receive(taken(), "portal").reasons) == ["CONSENT_UNKNOWN"]


def test_what_an_officer_has_confirmed_is_filed_as_the_patient_s(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    for _ in range(2):
        assert rules_of(world.receive(SENT_IN, "uploader").reasons) == CLAIM
    held = the_one_held(world)
    assert not way_in(world).file(held, act(world, "officer"))
    confirmed(world)
    assert rules_of(world.receive(taken(uid="2.25.77", device_class="PATIENT"), "uploader").reasons) == CLAIM
    assert way_in(world).file(held, act(world, "officer"))
    assert world.row().source is ImageSource.PATIENT_SUPPLIED
    assert [entry["actor"] for entry in world.trail() if entry["effect"] == "CONFIRMED_PATIENT_SUPPLIED"] == ["officer"]


def test_what_is_held_for_another_reason_too_is_not_filed_by_the_confirmation(world: World) -> None:
    register(world)
    lose(world)
    world.clock.advance(hours=1)
    both = taken(device_class="PATIENT")
    assert rules_of(world.receive(both, "uploader").reasons) == ["CONSENT_UNKNOWN", *CLAIM, "DEVICE_LOST"]
    confirmed(world)
    assert not way_in(world).file(the_one_held(world), act(world, "officer"))
    assert rules_of(the_one_held(world).reasons) == ["CONSENT_UNKNOWN", "DEVICE_LOST"]
    assert the_one_held(world).patient_supplied


def test_what_a_bound_account_sent_stays_believed_when_it_is_offered_again(world: World) -> None:
    assert rules_of(world.receive(SENT_IN, "portal").reasons) == ["CONSENT_UNKNOWN"]
    world.record(consent(CARE, TEACHING))
    assert way_in(world).file(the_one_held(world), act(world, "officer"))
    assert world.row().source is ImageSource.PATIENT_SUPPLIED


def test_only_what_claims_it_can_be_confirmed(world: World) -> None:
    assert rules_of(world.receive(taken(), "uploader").reasons) == ["CONSENT_UNKNOWN"]
    with pytest.raises(IllegalTransitionError):
        confirmed(world)
    assert not the_one_held(world).patient_supplied


def test_a_lost_device_is_known_by_its_account_whatever_its_pictures_say(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, account="uploader")
    register(world, device_id="CAM-08", serial_number="SN8")
    assert world.receive(NAMELESS, "uploader").content == NAMELESS
    assert world.row().device_id == "CAM-01"
    lose(world)
    world.clock.advance(hours=1)
    for number, serial in enumerate((None, "SN8", "SN9", "SN4711")):
        verdict = world.receive(taken(uid=f"2.25.5{number}", serial=serial), "uploader")
        assert (rules_of(verdict.reasons), verdict.refused) == (["DEVICE_LOST"], True)
    with world.services.database.reading() as connection:
        came = captured.by_device(connection, devices.current(connection, "CAM-01"))
        assert [each.sop_instance_uid for each in came] == ["2.25.3", *(f"2.25.5{number}" for number in range(4))]
    for held in world.held():
        assert not way_in(world).file(held, act(world, "officer"))
    other = taken(uid="2.25.60", serial=None)
    assert world.receive(other, "portal").content == other
    find(world)
    assert all(way_in(world).file(held, act(world, "officer")) for held in world.held())


@pytest.mark.parametrize("account", ["uploader", "portal", ""])
def test_while_nobody_can_tell_a_lost_device_s_uploads_what_names_no_device_waits(account: str, world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    register(world, device_id="CAM-08", serial_number="SN8")
    before = taken(uid="2.25.40", serial=None)
    assert world.receive(before, account).content == before
    lose(world)
    world.clock.advance(minutes=1)
    verdict = world.receive(NAMELESS, account)
    assert (rules_of(verdict.reasons), verdict.refused) == (["DEVICE_NOT_NAMED"], False)
    named = taken(uid="2.25.41", serial="SN8")
    assert world.receive(named, account).content == named
    (task,) = (each for each in world.tasks() if each["kind"] == DeviceTask.DEVICE_LOST)
    with world.services.database.writing() as connection:
        duties.close(connection, act(world, "governance"), str(task["task_id"]), "Its account has a new password.")
    assert world.receive(NAMELESS, account).content == NAMELESS


@pytest.mark.parametrize("tie", [{"aet": "PHONE1"}, {"account": "portal"}])
def test_a_lost_device_that_is_known_by_its_account_or_ae_title_makes_no_other_wait(
    tie: dict[str, str], world: World
) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, **tie)
    lose(world)
    world.clock.advance(minutes=1)
    assert world.receive(NAMELESS, "uploader").content == NAMELESS


def test_a_picture_of_a_device_s_own_account_is_that_device_s(tmp_path: Path) -> None:
    world = world_with(tmp_path, ruled('devices = "registered"'))
    assert rules_of(world.receive(NAMELESS, "uploader").reasons) == ["UNREGISTERED_DEVICE"]
    register(world, account="uploader")
    assert rules_of(world.receive(NAMELESS, "portal").reasons) == ["UNREGISTERED_DEVICE"]
    assert world.receive(NAMELESS, "uploader").content == NAMELESS
    assert (world.row().device_id, world.row().device_serial) == ("CAM-01", None)
    world.close()


def test_two_devices_in_use_have_two_accounts(world: World) -> None:
    register(world, account="uploader")
    with pytest.raises(IllegalTransitionError, match="account"):
        register(world, device_id="CAM-08", serial_number="SN8", account="uploader")
    with world.services.database.writing() as connection:
        steps.retire(connection, act(world), "CAM-01", "worn out")
    register(world, device_id="CAM-08", serial_number="SN8", account="uploader")
    world.record(consent(CARE, TEACHING))
    assert world.receive(taken(at=world.clock() - timedelta(minutes=1), serial=None), "uploader").reasons == ()
    assert world.row().device_id == "CAM-08"
