"""The archive's instances as the registry knows them, written before Orthanc stores them.

Knows rows and how Orthanc names its resources. An instance the registry doesn't know is never released.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique
from typing import Final, Never, cast

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, select, update

from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.policy.devices import DeviceClass
from orthanc_plugin.policy.model import ImageSource, ImageStatus, ImageType, MadeFor
from orthanc_plugin.registry import rejections
from orthanc_plugin.registry.bulk import among
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import day, flag, texts, word
from orthanc_plugin.registry.tables import images, patient_changes

WORDS: Final[dict[str, type[StrEnum]]] = {
    "image_type": ImageType,
    "made_for": MadeFor,
    "source": ImageSource,
    "status": ImageStatus,
}
NAMED_BY: Final = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
FLAGS: Final = ("intimate", "covert", "familial", "legacy")
# What a picture says itself; of one that was found stored unasked only its names were read.
SAID: Final = (
    *("image_type", "made_on", "made_for", "source", "intimate", "accession_number", "size", "account"),
    *("device_id", "device_serial", "device_station", "device_class", "body_site", "department"),
)


@unique
class Subject(StrEnum):
    """By what a door names pictures: the column that has it."""

    INSTANCE = "orthanc_instance"
    SERIES = "orthanc_series"
    STUDY = "orthanc_study"
    PATIENT = "orthanc_patient"
    SOP_INSTANCE_UID = "sop_instance_uid"
    SERIES_INSTANCE_UID = "series_instance_uid"
    STUDY_INSTANCE_UID = "study_instance_uid"
    PATIENT_ID = "patient_id"
    ACCESSION_NUMBER = "accession_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """One instance. ``sha256`` is of the stored DICOM bytes; ``consent_id`` is what it was filed under.

    ``patient_id`` and ``issuer`` stay what the object said, whatever patients are merged. ``device_serial`` and
    ``device_station`` are what it says of its device, ``device_id`` and ``device_class`` what the register said then.
    ``size`` is in bytes; None of what was filed before it was kept. ``account`` is whose upload by HTTP it was; '' when
    that isn't known. ``body_site`` is a code of CID 4029, '' when nobody said which.
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    issuer: str
    accession_number: str
    image_type: ImageType
    made_on: date | None
    made_for: MadeFor
    source: ImageSource
    intimate: bool
    status: ImageStatus
    sha256: str
    consent_id: str | None
    received_at: str
    orthanc_instance: str = ""
    orthanc_series: str = ""
    orthanc_study: str = ""
    orthanc_patient: str = ""
    covert: bool = False
    familial: bool = False
    legacy: bool = False
    shows: tuple[str, ...] = ()
    device_id: str | None = None
    device_serial: str | None = None
    device_station: str | None = None
    device_class: DeviceClass | None = None
    size: int | None = None
    account: str = ""
    body_site: str = ""
    department: str = ""


