"""Key objects on their way in: what stands against one, and who sent it.

Knows when it is certain who sends: of an upload by HTTP when intake is asked, of a C-STORE when the filter is. Must not
know what a key object asks for. One that can't be followed is held like a picture that something stands against, and
somebody is told why; a picture that another archive has rejected is held too when it is sent again.

Sources: PS3.3 A.35.4; IHE RAD Imaging Object Change Management.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset
from sqlalchemy import Connection

from dicomwrap.iod.keyobject import SOP_CLASS_UID
from dicomwrap.keyobjects import KeyObject, KeyObjectError, read
from orthanc_plugin.config.bindings import DicomNode
from orthanc_plugin.enforcement.acceptances import Acceptance
from orthanc_plugin.enforcement.coming import Coming
from orthanc_plugin.enforcement.reading import parsed
from orthanc_plugin.lifecycle import keyobjects, rejecting
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.keyobjects import KeyObjectTask
from orthanc_plugin.policy.model import ImageStatus, ImageType
from orthanc_plugin.registry import images, tasks
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.services import Services

DOOR: Final = "C-STORE"
# What was out of use is looked at again when it is sent again and accepted: it may have been so for several reasons.
OUT_OF_USE: Final = (ImageStatus.REJECTED, ImageStatus.QUARANTINED)


def objections(connection: Connection, dataset: Dataset, row: ImageRow) -> list[str]:
    """Say what stands against an object because of key objects: one that rejected it, or what it says as one itself."""
    kept_out = rejecting.keeps_out(connection, row.sop_instance_uid)
    found = [f"REJECTED_ELSEWHERE: {kept_out}"] if kept_out else []
    if row.image_type is not ImageType.KEY_OBJECT:
        return found
    try:
        listed = read(dataset)
    except KeyObjectError as error:
        return [*found, f"KEY_OBJECT_UNREADABLE: {error.reason}"]
    return [*found, *keyobjects.objections(connection, listed, (row.patient_id, row.issuer))]


def held(connection: Connection, act: Act, row: ImageRow, reasons: Sequence[str]) -> None:
    """Have somebody look at a key object that was held; a picture is on the list of quarantine alone."""
    if row.image_type is ImageType.KEY_OBJECT and reasons:
        kind, reason = KeyObjectTask.KEY_OBJECT_WITHOUT_EFFECT, f"a key object is held: {'; '.join(reasons)}"
        subject = row.sop_instance_uid
        tasks.open_task(connection, task_id=act.ids(), kind=kind, subject=subject, reason=reason, at=act.at)


def accepted(connection: Connection, act: Act, services: Services, coming: Coming, before: ImageRow | None) -> None:
    """Do what follows from an object that came by HTTP."""
    found = read(coming.dataset) if coming.row.image_type is ImageType.KEY_OBJECT else None
    by = replace(act, by=coming.account or act.by)
    _taken(connection, by, services, coming.row, found, before, coming.account)


def sent(
    services: Services, header: Mapping[str, object], acceptance: Acceptance | None, node: DicomNode | None
) -> None:
    """Do what follows from an object that came by C-STORE, now that it is certain which node sends it.

    Raises:
        ConsentgateError: it could not be done; the sender is told that the object wasn't taken.
    """
    if acceptance is None or node is None:
        return
    before, is_list = acceptance.before, str(header.get("SOPClassUID")) == SOP_CLASS_UID
    if not is_list and (before is None or before.status not in OUT_OF_USE):
        return
    dataset = parsed(acceptance.content)
    found = read(dataset) if is_list else None  # before the write lock is taken
    with services.database.writing() as connection:
        row = images.get(connection, str(dataset.SOPInstanceUID))
        if row is not None:
            _taken(connection, services.act(node.name, DOOR), services, row, found, before, node.name)


def _taken(
    connection: Connection,
    act: Act,
    services: Services,
    row: ImageRow,
    found: KeyObject | None,
    before: ImageRow | None,
    sender: str,
) -> None:
    """Follow a key object; give a picture free that another archive kept no longer, and that was sent again."""
    if before is not None and before.status in OUT_OF_USE:
        rejecting.sent_again(connection, act, row.sop_instance_uid)
    if found is not None:
        keyobjects.came(connection, act, found, (row.patient_id, row.issuer), sender, services.release.under)
