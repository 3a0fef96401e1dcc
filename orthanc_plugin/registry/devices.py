"""The register of devices: which take pictures, how each is secured, which are lost.

Knows rows: every change is a version of its own, none is changed or deleted, each is sealed in the trail. What a device
is known by is kept as it is compared, without case and blanks. Must not decide what becomes of a picture.

Sources: requirements 001-16a, 002-46, 002-48, 000-31, 001-10a.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Never, cast

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.devices import DeviceClass, DeviceStatus, Safeguard
from orthanc_plugin.policy.persons import folded
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import flag, sealed, unreadable, word
from orthanc_plugin.registry.tables import devices

SEAL: Final = "device record "
LONGEST: Final = {
    "serial_number": 64,
    "station_name": 64,
    "aet": 16,
    "account": 64,
    "description": 128,
    "owner": 64,
    "department": 64,
}
FLAGS: Final = (*Safeguard, "remote_wipe", "cloud_sync")
NAMES: Final = (*LONGEST, *FLAGS, "device_class")
TOLD: Final = ("version", "reason", "recorded_at", "recorded_by")
_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


class IncompleteDeviceError(ConfigurationError):
    """A device lacks what it must have to be on the register."""

    remedy = "Correct the device or what is said of it, or waive a safeguard with a reason; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody's word that a device may be used without a safeguard."""

    safeguard: Safeguard
    by: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as it stands on the register.

    Attributes:
        device_id: the hospital's name of it, such as an asset number.
        serial_number: as its pictures have it in DeviceSerialNumber; see ``keyed``.
        station_name: as they have it in StationName.
        aet: AE title under which it sends by itself.
        account: account with which it, and nothing else, sends by HTTP.
        description: maker and model, for people.
        owner: who has it.
        department: where it belongs.
        remote_wipe: it can be located and wiped from afar.
        cloud_sync: it uploads by itself; the register takes no such device.
        since: from when on its status holds.
    """

    device_id: str
    device_class: DeviceClass
    serial_number: str = ""
    station_name: str = ""
    aet: str = ""
    description: str = ""
    owner: str = ""
    department: str = ""
    password: bool
    encrypted: bool
    auto_lock: bool
    remote_wipe: bool
    cloud_sync: bool
    waived: tuple[Waiver, ...] = ()
    status: DeviceStatus = DeviceStatus.IN_USE
    since: str
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One version of a device, why it was recorded, when and by whom."""

    device: Device
    version: int
    reason: str
    recorded_at: str
    recorded_by: str


def keyed(text: str) -> str:
    """Return a serial number, station name or AE title as it is compared: no case, no blanks, no unseen signs."""
    return "".join(sign for sign in folded(text.replace("\0", "")) if sign.isprintable() and sign != " ").upper()


def gaps(device: Device) -> Iterator[str]:
    """Say what is missing or may not be (requirements 002-46, 000-31)."""
    if not _ID.fullmatch(device.device_id):
        yield "device_id: must be 1 to 64 letters, digits, dots, dashes or underscores"
    for name, most in LONGEST.items():
        if len(getattr(device, name)) > most:
            yield f"{name}: is longer than {most} characters"
    if not device.serial_number and not device.station_name:
        yield "serial_number: is missing, and so is station_name; a picture could never be told to be this device's"
    if not device.owner and not device.department:
        yield "owner: is missing, and so is department; somebody must answer for the device"
    if device.cloud_sync:
        yield "cloud_sync: must be off; no picture may be uploaded or backed up by the device itself"
    waived = {waiver.safeguard for waiver in device.waived}
    for safeguard in Safeguard:
        if not getattr(device, safeguard) and safeguard not in waived:
            yield f"{safeguard}: the device has none, and nobody has waived it"


def append(connection: Connection, device: Device, *, reason: str, by: str, at: datetime) -> str:
    """Record the next version of a device; return the words that tie it to its entry in the trail.

    Raises:
        IncompleteDeviceError: with everything that is missing.
        IllegalTransitionError: another device that isn't retired has the same serial number, station name or account.
    """
    if problems := tuple(gaps(device)):
        raise IncompleteDeviceError("The device can't be on the register like this.", problems=problems)
    _must_be_told_apart(connection, device)
    values = {name: value.strip() if isinstance(value, str) else value for name, value in asdict(device).items()}
    row = {
        **values,
        **{name: keyed(values[name]) for name in ("serial_number", "station_name", "aet")},
        **{name: int(values[name]) for name in FLAGS},
        "waived": json.dumps(values["waived"]),
        "version": _last_version(connection, device.device_id) + 1,
        "reason": reason.strip(),
        "recorded_at": at.isoformat(),
        "recorded_by": by,
    }
    connection.execute(devices.insert().values(row))
    return _seal(row)


def _must_be_told_apart(connection: Connection, device: Device) -> None:
    if device.status is DeviceStatus.RETIRED:
        return
    keys = {name: keyed(getattr(device, name)) for name in ("serial_number", "station_name")}
    keys["account"] = device.account.strip()
    for other in listed(connection):
        same = [name for name, key in keys.items() if key and key == getattr(other, name)]
        if same and other.device_id != device.device_id and other.status is not DeviceStatus.RETIRED:
            raise IllegalTransitionError(
                f"Another device, {other.device_id}, has the same {same[0]}.",
                remedy="Correct it, or retire the other device first.",
            )


def _of(device_id: str) -> Select[tuple[object, ...]]:
    return select(devices).where(devices.c.device_id == device_id)


def _last_version(connection: Connection, device_id: str) -> int:
    query = select(func.max(devices.c.version)).where(devices.c.device_id == device_id)
    return int(connection.execute(query).scalar() or 0)


