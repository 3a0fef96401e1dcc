"""What the register of devices and operators has to say of a photograph that comes in."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.lifecycle import duties
from orthanc_plugin.policy.devices import DeviceClass
from orthanc_plugin.registry.quarantine import Status
from tests.fakes.pictures import CARE, TEACHING, consent, ct, encoded
from tests.fakes.register import CAMERA, act, enrol, find, lose, register, ruled, rules_of, taken
from tests.fakes.world import START, World, make_world

DEVICES = 'devices = "registered"'
OPERATORS = 'operators = "registered"'
ONLY_STILLS = 'image_classes = { MANAGED = ["PHOTOGRAPH"], PERSONAL = ["PHOTOGRAPH", "RECOGNISABLE"] }'
SOFTLY = "allow_with_reason"


def world_under(tmp_path: Path, *lines: str, personal: str = "reject") -> World:
    world = make_world(tmp_path, policy=ruled(*lines, personal=personal))
    world.record(consent(CARE, TEACHING))
    return world


def staff(number: str) -> list[Dataset]:
    person, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = number, "99HOSP", "Somebody"
    person.PersonIdentificationCodeSequence = [code]
    return [person]


def kinds(world: World) -> dict[str, str]:
    return {str(task["kind"]): str(task["subject"]) for task in world.tasks()}


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (taken(), []),
        (taken(serial="sn 4711 "), []),
        (taken(serial=None, StationName="ward 7"), []),
        (taken(serial="SN4712"), ["UNREGISTERED_DEVICE"]),
        (taken(serial=None), ["UNREGISTERED_DEVICE"]),
        (taken(serial=""), ["UNREGISTERED_DEVICE"]),
        (taken(serial="SN4711", StationName="Ward 8"), ["DEVICE_AMBIGUOUS"]),
        (taken(serial=None, device_class="PATIENT"), ["PATIENT_SUPPLIED_UNCONFIRMED"]),
        (encoded(ct(DeviceSerialNumber="CT-1")), []),
        (encoded(ct(SOPClassUID=EncapsulatedPDFStorage)), ["CONSENT_MISSING"]),
    ],
)
def test_only_devices_on_the_register_are_taken_where_the_policy_says_so(
    content: bytes, rules: list[str], tmp_path: Path
) -> None:
    world = world_under(tmp_path, DEVICES)
    register(world, station_name="Ward 7")
    register(world, device_id="CAM-08", serial_number="", station_name="Ward 8")
    verdict = world.receive(content)
    assert (rules_of(verdict.reasons), verdict.refused) == (rules, False)
    assert len(world.held()) == len(rules)
    world.close()


def test_a_picture_is_filed_once_its_device_is_on_the_register(tmp_path: Path) -> None:
    world = world_under(tmp_path, DEVICES)
    assert rules_of(world.receive(taken()).reasons) == ["UNREGISTERED_DEVICE"]
    assert world.held()[0].device_serial == "SN4711"
    register(world)
    assert world.receive(taken()).content == taken()
    row = world.row()
    assert (row.device_id, row.device_serial, row.device_class) == ("CAM-01", "SN4711", DeviceClass.DEDICATED)
    world.close()


def test_without_a_word_in_the_policy_any_device_and_operator_will_do(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    assert world.receive(taken(serial="SN9")).reasons == ()
    assert (world.row().device_id, world.row().device_serial, world.row().device_class) == (None, "SN9", None)


@pytest.mark.parametrize(
    ("elements", "filed"),
    [
        ({"OperatorsName": "Field^Alex"}, True),
        ({"OperatorsName": "FIELD^ALEX^^"}, True),
        ({"OperatorsName": "S100"}, True),
        ({"OperatorsName": "Somebody^Else", "OperatorIdentificationSequence": staff("s100")}, True),
        ({"OperatorsName": ["Field^Alex", "Hill^Sam"]}, True),
        ({"OperatorsName": ["Field^Alex", "Somebody^Else"]}, False),
        ({"OperatorsName": "Somebody^Else"}, False),
        ({"OperatorsName": "Gone^Long"}, False),
        ({"OperatorsName": "Field^Alex", "ContentDate": "20251231"}, False),
        ({"OperatorIdentificationSequence": staff("S999")}, False),
        ({"OperatorsName": ""}, False),
        ({}, False),
    ],
)
def test_only_operators_on_the_register_are_taken_where_the_policy_says_so(
    elements: dict[str, object], filed: bool, tmp_path: Path
) -> None:
    world = world_under(tmp_path, OPERATORS)
    enrol(world)
    enrol(world, operator_id="S101", name="Hill^Sam")
    enrol(world, operator_id="S102", name="Gone^Long", active_until=date(2026, 6, 30))
    verdict = world.receive(taken(**{"ContentDate": "20261122", **elements}))
    assert rules_of(verdict.reasons) == ([] if filed else ["UNREGISTERED_OPERATOR"])
    assert "Else" not in str(world.trail())
    world.close()


def test_a_lost_device_s_picture_is_kept_and_its_sender_told_no(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    assert world.receive(taken()).reasons == ()
    lose(world)
    world.clock.advance(hours=1)
    later = taken(uid="2.25.31")
    for _ in range(2):  # a sender that was told no tries again
        verdict = world.receive(later)
        assert (rules_of(verdict.reasons), verdict.content, verdict.refused) == (["DEVICE_LOST"], None, True)
    (held,) = world.held()
    assert (held.device_id, world.services.spool.get(held.spool_name)) == ("CAM-01", later)
    assert [row.sop_instance_uid for row in world.rows()] == ["2.25.3"]
    find(world)
    assert world.receive(later).content == later
    world.close()


def test_what_came_before_the_loss_is_no_upload_of_a_lost_device(world: World) -> None:
    register(world)
    assert rules_of(world.receive(taken()).reasons) == ["CONSENT_UNKNOWN"]
    world.record(consent(CARE, TEACHING))
    world.clock.advance(hours=1)
    lose(world)
    world.clock.advance(hours=1)
    assert world.receive(taken()).content == taken()


def test_a_lost_device_is_refused_whatever_it_sends(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    register(world, device_id="CAM-08", serial_number="", station_name="Ward 8")
    lose(world)
    for content in (encoded(ct(DeviceSerialNumber="sn4711")), taken(device_class="PATIENT")):
        verdict = world.receive(content, "portal")
        assert (rules_of(verdict.reasons), verdict.refused) == (["DEVICE_LOST"], True)
    assert world.receive(taken(uid="2.25.9", StationName="ward8")).refused


@pytest.mark.parametrize(
    ("changed", "lacking"),
    [
        ("UPDATE devices SET password = 0", "password"),
        ("UPDATE devices SET auto_lock = 0", "auto_lock"),
        ("UPDATE devices SET cloud_sync = 1", "cloud_sync"),
    ],
)
def test_a_device_whose_entry_lacks_what_nobody_waived_files_nothing(changed: str, lacking: str, world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    world.sql(changed)
    verdict = world.receive(taken())
    assert (rules_of(verdict.reasons), lacking in verdict.reasons[0]) == (["DEVICE_UNSECURED"], True)


def test_a_retired_device_s_picture_waits(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world)
    world.sql("UPDATE devices SET status = 'RETIRED'")
    verdict = world.receive(taken())
    assert (rules_of(verdict.reasons), verdict.refused) == (["DEVICE_RETIRED"], False)


@pytest.mark.parametrize(
    ("after", "origin", "at", "filed"),
    [
        (10, "DICOM_PROTOCOL", START, True),
        (60, "REST_API", START, True),
        (10, "PLUGIN", START, True),
        (61, "DICOM_PROTOCOL", START, False),
        (-61, "DICOM_PROTOCOL", START, False),
        (10, "WEB_DAV", START, False),
        (10, "LUA", START, False),
        (10, "DICOM_PROTOCOL", None, False),
    ],
)
def test_an_unencrypted_device_must_send_at_once_and_by_itself(
    after: int, origin: str, at: object, filed: bool, world: World
) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, encrypted=False)
    world.clock.advance(minutes=after)
    verdict = Intake(world.services).examine(taken(at=at), origin)  # type: ignore[arg-type]
    assert rules_of(verdict.reasons) == ([] if filed else ["ENCRYPTION_WARNING"])
    assert kinds(world) == {"ENCRYPTION_WARNING": "CAM-01" if filed else "2.25.1"}
    assert world.last_rules() == ["ENCRYPTION_WARNING"]


def look_into(world: World) -> None:
    (task,) = world.tasks()
    with world.services.database.writing() as connection:
        duties.close(connection, act(world, "governance"), str(task["task_id"]), "The card was read in the clinic.")


@pytest.mark.parametrize("kind", ["ENCRYPTION_WARNING", "AUTO_UPLOAD_SUSPECTED"])
def test_what_somebody_has_looked_into_is_filed_and_what_comes_after_is_not(kind: str, world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, encrypted=kind != "ENCRYPTION_WARNING")
    through = {} if kind == "ENCRYPTION_WARNING" else {"SoftwareVersions": "WhatsApp 2.24"}
    first, second = (taken(uid=uid, at=START - timedelta(hours=3), **through) for uid in ("2.25.31", "2.25.32"))
    for _ in range(2):
        assert rules_of(world.receive(first).reasons) == [kind]
        world.clock.advance(minutes=1)
    look_into(world)
    world.clock.advance(minutes=1)
    assert rules_of(world.receive(second).reasons) == [kind]
    assert world.receive(first).content == first
    assert kind in kinds(world)
    assert [row.sop_instance_uid for row in world.rows()] == ["2.25.31"]


@pytest.mark.parametrize(
    ("personal", "device", "content", "rules"),
    [
        ("reject", {}, taken(), ["PERSONAL_DEVICE"]),
        (SOFTLY, {}, taken(), ["PERSONAL_DEVICE"]),
        (SOFTLY, {}, taken(device_class="ORGANISATION"), ["PERSONAL_DEVICE"]),
        (SOFTLY, {}, taken(device_class="ORGANISATION", reason="URGENT_CARE"), []),
        (SOFTLY, {}, taken(reason="URGENT_CARE", confidentiality="R"), ["PERSONAL_DEVICE", "IMAGE_CLASS"]),
        (SOFTLY, {}, taken(reason="URGENT_CARE", RecognizableVisualFeatures="YES"), []),
        (SOFTLY, {"device_class": DeviceClass.MANAGED}, taken(), []),
        (SOFTLY, {"device_class": DeviceClass.MANAGED}, taken(RecognizableVisualFeatures="YES"), ["IMAGE_CLASS"]),
        (SOFTLY, {"device_class": DeviceClass.MANAGED}, taken(confidentiality="V"), ["IMAGE_CLASS"]),
        (SOFTLY, {"device_class": DeviceClass.DEDICATED}, taken(confidentiality="V"), []),
        (SOFTLY, {"device_class": DeviceClass.DEDICATED}, taken(device_class="PERSONAL"), ["PERSONAL_DEVICE"]),
    ],
)
def test_the_register_s_class_counts_and_the_picture_s_own_word_where_it_is_stricter(
    personal: str, device: dict[str, object], content: bytes, rules: list[str], tmp_path: Path
) -> None:
    world = world_under(tmp_path, ONLY_STILLS, personal=personal)
    register(world, **{"device_class": DeviceClass.PERSONAL, **device})
    assert rules_of(world.receive(content).reasons) == rules
    world.close()


@pytest.mark.parametrize(
    ("hours", "elements", "late"),
    [
        (5, {}, False),
        (6, {}, True),
        (6, {"AcquisitionDateTime": None, "ContentDate": "20261122", "ContentTime": "093000"}, True),
        (6, {"AcquisitionDateTime": None, "AcquisitionDate": "20261122", "AcquisitionTime": "0930"}, True),
        (6, {"AcquisitionDateTime": None, "ContentTime": None}, False),
    ],
)
def test_a_picture_that_comes_late_is_filed_and_somebody_is_asked_why(
    hours: int, elements: dict[str, object], late: bool, tmp_path: Path
) -> None:
    world = make_world(
        tmp_path, policy=ruled().replace("max_transfer_delay_hours = 87840", "max_transfer_delay_hours = 5")
    )
    world.record(consent(CARE, TEACHING))
    world.clock.advance(hours=hours)
    content = taken(
        **{"ContentDate": "20261122", "ContentTime": "093000", "TimezoneOffsetFromUTC": "+0000", **elements}
    )
    for _ in range(2):
        assert world.receive(content).content == content
        assert world.last_rules() == (["LATE_TRANSFER"] if late else [])
    assert kinds(world) == ({"LATE_TRANSFER": "2.25.1"} if late else {})
    world.close()


def test_what_a_patient_sent_in_is_never_late_nor_asked_for_its_program(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    old = taken(at=START - timedelta(days=5000), device_class="PATIENT", SoftwareVersions="WhatsApp", serial=None)
    assert world.receive(old, "portal").content == old
    assert (world.tasks(), world.last_rules()) == ([], [])


def test_a_picture_that_waits_for_the_patient_keeps_the_day_that_it_came(tmp_path: Path) -> None:
    world = world_under(tmp_path)
    world.close()
    world = make_world(tmp_path, policy=ruled() + '[approval]\nbefore_filing = "every"\n')
    world.record(consent(CARE, TEACHING))
    register(world)
    for _ in range(2):
        world.receive(taken())
        world.clock.advance(hours=1)
    assert world.sql("SELECT received_at, status FROM quarantine") == [
        (START.isoformat(), Status.AWAITING_PATIENT_APPROVAL)
    ]
    lose(world)
    assert world.receive(taken()).refused is False
    world.close()


def test_the_register_that_can_t_be_read_lets_nothing_in(world: World) -> None:
    world.record(consent(CARE, TEACHING))
    register(world, CAMERA)
    world.sql("UPDATE devices SET status = 'SOMEWHERE'")
    with pytest.raises(Exception, match=r"devices\.status"):
        world.receive(taken())
    assert (world.rows(), world.held()) == ([], [])
