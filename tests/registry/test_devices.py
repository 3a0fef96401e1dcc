"""The register of devices: what may be on it, every change a version, and which device a picture is told to be of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.errors import IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.devices import DeviceClass, DeviceStatus, Safeguard
from orthanc_plugin.registry import devices, stored, tables
from orthanc_plugin.registry.devices import Device, IncompleteDeviceError, Waiver
from orthanc_plugin.registry.stored import UnreadableRowError
from tests.fakes.register import CAMERA
from tests.fakes.world import World

WAIVER = Waiver(safeguard=Safeguard.ENCRYPTED, by="governance", reason="a camera of 2019", at="2026-11-22")
TABLET = replace(CAMERA, device_id="TAB-1", device_class=DeviceClass.MANAGED, serial_number="", station_name="Ward 7")


def recorded(world: World, device: Device = CAMERA, reason: str = "bought") -> str:
    with world.services.database.writing() as connection:
        return devices.append(connection, device, reason=reason, by="illustration", at=world.clock())


def known_by(world: World, serial: str = "", station: str = "") -> list[str]:
    with world.services.database.reading() as connection:
        return [each.device_id for each in devices.known_by(connection, devices.keyed(serial), devices.keyed(station))]


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"cloud_sync": True}, "cloud_sync: must be off"),
        ({"cloud_sync": True, "waived": (WAIVER,)}, "cloud_sync: must be off"),
        *(({each.value: False}, f"{each}: the device has none") for each in Safeguard),
        ({"password": False, "waived": (WAIVER,)}, "password: the device has none"),
        ({"serial_number": ""}, "serial_number: is missing"),
        ({"department": ""}, "owner: is missing"),
        ({"serial_number": "7" * 65}, "serial_number: is longer"),
        ({"device_id": ""}, "device_id: must be"),
        ({"device_id": "CAM 1"}, "device_id: must be"),
        ({"aet": "A" * 17}, "aet: is longer"),
        ({"account": "a" * 65}, "account: is longer"),
    ],
)
def test_what_a_device_lacks_is_told_and_nothing_is_recorded(
    changes: dict[str, object], gap: str, world: World
) -> None:
    with pytest.raises(IncompleteDeviceError) as caught:
        recorded(world, replace(CAMERA, **changes))  # type: ignore[arg-type]
    assert [problem for problem in caught.value.problems if problem.startswith(gap)]
    assert "waive" in caught.value.remedy
    with world.services.database.reading() as connection:
        assert devices.listed(connection) == []


def test_a_safeguard_that_was_waived_may_be_lacking(world: World) -> None:
    recorded(world, replace(CAMERA, encrypted=False, waived=(WAIVER,)))
    with world.services.database.reading() as connection:
        (known,) = devices.listed(connection)
    assert (known.encrypted, known.waived) == (False, (WAIVER,))


def test_every_change_is_a_version_and_the_newest_counts(world: World) -> None:
    first = recorded(world)
    second = recorded(world, replace(CAMERA, status=DeviceStatus.LOST), "stolen")
    with world.services.database.reading() as connection:
        versions = devices.versions(connection, "CAM-01")
        assert [(each.version, each.reason, each.device.status) for each in versions] == [
            (1, "bought", DeviceStatus.IN_USE),
            (2, "stolen", DeviceStatus.LOST),
        ]
        assert devices.listed(connection) == [devices.current(connection, "CAM-01")]
        assert devices.listed(connection, DeviceStatus.IN_USE) == []
        assert sorted(devices.seals(connection)) == sorted([first, second])


@pytest.mark.parametrize(
    ("serial", "station", "meant"),
    [
        ("SN 4711", "", ["CAM-01"]),
        (" sn4711\0", "", ["CAM-01"]),
        ("sn 4711", "somewhere else", ["CAM-01"]),
        ("SN4712", "", []),
        ("", "WARD  7", ["TAB-1"]),
        ("99", "ward7", ["TAB-1"]),
        ("SN4711", "Ward 7", ["CAM-01", "TAB-1"]),
        ("", "", []),
        (" ", "\0", []),
    ],
)
def test_a_device_is_known_however_its_numbers_are_written(
    serial: str, station: str, meant: list[str], world: World
) -> None:
    recorded(world)
    recorded(world, TABLET)
    assert known_by(world, serial, station) == meant


def test_another_serial_number_is_another_device_whatever_the_station(world: World) -> None:
    recorded(world, replace(CAMERA, station_name="Ward 7"))
    assert known_by(world, "SN9", "Ward 7") == []
    assert known_by(world, "", "Ward 7") == ["CAM-01"]


@pytest.mark.parametrize("same", [{"serial_number": "Sn4711"}, {"serial_number": "2", "station_name": "WARD7"}])
def test_two_devices_can_t_be_known_by_the_same_number(same: dict[str, str], world: World) -> None:
    recorded(world, replace(CAMERA, station_name="Ward 7"))
    other = replace(CAMERA, device_id="CAM-02", **same)  # type: ignore[arg-type]
    with pytest.raises(IllegalTransitionError, match="CAM-01"):
        recorded(world, other)
    recorded(world, replace(CAMERA, station_name="Ward 7", status=DeviceStatus.RETIRED))
    recorded(world, other)
    assert known_by(world, "", "Ward 7") == (["CAM-02"] if "station_name" in same else ["CAM-01"])


def test_a_lost_node_is_known_by_its_ae_title(world: World) -> None:
    recorded(world, replace(CAMERA, aet="DERMCAM"))
    recorded(world, TABLET)

    def lost(aet: str) -> bool:
        with world.services.database.reading() as connection:
            return devices.lost_node(connection, aet) != ""

    assert not lost("DERMCAM")
    recorded(world, replace(CAMERA, aet="DERMCAM", status=DeviceStatus.LOST))
    recorded(world, replace(TABLET, status=DeviceStatus.LOST))
    assert (lost("DERMCAM"), lost("dermcam "), lost("OTHER"), lost("")) == (True, True, False, False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE devices SET device_class = 'TOY'",
        "UPDATE devices SET status = 'SOMEWHERE'",
        "UPDATE devices SET encrypted = 7",
        "UPDATE devices SET waived = '[{}]'",
        "UPDATE devices SET waived = '7'",
    ],
)
def test_a_row_that_can_t_be_read_is_an_error_and_never_passed_over(statement: str, world: World) -> None:
    recorded(world)
    world.sql(statement)
    with pytest.raises(UnreadableRowError, match="devices"):
        known_by(world, "SN4711")


def test_a_device_that_isn_t_there_is_told_with_the_remedy(world: World) -> None:
    with world.services.database.reading() as connection, pytest.raises(UnknownRecordError) as caught:
        devices.current(connection, "cam-01")
    assert "consentgate device list" in str(caught.value)


def sealed(world: World) -> list[str]:
    with world.services.database.reading() as connection:
        return list(devices.seals(connection))


def test_a_device_without_an_account_has_the_seal_that_it_had_before_there_were_any(world: World) -> None:
    seal = recorded(world)
    (row,) = world.sql("SELECT * FROM devices")
    names = [column.name for column in tables.devices.c]
    before = {name: value for name, value in zip(names, row, strict=True) if name != "account"}
    assert sealed(world) == [seal] == [stored.sealed(devices.SEAL, "CAM-01 version 1", before)]


def test_an_account_is_under_the_seal(world: World) -> None:
    seal = recorded(world, replace(CAMERA, account="phone-1"))
    assert sealed(world) == [seal]
    for statement in ("UPDATE devices SET account = 'phone-2'", "UPDATE devices SET account = ''"):
        world.sql(statement)
        assert sealed(world) != [seal]


def test_a_device_is_known_by_its_account_and_a_retired_one_only_where_there_is_no_other(world: World) -> None:
    def known() -> dict[str, list[str]]:
        with world.services.database.reading() as connection:
            names = ("phone-1", "PHONE-1", "")
            return {name: [each.device_id for each in devices.of_account(connection, name)] for name in names}

    recorded(world, replace(CAMERA, account=" phone-1 "))
    recorded(world, TABLET)
    assert known() == {"phone-1": ["CAM-01"], "PHONE-1": [], "": []}
    recorded(world, replace(CAMERA, account="phone-1", status=DeviceStatus.RETIRED))
    assert known()["phone-1"] == ["CAM-01"]
    recorded(world, replace(TABLET, account="phone-1"))
    assert known()["phone-1"] == ["TAB-1"]


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({}, []),
        ({"status": DeviceStatus.LOST}, ["CAM-01"]),
        ({"status": DeviceStatus.RETIRED}, []),
        ({"status": DeviceStatus.LOST, "aet": "CAM1"}, []),
        ({"status": DeviceStatus.LOST, "account": "phone-1"}, []),
    ],
)
def test_a_lost_device_that_is_tied_to_nothing_is_listed(
    changes: dict[str, object], listed: list[str], world: World
) -> None:
    recorded(world)
    recorded(world, TABLET)
    recorded(world, replace(CAMERA, **changes))  # type: ignore[arg-type]
    with world.services.database.reading() as connection:
        assert [each.device_id for each in devices.lost_unbound(connection)] == listed
