"""A hospital in which a reading room asks for exports by key objects, and another archive rejects pictures by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

from pydicom import dcmread

from dicomwrap.iod.keyobject import Code, Referenced, Study, Uids, key_object
from dicomwrap.subject import Patient
from orthanc_plugin.enforcement.acceptances import Acceptances
from orthanc_plugin.enforcement.ingest import SUCCESS, CStoreFilter, Received
from orthanc_plugin.enforcement.intake import Intake
from orthanc_plugin.enforcement.senders import Senders
from orthanc_plugin.registry import keyobjects, outbox, rejections
from orthanc_plugin.registry.keyobjects import Came
from orthanc_plugin.registry.rejections import Rejected
from tests.fakes import orthanc
from tests.fakes.instances import instance
from tests.fakes.orthanc import InstanceOrigin, ReceivedInstanceAction
from tests.fakes.pictures import UID
from tests.fakes.world import POLICY, World
from tests.unit.dicomwrap.objects import PATIENT

KEYING = f"""{POLICY}
[[dicom_nodes]]
name = "reading-room"
aet = "READROOM"
host = "127.0.0.1"
may = ["store", "request-export"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[dicom_nodes]]
name = "old-archive"
aet = "OLDPACS"
host = "127.0.0.1"
may = ["store", "reject"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "clerk"
roles = ["store", "request-export"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[users]]
name = "forms"
roles = ["view", "list", "consent"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
[[routes]]
name = "for-teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "medical school"
triggers = ["KEY_OBJECT"]
"""
TEACHING_FILE = Code(value="128710", scheme="DCM", meaning="For Teaching File Export")
READING_ROOM, OLD_ARCHIVE, CAMERA = "READROOM", "OLDPACS", "DERMCAM"


def listing(
    world: World,
    title: Code = TEACHING_FILE,
    uids: Sequence[str] = (UID,),
    *,
    number: int = 1,
    patient: Patient = PATIENT,
    study: str = "",
    modifiers: Sequence[Code] = (),
) -> bytes:
    """Return a key object on pictures as they are on record; what isn't is listed as a photograph of their study."""
    rows = {row.sop_instance_uid: row for row in world.rows()}
    like = next(iter(rows.values()))
    references = [
        Referenced(
            study_instance_uid=rows.get(uid, like).study_instance_uid,
            series_instance_uid=rows.get(uid, like).series_instance_uid,
            sop_class_uid=rows.get(uid, like).sop_class_uid,
            sop_instance_uid=uid,
        )
        for uid in uids
    ]
    if study:
        references = [replace(each, study_instance_uid=study) for each in references]
    return key_object(
        title,
        references,
        patient=patient,
        study=Study(study_instance_uid=references[0].study_instance_uid),
        uids=Uids.derived(title.value, str(number), *uids),
        at=world.clock(),
        modifiers=modifiers,
    )


def uid_of(content: bytes) -> str:
    """Return the SOP Instance UID of an object."""
    return str(dcmread(BytesIO(content)).SOPInstanceUID)


def pushed(world: World, content: bytes, aet: str = READING_ROOM) -> int:
    """Have an object come by C-STORE, as Orthanc calls the hooks; return the status that the sender gets."""
    acceptances, intake = Acceptances(), Intake(world.services)
    worker = world.worker(1)
    received = Received(intake, worker, orthanc, Senders(), acceptances)
    action, _ = received.hook(content, InstanceOrigin.DICOM_PROTOCOL)
    worker.meet()  # what is told before it is written down is written down
    if action is ReceivedInstanceAction.DISCARD:
        return SUCCESS
    answering = CStoreFilter(world.services, intake, world.worker(), acceptances)
    return answering.hook(instance(dcmread(BytesIO(content)), aet))  # type: ignore[arg-type]


def came(world: World, content: bytes) -> Came | None:
    """Return what came of a key object."""
    with world.services.database.reading() as connection:
        return keyobjects.find(connection, uid_of(content))


def queued(world: World) -> dict[str, str]:
    """Return the state of each picture in the outbox."""
    with world.services.database.reading() as connection:
        return {str(row["sop_instance_uid"]): str(row["state"]) for row in outbox.listed(connection)}


def rejected(world: World, *, everything: bool = False) -> list[Rejected]:
    """Return the rejections that stand, or all."""
    with world.services.database.reading() as connection:
        return rejections.listed(connection, everything=everything)
