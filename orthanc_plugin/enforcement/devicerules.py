"""What the register of devices and operators has against filing a picture, and what it only remarks.

Knows the hospital's rules on devices, and who answers for which of them. Must not know how a picture is held or filed.
What a patient sent in was taken by no device of the hospital: only where it names one on the register do these rules
speak of it.

Sources: requirements 000-19b (who), 000-21b and 000-30b (encryption), 000-30a, 001-12, 002-44b (personal devices),
000-31 and 004-24 (automatic upload), 001-10a (lost), 001-17a and 003-68b (late).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from dicomwrap.consentstamp import DEVICE_CLASSES, DEVICE_REASONS, PERSONAL, ConsentStamp
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.policyfile import Admission, Intake, PersonalDevice
from orthanc_plugin.enforcement.taking import Taking
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.devices import DOCUMENTS, DeviceClass, DeviceStatus, DeviceTask, ImageClass
from orthanc_plugin.policy.model import ImageSource, ImageType
from orthanc_plugin.registry import devices, operators, tasks
from orthanc_plugin.registry.devices import Device
from orthanc_plugin.registry.images import ImageRow

# The ways by which a device hands a picture over itself, at once; not a spool, a share or a folder.
AT_ONCE: Final = frozenset({"DICOM_PROTOCOL", "REST_API", "PLUGIN"})
KINDS: Final = {
    "1.2.840.10008.5.1.4.1.1.77.1.4.1": ImageClass.VIDEO,
    "1.2.840.10008.5.1.4.1.1.77.1.7": ImageClass.DERMOSCOPY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """When and by which way a picture first came, and what it is. ``again``: it was held before.

    ``recognisable``: it says that it shows who the patient is. ``account``: whose upload it is, '' when unknown.
    ``sender``: the device that is known to have sent it, '' when none is.
    """

    row: ImageRow
    stamp: ConsentStamp | None
    taking: Taking
    recognisable: bool
    at: datetime
    origin: str
    again: bool
    account: str = ""
    sender: str = ""

    @property
    def nameless(self) -> bool:
        """Tell whether it names no device."""
        return not (self.taking.serial or self.taking.station)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something to be said of a picture: the rule's name and words, and the task that it opens on ``subject``."""

    words: str
    task: DeviceTask | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found: the picture's row with its device, what stands against it, what is only remarked.

    ``refused``: the sender is to be told that it isn't taken, though it is kept.
    """

    row: ImageRow
    against: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()
    refused: bool = False


def judged(connection: Connection, intake: Intake, arrival: Arrival) -> Judged:
    """Ask the register about a picture; one that names no device is of the device that sends it."""
    named = devices.known_by(connection, arrival.taking.serial, arrival.taking.station)
    sending = devices.of_account(connection, arrival.account)
    if arrival.nameless and not sending:
        sending = devices.of_id(connection, arrival.sender)
    found = sending if arrival.nameless else named
    device = found[0] if len(found) == 1 else None
    lost = any(_lost(each, arrival.at) for each in (*named, *sending))
    row = replace(
        arrival.row,
        device_id=device.device_id if device else None,
        device_serial=arrival.taking.serial or None,
        device_station=arrival.taking.station or None,
        device_class=_class(device, arrival),
    )
    arrival = replace(arrival, row=row)
    against = [Remark(words="DEVICE_LOST: its device is reported lost; it is kept, and refused")] if lost else []
    theirs = row.source is not ImageSource.DEPARTMENT and not found
    if theirs or row.image_type is not ImageType.CLINICAL_PHOTO or row.sop_class_uid in DOCUMENTS:
        return Judged(row=row, against=tuple(against), refused=lost)
    against += _of_device(intake, found)
    against += _of_safeguards(found)
    against += _of_nameless(connection, arrival, found)
    against += _of_personal_device(intake, arrival)
    against += _of_kind(intake, arrival)
    against += _of_operators(connection, intake, arrival)
    against += _of_program(connection, arrival)
    against += _of_encryption(connection, intake, arrival, device)
    remarks = (*_told(arrival), *_unencrypted(device), *_late(intake, arrival))
    return Judged(row=row, against=tuple(against), remarks=remarks, refused=lost)


def look_into(connection: Connection, act: Act, remarks: Iterable[Remark]) -> None:
    """Put on somebody's list what is to be looked into."""
    for each in remarks:
        if each.task is not None:
            task, subject, reason = each.task, each.subject, each.words
            tasks.open_task(connection, task_id=act.ids(), kind=task, subject=subject, reason=reason, at=act.at)


