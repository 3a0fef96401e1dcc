"""The register of devices and operators: what is recorded of them, what was lost with one, what came from it.

Knows which entry of the trail goes with each step. People's own words stay in the register's rows; the trail names the
device or operator, the step and what it changed. Must not know how a picture is told to be a device's (``registry``).

Sources: requirements 001-10a (a lost device: what came from it, in one command), 002-48 (what to wipe), 002-46
(waivers), 000-19b; UK GDPR 33 (72 hours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import IllegalTransitionError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.devices import DeviceStatus, DeviceTask, Safeguard
from orthanc_plugin.policy.eventmodel import TaskKind
from orthanc_plugin.registry import captured, devices, operators, tasks
from orthanc_plugin.registry.captured import Captured
from orthanc_plugin.registry.devices import Device, Waiver
from orthanc_plugin.registry.operators import Operator
from orthanc_plugin.registry.trail import append

EFFECTS: Final = {
    DeviceStatus.LOST: "DEVICE_LOST",
    DeviceStatus.IN_USE: "DEVICE_FOUND",
    DeviceStatus.RETIRED: "DEVICE_RETIRED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A device that is reported lost, and everything that came from it."""

    device: Device
    came: tuple[Captured, ...]


def add(connection: Connection, act: Act, device: Device, reason: str) -> Device:
    """Put a device on the register.

    Raises:
        IncompleteDeviceError: with everything that is missing, such as a safeguard that nobody has waived.
        IllegalTransitionError: the id is taken, or another device is known by the same number.
    """
    if devices.known(connection, device.device_id):
        raise IllegalTransitionError(
            "A device with this id is on the register.", remedy="Use 'consentgate device change', or another id."
        )
    return _recorded(connection, act, device, "DEVICE_REGISTERED", reason)


def change(connection: Connection, act: Act, device_id: str, said: Mapping[str, object], reason: str) -> Device:
    """Correct what is said of a device; a safeguard that it has now needs no waiver any more.

    Raises:
        UnknownRecordError: no such device.
        IncompleteDeviceError: what it would lack.
        IllegalTransitionError: another device is known by the same number.
    """
    before = devices.current(connection, device_id)
    gained = {safeguard for safeguard in Safeguard if said.get(safeguard) is True}
    kept = tuple(waiver for waiver in before.waived if waiver.safeguard not in gained)
    after = replace(before, **said, waived=kept)  # type: ignore[arg-type]
    return _recorded(connection, act, after, "DEVICE_CHANGED", reason, *_differences(before, after))


def _differences(before: Device, after: Device) -> tuple[str, ...]:
    """Name what was changed; of words that may name a person, only that they were."""
    telling = (*devices.FLAGS, "device_class")
    names = [name for name in devices.NAMES if getattr(before, name) != getattr(after, name)]
    return tuple(
        f"{each}: {getattr(before, each)} -> {getattr(after, each)}" if each in telling else each for each in names
    )


def waive(connection: Connection, act: Act, device_id: str, safeguard: Safeguard, reason: str) -> Device:
    """Record that the device is used without a safeguard, on the word of whoever acts.

    Raises:
        UnknownRecordError: no such device.
        IllegalTransitionError: no reason is given.
    """
    before = devices.current(connection, device_id)
    others = tuple(each for each in before.waived if each.safeguard is not safeguard)
    after = replace(before, waived=(*others, waiver(act, safeguard, reason)), **{safeguard.value: False})  # type: ignore[arg-type]
    return _recorded(connection, act, after, "DEVICE_WAIVED", reason, safeguard)


def waiver(act: Act, safeguard: Safeguard, reason: str) -> Waiver:
    """Return the waiver of a safeguard by whoever acts.

    Raises:
        IllegalTransitionError: no reason is given.
    """
    if not reason.strip():
        raise IllegalTransitionError("A safeguard is waived with a reason.", remedy="Say why it is borne.")
    return Waiver(safeguard=safeguard, by=act.by, reason=reason.strip(), at=act.at.isoformat())


