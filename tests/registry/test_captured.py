"""What came from each device, and how many photographs from each class of device."""

from __future__ import annotations

from datetime import timedelta

from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.policy.devices import DeviceClass
from orthanc_plugin.registry import captured
from tests.fakes.pictures import CARE, TEACHING, consent, encoded, photograph
from tests.fakes.register import CAMERA, act, lose, register, taken
from tests.fakes.world import World


def test_what_is_filed_and_what_is_held_is_told_with_where_it_went(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    world.receive(taken(uid="2.25.31"))
    register(world)
    world.receive(taken(uid="2.25.32", PatientID="P9"))
    assert [(each.sop_instance_uid, each.status, each.disclosures) for each in lose(world).came] == [
        ("2.25.31", "ACTIVE", ()),
        ("2.25.32", "HELD", ()),
    ]


def test_another_device_with_the_same_number_later_has_its_own_pictures_only(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    world.receive(taken(uid="2.25.31"))
    with world.services.database.writing() as connection:
        steps.retire(connection, act(world), "CAM-01", "worn out")
    new = register(world, device_id="CAM-02")
    world.receive(taken(uid="2.25.32"))
    with world.services.database.reading() as connection:
        of = {
            device.device_id: [each.sop_instance_uid for each in captured.by_device(connection, device)]
            for device in (CAMERA, new)
        }
    assert of == {"CAM-01": ["2.25.31"], "CAM-02": ["2.25.32"]}


def test_what_was_filed_from_a_device_s_account_before_it_was_on_the_register_is_its(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    world.receive(taken(uid="2.25.31", serial=None), account="uploader")
    world.receive(taken(uid="2.25.32", serial=None), account="derm")
    world.receive(taken(uid="2.25.33", serial=None))
    register(world, device_id="PHONE-1", account="uploader", serial_number="P1")
    world.receive(taken(uid="2.25.34", serial=None), account="uploader")
    assert [each.sop_instance_uid for each in lose(world, "PHONE-1").came] == ["2.25.31", "2.25.34"]
    assert [row.account for row in world.rows()] == ["uploader", "derm", "", "uploader"]


def test_an_account_that_another_device_has_now_lists_no_pictures_of_the_one_before(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, device_id="PHONE-1", account="uploader", serial_number="P1")
    world.receive(taken(uid="2.25.31", serial=None), account="uploader")
    with world.services.database.writing() as connection:
        steps.retire(connection, act(world), "PHONE-1", "worn out")
    register(world, device_id="PHONE-2", account="uploader", serial_number="P2")
    world.receive(taken(uid="2.25.32", serial=None), account="uploader")
    assert [each.sop_instance_uid for each in lose(world, "PHONE-2").came] == ["2.25.32"]


def test_the_share_of_each_class_is_counted_by_month(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    register(world, device_id="TAB-1", serial_number="T1", device_class=DeviceClass.MANAGED)
    for number in range(3):
        world.receive(taken(uid=f"2.25.4{number}"))
    world.receive(taken(uid="2.25.50", serial="T1"))
    world.clock.at += timedelta(days=30)
    world.receive(taken(uid="2.25.60", serial="UNHEARD OF"))
    world.receive(taken(uid="2.25.61", serial=None, device_class="PATIENT"))
    world.receive(encoded(photograph(uid="2.25.62", DeviceSerialNumber=None)))
    with world.services.database.reading() as connection:
        shares = captured.shares(connection)
        december = captured.shares(connection, "2026-12")
    assert [tuple(each.values()) for each in shares] == [
        ("2026-11", "DEDICATED", 3, 75.0),
        ("2026-11", "MANAGED", 1, 25.0),
        ("2026-12", "UNKNOWN", 2, 100.0),
    ]
    assert december == shares[-1:]