def _lost(device: Device, at: datetime) -> bool:
    """Tell whether the device was lost when the picture came; what came before is no upload of a lost device."""
    return device.status is DeviceStatus.LOST and datetime.fromisoformat(device.since) <= at


def _class(device: Device | None, arrival: Arrival) -> DeviceClass | None:
    """Return the class of the device; a picture that says it is somebody's own is believed."""
    if arrival.stamp is not None and _says_personal(arrival.stamp):
        return DeviceClass.PERSONAL
    return device.device_class if device else None


def _says_personal(stamp: ConsentStamp) -> bool:
    """Tell whether the picture says that somebody's own device took it; a class in unknown words is taken for one."""
    return stamp.device_class not in ("", *DEVICE_CLASSES) or stamp.device_class == PERSONAL


def _of_device(intake: Intake, found: list[Device]) -> Iterator[Remark]:
    if len(found) > 1:
        yield Remark(words="DEVICE_AMBIGUOUS: its serial number and its station name are of two devices")
    elif found and found[0].status is DeviceStatus.RETIRED:
        yield Remark(words="DEVICE_RETIRED: its device is retired")
    elif not found and intake.devices is Admission.REGISTERED:
        yield Remark(words="UNREGISTERED_DEVICE: it names no device that is on the register")


def _of_safeguards(found: list[Device]) -> Iterator[Remark]:
    """Say what its entry lacks (requirements 002-46, 000-31); the register takes none such, but rows are changed."""
    if lacking := "; ".join(gap for each in found for gap in devices.gaps(each)):
        yield Remark(words=f"DEVICE_UNSECURED: the register's entry of its device may not be like this: {lacking}")


def _of_nameless(connection: Connection, arrival: Arrival, found: list[Device]) -> Iterator[Remark]:
    """Hold what could be a lost device's, for all that anybody can tell, until somebody has seen to the loss.

    A browser on a lost phone uploads with an account that others use too, and its pictures name no device.
    """
    if found or not arrival.nameless:
        return
    for each in devices.lost_unbound(connection):
        if _lost(each, arrival.at) and DeviceTask.DEVICE_LOST in tasks.open_kinds(connection, each.device_id):
            words = (
                "DEVICE_NOT_NAMED: it names no device while one is lost whose AE title or account isn't on the register"
            )
            yield Remark(words=f"{words}; close the task DEVICE_LOST once that can send no more, and release it")
            return


def _of_personal_device(intake: Intake, arrival: Arrival) -> Iterator[Remark]:
    """Say what stands against somebody's own device (requirements 001-12, 000-30a, 002-44b)."""
    if arrival.row.device_class is not DeviceClass.PERSONAL:
        return
    reason = _reason(arrival.stamp)
    if intake.personal_device is PersonalDevice.REJECT:
        yield Remark(words=f"PERSONAL_DEVICE: pictures from personal devices are not filed here ({reason})")
    elif arrival.row.intimate:
        yield Remark(words=f"PERSONAL_DEVICE: intimate pictures are never filed from personal devices ({reason})")
    elif reason not in DEVICE_REASONS:
        yield Remark(words=f"PERSONAL_DEVICE: it needs the code of a reason ({reason})")


def _told(arrival: Arrival) -> Iterator[Remark]:
    """Give what the trail has of a personal device whose picture is filed."""
    if arrival.row.device_class is DeviceClass.PERSONAL:
        yield Remark(words=f"PERSONAL_DEVICE: {_reason(arrival.stamp)}")


def _reason(stamp: ConsentStamp | None) -> str:
    """Return the code of the reason; other words may name a patient, and are only said to be there."""
    said = stamp.device_reason if stamp else ""
    if said in DEVICE_REASONS:
        return said
    return "a reason that is no code" if said else "no reason given"


