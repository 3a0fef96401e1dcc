"""What comes by C-STORE under the AE title of a registered device is that device's, though it names none."""

from __future__ import annotations

import pytest

from orthanc_plugin.enforcement.ingest import NOT_AUTHORIZED, SUCCESS
from orthanc_plugin.policy.devices import DeviceClass
from orthanc_plugin.registry import captured, devices
from tests.fakes.orthanc import InstanceOrigin
from tests.fakes.pictures import UID, consent, encoded, photograph_bytes
from tests.fakes.pictures import ct as scan
from tests.fakes.register import CAMERA, SERIAL, find, kinds_of, lose, register, taken
from tests.fakes.world import World
from tests.unit.enforcement.test_ingest import pushed, received

BY_NODE = "DERMCAM"


def came_from(world: World, device_id: str = CAMERA.device_id) -> list[str]:
    with world.services.database.reading() as connection:
        return [
            each.sop_instance_uid for each in captured.by_device(connection, devices.current(connection, device_id))
        ]


def rules(world: World) -> list[str]:
    return [reason.partition(":")[0] for held in world.held() for reason in held.reasons]


@pytest.mark.parametrize("serial", [None, "", "SN OF NOBODY"])
def test_what_a_lost_device_sent_under_its_ae_title_is_on_its_list(serial: str | None, world: World) -> None:
    world.record(consent())
    register(world, aet=BY_NODE, device_class=DeviceClass.MANAGED)
    assert pushed(world, taken(serial=serial), BY_NODE) == SUCCESS
    row = world.row()
    assert (row.device_id, row.device_class) == (CAMERA.device_id, DeviceClass.MANAGED)
    assert world.trail()[-1]["effect"] == "SENT_BY"
    assert [each.sop_instance_uid for each in lose(world).came] == [UID]


def test_a_scan_that_comes_so_is_on_the_list_too(world: World) -> None:
    register(world, aet=BY_NODE)
    content = encoded(scan(DeviceSerialNumber=None))
    assert pushed(world, content, BY_NODE) == SUCCESS
    assert len(came_from(world)) == 1


def test_what_names_another_device_of_the_register_is_not_the_sender_s(world: World) -> None:
    world.record(consent())
    register(world)
    register(world, device_id="TAB-01", serial_number="SN 9", aet=BY_NODE)
    assert pushed(world, taken(serial=SERIAL), BY_NODE) == SUCCESS
    assert (world.row().device_id, came_from(world, "TAB-01")) == (CAMERA.device_id, [])


@pytest.mark.parametrize("other", [{"aet": "ELSEWHERE"}, {"aet": ""}])
def test_what_comes_under_another_ae_title_is_nobody_s(other: dict[str, str], world: World) -> None:
    world.record(consent())
    register(world, **other)
    assert pushed(world, taken(serial=None), BY_NODE) == SUCCESS
    assert world.row().device_id is None


def test_where_two_devices_share_an_ae_title_nobody_can_tell(world: World) -> None:
    world.record(consent())
    register(world, aet=BY_NODE)
    register(world, device_id="TAB-01", serial_number="SN 9", aet=BY_NODE)
    assert pushed(world, taken(serial=None), BY_NODE) == SUCCESS
    assert world.row().device_id is None


def test_a_filed_picture_that_is_sent_again_stays_whose_it_was(world: World) -> None:
    world.record(consent())
    assert pushed(world, photograph_bytes(), "DERMCAM") == SUCCESS
    register(world, aet=BY_NODE)
    assert pushed(world, photograph_bytes(), BY_NODE) == SUCCESS
    assert world.row().device_id is None


def test_a_personal_device_s_ae_title_is_no_way_past_the_rule_on_personal_devices(world: World) -> None:
    world.record(consent())
    register(world, aet=BY_NODE, device_class=DeviceClass.PERSONAL)
    assert pushed(world, taken(serial=None), BY_NODE) == NOT_AUTHORIZED
    assert (world.rows(), rules(world)) == ([], ["PERSONAL_DEVICE"])
    assert world.held()[0].device_id == CAMERA.device_id
    received(world, taken(serial=None), InstanceOrigin.REST_API)  # as an officer releases it
    assert (world.rows(), rules(world)) == ([], ["PERSONAL_DEVICE"])


def test_a_lost_device_s_picture_is_not_released_while_it_is_lost(world: World) -> None:
    world.record(consent())
    register(world, aet=BY_NODE)
    lose(world)
    assert pushed(world, taken(serial=None), BY_NODE) == NOT_AUTHORIZED
    received(world, taken(serial=None), InstanceOrigin.REST_API)
    assert (world.rows(), rules(world)) == ([], ["DEVICE_LOST"])
    find(world)
    received(world, taken(serial=None), InstanceOrigin.REST_API)
    assert world.row().device_id == CAMERA.device_id


def test_what_is_remarked_of_an_unencrypted_device_is_somebody_s_task(world: World) -> None:
    world.record(consent())
    register(world, aet=BY_NODE, encrypted=False)
    assert pushed(world, taken(serial=None), BY_NODE) == SUCCESS
    assert kinds_of(world) == {"ENCRYPTION_WARNING": CAMERA.device_id}
    assert pushed(world, taken(uid="2.25.77", serial=None, at=None), BY_NODE) == NOT_AUTHORIZED
    assert rules(world) == ["ENCRYPTION_WARNING"]