def current(connection: Connection, device_id: str) -> Device:
    """Return the device as it stands.

    Raises:
        UnknownRecordError: there is none.
    """
    return versions(connection, device_id)[-1].device


def versions(connection: Connection, device_id: str) -> list[Recorded]:
    """Return every version of the device, oldest first.

    Raises:
        UnknownRecordError: there is none.
    """
    found = connection.execute(_of(device_id).order_by(devices.c.version)).all()
    if not found:
        raise UnknownRecordError("No device has this id.", remedy="See 'consentgate device list'; case counts.")
    return [_recorded(row) for row in found]


def known(connection: Connection, device_id: str) -> bool:
    """Tell whether the id is taken."""
    return _last_version(connection, device_id) > 0


def listed(connection: Connection, status: DeviceStatus | None = None) -> list[Device]:
    """Return the devices as they stand, by id; or only those in this state."""
    query = _newest().order_by(devices.c.device_id)
    found = [_recorded(row).device for row in connection.execute(query)]
    return [device for device in found if status in (None, device.status)]


def _newest(*columns: ColumnElement[str]) -> Select[tuple[object, ...]]:
    """Select the newest version of each device, whole or only these columns of it."""
    later = devices.alias()
    newer = select(later.c.version).where(later.c.device_id == devices.c.device_id, later.c.version > devices.c.version)
    return select(*(columns or (devices,))).where(~newer.exists())


COLUMNS: Final = tuple(column.name for column in devices.c)
_SERIAL, _STATION, _AET = (
    (devices.c[name] == bindparam(name)) & (devices.c[name] != "") for name in ("serial_number", "station_name", "aet")
)
# Asked about every picture that comes in.
KNOWN_BY: Final = prepared(_newest(*devices.c).where(_SERIAL | _STATION).order_by(devices.c.device_id))
OF_ACCOUNT: Final = prepared(
    _newest(*devices.c).where(devices.c.account == bindparam("account"), devices.c.account != "")
)
LOST_UNBOUND: Final = prepared(
    _newest(*devices.c).where(devices.c.status == DeviceStatus.LOST.value, devices.c.aet == "", devices.c.account == "")
)
NODES: Final = prepared(
    _newest(devices.c.aet).where(devices.c.aet != "", devices.c.status != DeviceStatus.RETIRED.value)
)
OF_NODE: Final = prepared(_newest(*devices.c).where(_AET, devices.c.status != DeviceStatus.RETIRED.value))
LOST_NODE: Final = prepared(_newest(devices.c.device_id).where(_AET, devices.c.status == DeviceStatus.LOST.value))


def known_by(connection: Connection, serial: str, station: str) -> list[Device]:
    """Return the devices that a picture with these keys may be of; retired ones only where there is no other.

    One whose serial number is another than the picture's isn't meant, whatever the station.
    """
    rows = KNOWN_BY.rows(connection, serial_number=serial, station_name=station)
    found = [_recorded(row).device for row in rows]
    meant = [each for each in found if not (serial and each.serial_number and each.serial_number != serial)]
    return [each for each in meant if each.status is not DeviceStatus.RETIRED] or meant


def of_account(connection: Connection, account: str) -> list[Device]:
    """Return the device that sends with this account of HTTP; retired ones only where there is no other."""
    found = [_recorded(row).device for row in OF_ACCOUNT.rows(connection, account=account)] if account else []
    return [each for each in found if each.status is not DeviceStatus.RETIRED] or found


def lost_unbound(connection: Connection) -> list[Device]:
    """Return the lost devices of which the register has neither AE title nor account: nothing tells their uploads."""
    return [_recorded(row).device for row in LOST_UNBOUND.rows(connection)]


def lost_node(connection: Connection, aet: str) -> str:
    """Return the id of a device that sends under this AE title and is reported lost; '' when there is none."""
    return next((str(device_id) for (device_id,) in LOST_NODE.rows(connection, aet=keyed(aet))), "")


def nodes(connection: Connection) -> frozenset[str]:
    """Return the AE titles, as they are compared, under which devices on the register send, lost ones too."""
    return frozenset(str(aet) for (aet,) in NODES.rows(connection))


def of_node(connection: Connection, aet: str) -> list[Device]:
    """Return the devices that send under this AE title; retired ones never."""
    return [_recorded(row).device for row in OF_NODE.rows(connection, aet=keyed(aet))]


def of_id(connection: Connection, device_id: str) -> list[Device]:
    """Return the device of this id, none where nobody knows it."""
    return [current(connection, device_id)] if device_id and known(connection, device_id) else []


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version on record."""
    for row in connection.execute(select(devices), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: Mapping[str, object]) -> str:
    """Return the seal of a version; one without an account has the seal that it had before there were any."""
    content = {name: value for name, value in row.items() if name != "account" or value}
    return sealed(SEAL, f"{row['device_id']} version {row['version']}", content)


def _recorded(row: Sequence[object]) -> Recorded:
    values: dict[str, object] = dict(zip(COLUMNS, row, strict=True))
    told = {name: values.pop(name) for name in TOLD}
    values["device_class"] = word(DeviceClass, values["device_class"], "devices.device_class")
    values["status"] = word(DeviceStatus, values["status"], "devices.status")
    values["waived"] = _waived(values["waived"])
    for name in FLAGS:
        values[name] = flag(values[name], f"devices.{name}")
    return Recorded(device=Device(**cast("dict[str, Never]", values)), **cast("dict[str, Never]", told))


def _waived(text: object) -> tuple[Waiver, ...]:
    try:
        found = json.loads(str(text))
        return tuple(Waiver(**{**each, "safeguard": Safeguard(each["safeguard"])}) for each in found)
    except (ValueError, TypeError, KeyError):
        raise unreadable("devices.waived") from None
