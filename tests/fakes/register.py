"""Devices and operators on the register of a world, and photographs that say that they took them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from dicomwrap.consentstamp import stamp_of
from dicomwrap.terms import Purpose
from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.devices import Lost
from orthanc_plugin.policy.devices import DeviceClass
from orthanc_plugin.registry.devices import Device
from orthanc_plugin.registry.operators import Operator
from tests.fakes.pictures import CARE, TEACHING, UID, consent, encoded, photograph
from tests.fakes.world import POLICY, START, World

CAMERA = Device(
    device_id="CAM-01",
    device_class=DeviceClass.DEDICATED,
    serial_number="sn 4711",
    department="Medical illustration",
    password=True,
    encrypted=True,
    auto_lock=True,
    remote_wipe=False,
    cloud_sync=False,
    since=START.isoformat(),
)
PHOTOGRAPHER = Operator(
    operator_id="S100", name="Field^Alex", role="clinical photographer", active_from=date(2026, 1, 1)
)
SERIAL = "SN4711"


def act(world: World, by: str = "illustration") -> Act:
    return world.services.act(by, "test")


def register(world: World, device: Device = CAMERA, **changes: object) -> Device:
    """Put a device on the register; what it lacks is waived."""
    known = replace(device, **changes)  # type: ignore[arg-type]
    lacking = [each for each in ("password", "encrypted", "auto_lock") if not getattr(known, each)]
    with world.services.database.writing() as connection:
        who = act(world)
        waived = tuple(steps.waiver(who, each, "borne") for each in lacking)  # type: ignore[arg-type]
        return steps.add(connection, who, replace(known, waived=waived), "bought")


def lose(world: World, device_id: str = CAMERA.device_id) -> Lost:
    with world.services.database.writing() as connection:
        return steps.lose(connection, act(world), device_id, "left on a bus")


def find(world: World, device_id: str = CAMERA.device_id) -> Device:
    with world.services.database.writing() as connection:
        return steps.find(connection, act(world), device_id, "handed in")


def enrol(world: World, operator: Operator = PHOTOGRAPHER, **changes: object) -> Operator:
    with world.services.database.writing() as connection:
        return steps.enrol(connection, act(world), replace(operator, **changes), "")  # type: ignore[arg-type]


def kinds_of(world: World) -> dict[str, str]:
    """Return the open tasks: of what each is about."""
    return {str(task["kind"]): str(task["subject"]) for task in world.tasks()}


def ruled(*lines: str, personal: str = "reject") -> str:
    """Return a policy with more lines under [intake]."""
    allowed = POLICY.replace('personal_device = "reject"', f'personal_device = "{personal}"')
    return allowed.replace("[intake]\n", "\n".join(("[intake]", *lines, "")))


def taken(
    *,
    uid: str = UID,
    at: datetime | None = START,
    serial: str | None = SERIAL,
    device_class: str = "",
    reason: str = "",
    confidentiality: str = "N",
    **elements: object,
) -> bytes:
    """Return a photograph as a device of the register sends it, taken at ``at``."""
    stamp = stamp_of(consent(CARE, TEACHING), Purpose.DIRECT_CARE, confidentiality=confidentiality)
    stamp = replace(stamp, device_class=device_class, device_reason=reason)
    when = at.strftime("%Y%m%d%H%M%S.%f+0000") if at else None
    said = {"AcquisitionDateTime": when, "DeviceSerialNumber": serial, **elements}
    return encoded(photograph(uid=uid, stamp=stamp, **said))


def rules_of(reasons: tuple[str, ...]) -> list[str]:
    return [reason.partition(":")[0] for reason in reasons]
