"""Pictures that come by C-STORE under the AE title of a device on the register: they are that device's.

Intake can't know it, because Orthanc tells it no sender; the filter knows, before anything is stored. So what names no
device is asked about again there, now that its device is known, and whatever came is on the device's list once it is
lost. Must not know what the sender is told.

Sources: requirements 001-10a (everything that came from a lost device), 001-12, 000-21b, 002-44b.
"""

from __future__ import annotations

from typing import Final

from dicomwrap.plaintext import text_of
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.enforcement.acceptances import Acceptance
from orthanc_plugin.enforcement.describing import STAMPS
from orthanc_plugin.enforcement.devicerules import Arrival, judged, look_into
from orthanc_plugin.enforcement.reading import parsed, streams
from orthanc_plugin.enforcement.taking import taking
from orthanc_plugin.registry import devices, images
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

WAY: Final = "DICOM_PROTOCOL"
DOOR: Final = "C-STORE"


def sent(services: Services, aet: str, acceptance: Acceptance | None) -> tuple[str, tuple[str, ...]]:
    """Record whose device's it is that was accepted; return the device, and what now stands against filing it.

    What intake knew the device of, or had filed before, stays as it is.

    Raises:
        ConsentgateError: it could not be recorded.
    """
    with services.database.reading() as connection:
        found = devices.of_node(connection, aet)
    if len(found) != 1 or acceptance is None or acceptance.before is not None:
        return "", ()
    (device,) = found
    dataset = parsed(acceptance.content)
    stamp, taken = STAMPS.of(dataset), taking(dataset, streams(dataset))
    act = services.act(device.device_id, DOOR)
    with services.database.writing() as connection:
        row = images.get(connection, text_of(dataset, "SOPInstanceUID"))
        if row is None or row.device_id is not None:
            return "", ()
        arrival = Arrival(
            row=row,
            stamp=stamp,
            taking=taken,
            recognisable=text_of(dataset, "RecognizableVisualFeatures") == "YES",
            at=act.at,
            origin=WAY,
            again=False,
            sender=device.device_id,
        )
        told = judged(connection, services.policy.intake, arrival)
        if told.against:
            look_into(connection, act, told.against)
            return device.device_id, tuple(each.words for each in told.against)
        facts = {"device_id": device.device_id, "device_class": told.row.device_class or device.device_class}
        images.change(connection, row.sop_instance_uid, facts)
        look_into(connection, act, told.remarks)
        words = tuple(each.words for each in told.remarks)
        append(connection, [act.event(EventType.IMPORT, "SENT_BY", subject=row.sop_instance_uid, reasons=words)])
    return device.device_id, ()
