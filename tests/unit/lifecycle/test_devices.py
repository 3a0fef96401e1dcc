"""The steps in a device's life, each in the trail; what was lost with one; the share of each class."""

from __future__ import annotations

from datetime import date

import pytest

from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.policy.devices import DeviceClass, DeviceStatus, Safeguard
from orthanc_plugin.registry import devices, operators
from orthanc_plugin.registry.devices import IncompleteDeviceError
from orthanc_plugin.registry.operators import IncompleteOperatorError
from orthanc_plugin.release import Released
from tests.fakes.pictures import CARE, TEACHING, consent
from tests.fakes.register import CAMERA, PHOTOGRAPHER, act, enrol, find, lose, register, taken
from tests.fakes.world import World


def change(world: World, reason: str = "asset check", **said: object) -> devices.Device:
    with world.services.database.writing() as connection:
        return steps.change(connection, act(world), CAMERA.device_id, said, reason)


def waive(world: World, safeguard: Safeguard, reason: str = "a camera of 2019") -> devices.Device:
    with world.services.database.writing() as connection:
        return steps.waive(connection, act(world, "governance"), CAMERA.device_id, safeguard, reason)


def retire(world: World) -> devices.Device:
    with world.services.database.writing() as connection:
        return steps.retire(connection, act(world), CAMERA.device_id, "worn out")


def test_every_step_is_in_the_trail_and_seals_its_row(world: World) -> None:
    register(world)
    change(world, owner="Studio 2", device_class=DeviceClass.MANAGED)
    waive(world, Safeguard.ENCRYPTED)
    change(world, encrypted=True)
    lose(world)
    find(world)
    retire(world)
    told = [entry for entry in world.trail() if str(entry["effect"]).startswith("DEVICE_")]
    assert [(entry["effect"], entry["reasons"]) for entry in told] == [
        ("DEVICE_REGISTERED", []),
        ("DEVICE_CHANGED", ["owner", "device_class: DEDICATED -> MANAGED"]),
        ("DEVICE_WAIVED", ["encrypted"]),
        ("DEVICE_CHANGED", ["encrypted: False -> True"]),
        ("DEVICE_LOST", ["IN_USE"]),
        ("DEVICE_FOUND", ["LOST"]),
        ("DEVICE_RETIRED", ["IN_USE"]),
    ]
    assert {entry["subject"] for entry in told} == {"CAM-01"}
    assert "bus" not in str(told)
    with world.services.database.reading() as connection:
        assert sorted(devices.seals(connection)) == sorted(str(entry["detail"]) for entry in told)


def test_a_waiver_says_who_answers_and_ends_with_what_the_device_gains(world: World) -> None:
    register(world)
    waived = waive(world, Safeguard.ENCRYPTED)
    (waiver,) = waived.waived
    assert (waived.encrypted, waiver.safeguard, waiver.by, waiver.reason) == (
        False, Safeguard.ENCRYPTED, "governance", "a camera of 2019",
    )  # fmt: skip
    assert change(world, description="Acme 3").waived == (waiver,)
    gained = change(world, encrypted=True)
    assert (gained.encrypted, gained.waived) == (True, ())
    with pytest.raises(IncompleteDeviceError):
        change(world, encrypted=False)


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_recorded_without_a_reason(reason: str, world: World) -> None:
    register(world)
    before = len(world.trail())
    for step in (lambda: change(world, reason, owner="X"), lambda: waive(world, Safeguard.PASSWORD, reason)):
        with pytest.raises(IllegalTransitionError, match="reason"):
            step()
    assert len(world.trail()) == before


def test_a_device_can_t_be_lost_twice_nor_put_on_the_register_again(world: World) -> None:
    register(world)
    with pytest.raises(IllegalTransitionError, match="device change"):
        register(world, serial_number="2")
    with pytest.raises(IllegalTransitionError, match="IN_USE already"):
        find(world)
    lose(world)
    with pytest.raises(IllegalTransitionError, match="LOST already"):
        lose(world)


def test_a_lost_device_is_listed_with_everything_that_came_from_it_and_where_it_went(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    assert world.receive(taken(uid="2.25.31")).reasons == ()  # before the register knew of the camera
    register(world)
    assert world.receive(taken(uid="2.25.32")).reasons == ()
    assert world.receive(taken(uid="2.25.33", PatientID="P9")).reasons != ()
    assert world.receive(taken(uid="2.25.34", serial="OTHER")).reasons == ()
    answer = world.services.gate.authorize(world.request(uid="2.25.32"))
    world.services.disclose(answer, Released(content=b"", sha256="a" * 64, sop_instance_uid="2.25.32"))
    done = lose(world)
    assert done.device.status is DeviceStatus.LOST
    assert [(each.sop_instance_uid, each.status, bool(each.quarantine_id)) for each in done.came] == [
        ("2.25.31", "ACTIVE", False),
        ("2.25.32", "ACTIVE", False),
        ("2.25.33", "HELD", True),
    ]
    assert [[copy["recipient"] for copy in each.disclosures] for each in done.came] == [[], ["derm"], []]
    assert {task["kind"]: task["subject"] for task in world.tasks()} == {
        "DEVICE_LOST": "CAM-01",
        "BREACH_ASSESSMENT": "CAM-01",
    }
    assert all("3 picture(s)" in str(task["reason"]) for task in world.tasks())


def test_an_operator_is_enrolled_ended_and_enrolled_again(world: World) -> None:
    enrol(world)
    with pytest.raises(IllegalTransitionError, match="operator end"):
        enrol(world, role="medical photographer")
    with world.services.database.writing() as connection, pytest.raises(IncompleteOperatorError):
        steps.dismiss(connection, act(world), "S100", date(2025, 1, 1), "")
    with world.services.database.writing() as connection:
        ended = steps.dismiss(connection, act(world), "S100", date(2026, 6, 30), "left")
    assert ended.active_until == date(2026, 6, 30)
    with pytest.raises(IllegalTransitionError, match="later day"):
        enrol(world, active_from=date(2026, 6, 30))
    again = enrol(world, active_from=date(2026, 9, 1))
    told = [entry for entry in world.trail() if str(entry["effect"]).startswith("OPERATOR_")]
    assert [entry["effect"] for entry in told] == ["OPERATOR_REGISTERED", "OPERATOR_ENDED", "OPERATOR_REGISTERED"]
    with world.services.database.reading() as connection:
        assert operators.listed(connection) == [again]
        assert sorted(operators.seals(connection)) == sorted(str(entry["detail"]) for entry in told)
    assert PHOTOGRAPHER.name not in str(told)
