"""``consentgate device``: the register of devices, and what came from each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, show, told
from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.policy.devices import DeviceClass, DeviceStatus, Safeguard
from orthanc_plugin.registry import captured, devices
from orthanc_plugin.registry.captured import Captured
from orthanc_plugin.registry.devices import Device
from orthanc_plugin.services import Services

DOOR: Final = "consentgate device"
CAME: Final = ("received_at", "status", "sop_instance_uid", "quarantine_id", "disclosed_to")
OFF: Final = "off"
SAFEGUARDS: Final = click.Choice([each.value for each in Safeguard])

reason_option = click.option("--reason", required=True, help="Why, for whoever reads it later.")
words_options = (
    click.option("--serial", "serial_number", help="DeviceSerialNumber of its pictures; case and blanks don't count."),
    click.option("--station", "station_name", help="StationName of its pictures; case and blanks don't count."),
    click.option("--aet", help="AE title, where it sends by itself."),
    click.option("--account", help="Account by which it, and nothing else, sends by HTTP."),
    click.option("--description", help="Maker and model, for people."),
    click.option("--owner", help="Who has it."),
    click.option("--department", help="Where it belongs."),
)
flag_options = (
    click.option("--password/--no-password", default=None, help="It opens with a strong password only."),
    click.option("--encrypted/--not-encrypted", default=None, help="What it keeps is encrypted."),
    click.option("--auto-lock/--no-auto-lock", default=None, help="It locks itself."),
    click.option("--remote-wipe/--no-remote-wipe", default=None, help="It can be located and wiped from afar."),
    click.option("--cloud-sync", type=click.Choice([OFF, "on"]), help="Uploads or back-ups by itself; must be off."),
)


def described(command: click.decorators.FC) -> click.decorators.FC:
    """Give a command the options that describe a device."""
    for option in reversed((*words_options, *flag_options)):
        command = option(command)
    return command


@click.group()
def device() -> None:
    """Keep the register of devices that take pictures, and find what came from one."""


def _said(**values: str | bool | None) -> dict[str, object]:
    """Return what was said of a device, as the register names it."""
    said: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if "cloud_sync" in said:
        said["cloud_sync"] = said["cloud_sync"] != OFF
    return said


def _as_row(found: Device) -> dict[str, object]:
    return {**asdict(found), "waived": [asdict(waiver) for waiver in found.waived]}


def _told_of(shared: Services, found: Device, sentence: str, *, as_json: bool) -> None:
    shared.sign_head()
    say(_as_row(found), sentence, as_json=as_json)


@device.command()
@click.argument("device_id")
@click.option("--class", "device_class", required=True, type=click.Choice([*DeviceClass]), help="Whose device it is.")
@described
@click.option("--waive", "waived", multiple=True, type=SAFEGUARDS, help="It lacks this; repeatable.")
@reason_option
@by_option
@json_option
@told
def add(
    device_id: str,
    device_class: str,
    waived: tuple[str, ...],
    reason: str,
    by: str,
    as_json: bool,
    **values: str | bool | None,
) -> None:
    """Put DEVICE_ID, such as an asset number, on the register.

    Password, encryption and automatic lock have to be stated, and one that it lacks waived (--waive) with the --reason.
    """
    said = _said(**values) | dict.fromkeys(waived, False)
    if unsaid := [name for name in devices.FLAGS if name not in said]:
        raise click.UsageError(f"Say of the device: {', '.join(unsaid).replace('_', '-')}.")
    shared = services()
    act = shared.act(by, DOOR)
    new = Device(
        device_id=device_id,
        device_class=DeviceClass(device_class),
        since=act.at.isoformat(),
        waived=tuple(steps.waiver(act, Safeguard(each), reason) for each in dict.fromkeys(waived)),
        **said,  # type: ignore[arg-type]
    )
    with shared.database.writing() as connection:
        found = steps.add(connection, act, new, reason)
    _told_of(shared, found, f"{device_id} is on the register.", as_json=as_json)


@device.command(name="show")
@click.argument("device_id")
@json_option
@told
def show_(device_id: str, as_json: bool) -> None:
    """Show what the register has of DEVICE_ID, with every change that was made."""
    with services().database.reading() as connection:
        found = devices.versions(connection, device_id)
    now = _as_row(found[-1].device)
    lines = [f"{key.replace('_', ' ')}: {plain(value)}" for key, value in now.items()]
    lines += [f"{each.recorded_at} version {each.version} by {each.recorded_by}: {each.reason}" for each in found]
    history = [{**asdict(each), "device": _as_row(each.device)} for each in found]
    say({**now, "versions": history}, "\n".join(lines), as_json=as_json)


@device.command(name="list")
@click.option("--status", type=click.Choice([*DeviceStatus]), help="Only those.")
@json_option
@told
def list_(status: str | None, as_json: bool) -> None:
    """List the devices on the register."""
    with services().database.reading() as connection:
        found = devices.listed(connection, DeviceStatus(status) if status else None)
    columns = ("device_id", "status", "device_class", "serial_number", "station_name", "owner", "department")
    show(map(_as_row, found), columns, as_json=as_json, empty="No device is on the register.")


@device.command()
@click.argument("device_id")
@click.option("--class", "device_class", type=click.Choice([*DeviceClass]), help="Whose device it is.")
@described
@reason_option
@by_option
@json_option
@told
def change(
    device_id: str, device_class: str | None, reason: str, by: str, as_json: bool, **values: str | bool | None
) -> None:
    """Correct what the register says of DEVICE_ID; it counts from the next picture on."""
    said = _said(**values) | ({"device_class": DeviceClass(device_class)} if device_class else {})
    if not said:
        raise click.UsageError("Say what to change.")
    shared = services()
    with shared.database.writing() as connection:
        found = steps.change(connection, shared.act(by, DOOR), device_id, said, reason)
    _told_of(shared, found, f"Changed: {', '.join(said)}.", as_json=as_json)


@device.command()
@click.argument("device_id")
@click.argument("safeguard", type=SAFEGUARDS)
@reason_option
@by_option
@json_option
@told
def waive(device_id: str, safeguard: str, reason: str, by: str, as_json: bool) -> None:
    """Answer for the use of DEVICE_ID without SAFEGUARD; 'change' with what it has gained ends the waiver."""
    shared = services()
    with shared.database.writing() as connection:
        found = steps.waive(connection, shared.act(by, DOOR), device_id, Safeguard(safeguard), reason)
    _told_of(shared, found, f"Waived: {safeguard}.", as_json=as_json)


@device.command()
@click.argument("device_id")
@reason_option
@by_option
@json_option
@told
def lost(device_id: str, reason: str, by: str, as_json: bool) -> None:
    """Report DEVICE_ID lost or stolen: its uploads are refused from now on; list everything that came from it."""
    shared = services()
    with shared.database.writing() as connection:
        done = steps.lose(connection, shared.act(by, DOOR), device_id, reason)
    shared.sign_head()
    wipe = {name: getattr(done.device, name) for name in ("remote_wipe", *Safeguard, "owner", "department")}
    if as_json:
        say({**_as_row(done.device), "wipe": wipe, "came": [asdict(each) for each in done.came]}, "", as_json=True)
        return
    afar = "Wipe it from afar now." if done.device.remote_wipe else "It can't be wiped from afar: change its passwords."
    safe = "What it keeps is encrypted." if done.device.encrypted else "What it keeps is NOT encrypted."
    click.echo(f"{device_id} is reported lost; what it sends is refused. {afar} {safe}")
    _came(done.came, as_json=False)


def _came(found: tuple[Captured, ...], *, as_json: bool) -> None:
    rows = [
        {**asdict(each), "disclosed_to": sorted({str(copy["recipient"]) for copy in each.disclosures})}
        for each in found
    ]
    show(rows, CAME, as_json=as_json, empty="Nothing on record came from it.")


@device.command()
@click.argument("device_id")
@reason_option
@by_option
@json_option
@told
def found(device_id: str, reason: str, by: str, as_json: bool) -> None:
    """Take DEVICE_ID into use again after it was lost or retired; what was refused is still in quarantine."""
    shared = services()
    with shared.database.writing() as connection:
        back = steps.find(connection, shared.act(by, DOOR), device_id, reason)
    _told_of(shared, back, f"{device_id} is in use.", as_json=as_json)


@device.command()
@click.argument("device_id")
@reason_option
@by_option
@json_option
@told
def retire(device_id: str, reason: str, by: str, as_json: bool) -> None:
    """Take DEVICE_ID out of use: pictures that come from it are held."""
    shared = services()
    with shared.database.writing() as connection:
        gone = steps.retire(connection, shared.act(by, DOOR), device_id, reason)
    _told_of(shared, gone, f"{device_id} is retired.", as_json=as_json)


@device.command()
@click.argument("device_id")
@json_option
@told
def images(device_id: str, as_json: bool) -> None:
    """List everything that came from DEVICE_ID, in the archive and in quarantine, and where it was disclosed to."""
    with services().database.reading() as connection:
        came = tuple(captured.by_device(connection, devices.current(connection, device_id)))
    _came(came, as_json=as_json)


@device.command()
@click.option("--month", metavar="YYYY-MM", help="Only this month [default: every month].")
@json_option
@told
def share(month: str | None, as_json: bool) -> None:
    """Show how many photographs came from each class of device, each month (as UTC counts months)."""
    with services().database.reading() as connection:
        rows = captured.shares(connection, month)
    columns = ("month", "device_class", "photographs", "percent")
    show(rows, columns, as_json=as_json, empty="No photograph is on record.")