def _of_kind(intake: Intake, arrival: Arrival) -> Iterator[Remark]:
    """Say what of the picture its class of device may not take (requirement 002-44b)."""
    row = arrival.row
    if row.device_class is None or row.device_class not in intake.image_classes:
        return
    shown = {KINDS.get(row.sop_class_uid, ImageClass.PHOTOGRAPH)}
    shown |= {ImageClass.INTIMATE} if row.intimate else set()
    shown |= {ImageClass.RECOGNISABLE} if arrival.recognisable else set()
    if beyond := ", ".join(sorted(shown - intake.image_classes[row.device_class])):
        yield Remark(words=f"IMAGE_CLASS: {beyond} may not be taken with a {row.device_class} device")


def _of_operators(connection: Connection, intake: Intake, arrival: Arrival) -> Iterator[Remark]:
    """Say whether somebody took it who may not (requirement 000-19b)."""
    if intake.operators is not Admission.REGISTERED:
        return
    said, day = arrival.taking, arrival.row.made_on or hospital_day(arrival.at)
    if not (_all_known(connection, said.names, day) or _all_known(connection, said.numbers, day)):
        yield Remark(words="UNREGISTERED_OPERATOR: whoever took it is not on the register for that day, or not named")


def _all_known(connection: Connection, keys: tuple[str, ...], on: date) -> bool:
    active = [each for each in operators.known_by(connection, keys) if each.takes_pictures(on)]
    known = {name for each in active for name in (operators.keyed(each.name), operators.keyed(each.operator_id))}
    return bool(keys) and set(keys) <= known


def _of_program(connection: Connection, arrival: Arrival) -> Iterator[Remark]:
    task, study = DeviceTask.AUTO_UPLOAD_SUSPECTED, arrival.row.study_instance_uid
    if arrival.taking.through and not _looked_into(connection, task, arrival):
        words = f"{task}: it bears the mark of a sharing or back-up program ({arrival.taking.through})"
        yield Remark(words=words, task=task, subject=study)


def _of_encryption(connection: Connection, intake: Intake, arrival: Arrival, device: Device | None) -> Iterator[Remark]:
    """Say whether an unencrypted device had the picture for longer than the way of immediate upload takes."""
    task, study = DeviceTask.ENCRYPTION_WARNING, arrival.row.study_instance_uid
    if device is None or device.encrypted or _looked_into(connection, task, arrival):
        return
    taken, limit = arrival.taking.acquired, timedelta(minutes=intake.immediate_upload_minutes)
    if arrival.origin not in AT_ONCE or taken is None or abs(arrival.at - taken) > limit:
        words = f"{task}: its device is not encrypted, and it was not uploaded at once, for all that is known"
        yield Remark(words=words, task=task, subject=study)


def _looked_into(connection: Connection, task: DeviceTask, arrival: Arrival) -> bool:
    """Tell whether somebody closed the study's task after this very object had come, and so has answered for it."""
    if not arrival.again:
        return False
    closed = tasks.last_closed(connection, kind=task, subject=arrival.row.study_instance_uid)
    return closed is not None and datetime.fromisoformat(closed) > arrival.at


def _unencrypted(device: Device | None) -> Iterator[Remark]:
    if device is not None and not device.encrypted:
        task = DeviceTask.ENCRYPTION_WARNING
        yield Remark(words=f"{task}: its device is not encrypted", task=task, subject=device.device_id)


def _late(intake: Intake, arrival: Arrival) -> Iterator[Remark]:
    """Remark a picture that was long on its way (requirement 001-17a); it is filed all the same."""
    taken = arrival.taking.acquired or arrival.taking.created
    if taken is not None and arrival.at - taken > timedelta(hours=intake.max_transfer_delay_hours):
        hours = int((arrival.at - taken) / timedelta(hours=1))
        task = DeviceTask.LATE_TRANSFER
        words = f"{task}: it came {hours} hours after it was taken"
        yield Remark(words=words, task=task, subject=arrival.row.study_instance_uid)
