"""The pictures in the archive that a consent speaks of.

Knows a consent's reach over rows: under every number its patient is known by. Must not know what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.policy.model import ImageStatus, MadeFor
from orthanc_plugin.registry import consentfacts, facts, images, patients
from orthanc_plugin.registry.consentfacts import Place
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.stored import word
from orthanc_plugin.registry.tables import images as table

PLACE: Final = tuple(table.c[name] for name in Place._fields)


class Filed(NamedTuple):
    """Where a picture in the archive stands, and why it was made."""

    status: ImageStatus
    made_for: MadeFor


def pictures(connection: Connection, record: ConsentRecord) -> tuple[ImageRow, ...]:
    """Return the patient's pictures that the consent covers."""
    found = []
    for patient_id, issuer in patients.numbers(connection, (record.patient_id or "", record.issuer or "")):
        found += images.find(connection, Subject.PATIENT_ID, (patient_id,), issuer=issuer)
    return tuple(row for row in found if facts.covers(record, row))


def uids(connection: Connection, record: ConsentRecord) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of the same, in a fraction of the time that their whole rows take."""
    return tuple(place.sop_instance_uid for place, _ in _covered(connection, record))


def filed(connection: Connection, record: ConsentRecord) -> dict[str, Filed]:
    """Return the same by SOP Instance UID, as far as a withdrawal asks.

    Raises:
        UnreadableRowError: a row has a word that this version doesn't know.
    """
    found = _covered(connection, record, table.c.status, table.c.made_for)
    return {
        place.sop_instance_uid: Filed(
            status=word(ImageStatus, status, "images.status"), made_for=word(MadeFor, made_for, "images.made_for")
        )
        for place, (status, made_for) in found
    }


def _covered(
    connection: Connection, record: ConsentRecord, *also: ColumnElement[str]
) -> Iterator[tuple[Place, tuple[object, ...]]]:
    """Give the place of each picture that the consent covers, and further columns of it."""
    size = len(PLACE)
    for patient_id, issuer in patients.numbers(connection, (record.patient_id or "", record.issuer or "")):
        theirs = (table.c.patient_id == patient_id) & (table.c.issuer == issuer)
        query = select(*PLACE, *also).where(theirs).order_by(table.c.sop_instance_uid)
        for row in connection.execute(query):
            place = Place(*row[:size])
            if consentfacts.covers(record.level, record.targets, record.id, place):
                yield place, tuple(row[size:])