def orthanc_id(*parts: str) -> str:
    """Return Orthanc's identifier of a resource: SHA-1 over PatientID and UIDs, in five groups of eight."""
    digest = hashlib.sha1("|".join(parts).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def read_as(header: Mapping[str, object]) -> str:
    """Return what Orthanc calls the instance in which it reads these elements."""
    return orthanc_id(*(str(header.get(keyword) or "") for keyword in NAMED_BY))


def named(row: ImageRow, archive_patient_id: str) -> str:
    """Return what Orthanc will call the instance."""
    return orthanc_id(*_names(row, archive_patient_id))


def _names(row: ImageRow, archive_patient_id: str) -> tuple[str, str, str, str]:
    return archive_patient_id, row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid


def with_orthanc_ids(row: ImageRow, archive_patient_id: str) -> dict[str, object]:
    """Return the columns of ``row`` with the identifiers Orthanc will give (from the PatientID it will see)."""
    names = _names(row, archive_patient_id)
    return {
        **{name: _stored(getattr(row, name)) for name in COLUMNS},
        "orthanc_patient": orthanc_id(*names[:1]),
        "orthanc_study": orthanc_id(*names[:2]),
        "orthanc_series": orthanc_id(*names[:3]),
        "orthanc_instance": orthanc_id(*names),
    }


def stored(values: Mapping[str, object]) -> dict[str, object]:
    """Return the facts in ``values`` as their columns hold them."""
    return {name: _stored(value) for name, value in values.items()}


def _stored(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, tuple) else value


def _row(row: Sequence[object]) -> ImageRow:
    values: dict[str, object] = dict(zip(COLUMNS, row, strict=True))
    for name, kind in WORDS.items():
        values[name] = word(kind, values[name], f"images.{name}")
    for name in FLAGS:
        values[name] = flag(values[name], f"images.{name}")
    values["made_on"] = day(values["made_on"], "images.made_on")
    values["shows"] = texts(values["shows"], "images.shows")
    if values["device_class"] is not None:
        values["device_class"] = word(DeviceClass, values["device_class"], "images.device_class")
    return ImageRow(**cast("dict[str, Never]", values))  # what is no text was made what it is above


COLUMNS: Final = tuple(column.name for column in images.c)
# What one name names: every access by HTTP begins with it.
NAMED: Final = {
    subject: prepared(
        select(*images.c).where(images.c[subject.value] == bindparam("name")).order_by(images.c.sop_instance_uid)
    )
    for subject in Subject
}


NAMED_TOGETHER: Final = {
    subject: of_those(select(*images.c).order_by(images.c.sop_instance_uid), images.c[subject.value])
    for subject in Subject
}
NEW: Final = prepared(images.insert())

STATUS: Final = prepared(
    update(images).where(images.c.sop_instance_uid == bindparam("uid")).values({images.c.status: bindparam("status")})
)
STORED_AS: Final = prepared(
    select(images.c.sop_class_uid, images.c.sha256).where(images.c.sop_instance_uid == bindparam("uid"))
)


def find(connection: Connection, subject: Subject, names: tuple[str, ...], **also: str) -> list[ImageRow]:
    """Return the instances that one of ``names`` names, in UID order; ``also`` narrows by further columns."""
    if len(names) == 1 and not also:
        return [_row(row) for row in NAMED[subject].rows(connection, name=names[0])]
    if not also:
        return [_row(row) for row in NAMED_TOGETHER[subject].rows(connection, those=those(connection, names))]
    conditions: list[ColumnElement[bool]] = [images.c[subject.value].in_(names)]
    conditions += [images.c[column] == value for column, value in also.items()]
    found = connection.execute(select(images).where(*conditions).order_by(images.c.sop_instance_uid))
    return [_row(row) for row in found.all()]


def get(connection: Connection, sop_instance_uid: str) -> ImageRow | None:
    """Return the instance, or None."""
    return next(iter(find(connection, Subject.SOP_INSTANCE_UID, (sop_instance_uid,))), None)


def orthanc_names(connection: Connection) -> Iterator[str]:
    """Give what Orthanc calls each instance on record."""
    yield from connection.execute(select(images.c.orthanc_instance), execution_options=IN_PARTS).scalars()


def stored_as(connection: Connection, sop_instance_uid: str) -> tuple[str, str] | None:
    """Return the SOP Class UID of an instance and the SHA-256 of its stored bytes, or None."""
    return next(((str(kind), str(sha256)) for kind, sha256 in STORED_AS.rows(connection, uid=sop_instance_uid)), None)


def expect(connection: Connection, row: ImageRow, archive_patient_id: str) -> ImageRow | None:
    """Record an instance that Orthanc is about to store, and return what was on record; the same again changes nothing.

    One that was found stored unasked becomes an ordinary one when the very same bytes are accepted, with what they say:
    nobody had read it. What somebody has said of it since stands, and so does a rejection, until that is lifted.
    """
    known = get(connection, row.sop_instance_uid)
    if known is None:
        NEW.run(connection, **with_orthanc_ids(row, archive_patient_id))
    elif known.status is ImageStatus.QUARANTINED and known.sha256 == row.sha256:
        columns = with_orthanc_ids(row, archive_patient_id)
        unread = {name: columns[name] for name in SAID} if known.size is None and not known.legacy else {}
        for name in (*_changed(connection, known), *(("intimate",) if known.intimate else ())):
            unread.pop(name, None)  # somebody's word, which no picture takes back
        status = ImageStatus.REJECTED if rejections.standing(connection, row.sop_instance_uid) else row.status
        accepted = {"status": status, "consent_id": row.consent_id, **unread, **_resources(columns)}
        connection.execute(update(images).where(images.c.sop_instance_uid == row.sop_instance_uid).values(accepted))
    return known


def _changed(connection: Connection, row: ImageRow) -> Sequence[str]:
    """Return which facts of a picture somebody has changed."""
    known = patient_changes.c.sop_instance_uid == row.sop_instance_uid
    return connection.execute(select(patient_changes.c.field).where(known)).scalars().all()


def take_back(connection: Connection, sop_instance_uid: str, before: ImageRow | None) -> None:
    """Undo what ``expect`` did to an instance that Orthanc won't store after all; ``before`` is what it returned."""
    this = images.c.sop_instance_uid == sop_instance_uid
    if before is None:
        connection.execute(delete(images).where(this))
    elif before.status is ImageStatus.QUARANTINED:
        names = ("status", "consent_id", "orthanc_instance", "orthanc_series", "orthanc_study", "orthanc_patient")
        values = {name: _stored(getattr(before, name)) for name in (*names, *SAID)}
        connection.execute(update(images).where(this).values(values))


def _resources(columns: Mapping[str, object]) -> dict[str, object]:
    """Return the columns that say how Orthanc names what it has."""
    return {name: value for name, value in columns.items() if name.startswith("orthanc_")}


def change(connection: Connection, sop_instance_uid: str, facts: Mapping[str, object]) -> None:
    """Set facts of an instance, such as ``{"covert": True, "shows": ("FACE",)}``.

    Raises:
        UnknownImageError: the registry doesn't know the instance.
    """
    known = images.c.sop_instance_uid == sop_instance_uid
    if connection.execute(update(images).where(known).values(stored(facts))).rowcount == 0:
        raise UnknownImageError("The image is not known to the registry.")


def set_status(connection: Connection, sop_instance_uid: str, status: ImageStatus) -> None:
    """Set the status of an instance; one that the registry doesn't know is passed over."""
    STATUS.run(connection, status=status.value, uid=sop_instance_uid)


def change_all(connection: Connection, uids: Collection[str], facts: Mapping[str, object]) -> None:
    """Set facts of many instances; what the registry doesn't know is passed over."""
    if uids:
        these = among(connection, images.c.sop_instance_uid, uids)
        connection.execute(update(images).where(these).values(stored(facts)))


def distrust(connection: Connection, columns: dict[str, object]) -> None:
    """Record an instance as Orthanc has it, refused at every door: it is not what intake accepted.

    What is on record of a known picture stays: another object under its UID doesn't say whose it is or what it shows.
    The digest stays that of the picture, so whatever else bears its UID is not what is on record. What was destroyed
    stays so.
    """
    known = images.c.sop_instance_uid == columns["sop_instance_uid"]
    destroyed = images.c.status == ImageStatus.DISPOSED.value
    status = case((destroyed, ImageStatus.DISPOSED.value), else_=ImageStatus.QUARANTINED.value)
    shut = {"status": status, **_resources(columns)}
    if connection.execute(update(images).where(known).values(shut)).rowcount == 0:
        values = {**columns, "status": ImageStatus.QUARANTINED, "consent_id": None}
        connection.execute(images.insert().values(values))