def lose(connection: Connection, act: Act, device_id: str, reason: str) -> Lost:
    """Record that a device is lost: what it sends is refused from now on; return everything that came from it.

    Raises:
        UnknownRecordError: no such device.
        IllegalTransitionError: it is lost already.
    """
    device = _moved(connection, act, device_id, DeviceStatus.LOST, reason)
    came = tuple(captured.by_device(connection, device))
    why = (
        f"{len(came)} picture(s) came from it; {'wipe it from afar' if device.remote_wipe else 'it has no remote wipe'}"
    )
    for kind in (DeviceTask.DEVICE_LOST, TaskKind.BREACH_ASSESSMENT):
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=device_id, reason=why, at=act.at)
    return Lost(device=device, came=came)


def find(connection: Connection, act: Act, device_id: str, reason: str) -> Device:
    """Record that a lost or retired device is in use again.

    Raises:
        UnknownRecordError: no such device.
        IllegalTransitionError: it is in use, or another has taken its number.
    """
    return _moved(connection, act, device_id, DeviceStatus.IN_USE, reason)


def retire(connection: Connection, act: Act, device_id: str, reason: str) -> Device:
    """Record that a device takes no more pictures.

    Raises:
        UnknownRecordError: no such device.
        IllegalTransitionError: it is retired already.
    """
    return _moved(connection, act, device_id, DeviceStatus.RETIRED, reason)


def _moved(connection: Connection, act: Act, device_id: str, status: DeviceStatus, reason: str) -> Device:
    before = devices.current(connection, device_id)
    if before.status is status:
        raise IllegalTransitionError(f"The device is {status} already.", remedy="See 'consentgate device show'.")
    after = replace(before, status=status, since=act.at.isoformat())
    return _recorded(connection, act, after, EFFECTS[status], reason, before.status)


def _recorded(connection: Connection, act: Act, device: Device, effect: str, reason: str, *changed: str) -> Device:
    if not reason.strip():
        raise IllegalTransitionError(
            "Nothing is recorded of a device without a reason.", remedy="Say why, for whoever reads it later."
        )
    seal = devices.append(connection, device, reason=reason, by=act.by, at=act.at)
    _told(connection, act, effect, device.device_id, seal, changed)
    return devices.current(connection, device.device_id)


def _told(
    connection: Connection, act: Act, effect: str, subject: str, seal: str, changed: tuple[str, ...] = ()
) -> None:
    kind = (
        EventType.SECURITY_ALERT
        if effect == EFFECTS[DeviceStatus.LOST]
        else EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED
    )
    append(connection, [act.event(kind, effect, subject=subject, reasons=changed, detail=seal)])


def enrol(connection: Connection, act: Act, operator: Operator, reason: str) -> Operator:
    """Put an operator on the register, or again after they were ended.

    Raises:
        IncompleteOperatorError: with everything that is missing.
        IllegalTransitionError: they are on it, and not ended.
    """
    if operators.known(connection, operator.operator_id):
        last = operators.current(connection, operator.operator_id).active_until
        if last is None or last >= operator.active_from:
            raise IllegalTransitionError(
                "An operator with this number is on the register.",
                remedy="End the entry first ('consentgate operator end'), and begin the new one on a later day.",
            )
    return _enrolled(connection, act, operator, "OPERATOR_REGISTERED", reason)


def dismiss(connection: Connection, act: Act, operator_id: str, last_day: date, reason: str) -> Operator:
    """Record the last day on which an operator may take pictures.

    Raises:
        UnknownRecordError: no such operator.
        IncompleteOperatorError: the day is before their first.
    """
    known = operators.current(connection, operator_id)
    return _enrolled(connection, act, replace(known, active_until=last_day), "OPERATOR_ENDED", reason)


def _enrolled(connection: Connection, act: Act, operator: Operator, effect: str, reason: str) -> Operator:
    seal = operators.append(connection, operator, reason=reason, by=act.by, at=act.at)
    _told(connection, act, effect, operator.operator_id, seal)
    return operators.current(connection, operator.operator_id)
