"""The pictures in the archive that a consent speaks of.

Knows a consent's reach over rows: under every number its patient is known by. Must not know what follows from it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.registry import consentfacts, facts, images, patients
from orthanc_plugin.registry.consentfacts import Place
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.tables import images as table

PLACE: Final = tuple(table.c[name] for name in Place._fields)


def pictures(connection: Connection, record: ConsentRecord) -> tuple[ImageRow, ...]:
    """Return the patient's pictures that the consent covers."""
    found = []
    for patient_id, issuer in patients.numbers(connection, (record.patient_id or "", record.issuer or "")):
        found += images.find(connection, Subject.PATIENT_ID, (patient_id,), issuer=issuer)
    return tuple(row for row in found if facts.covers(record, row))


def uids(connection: Connection, record: ConsentRecord) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of the same, in a fraction of the time that their whole rows take."""
    found: list[str] = []
    for patient_id, issuer in patients.numbers(connection, (record.patient_id or "", record.issuer or "")):
        theirs = (table.c.patient_id == patient_id) & (table.c.issuer == issuer)
        query = select(*PLACE).where(theirs).order_by(table.c.sop_instance_uid)
        places = (Place(*row) for row in connection.execute(query))
        found += [each[0] for each in places if consentfacts.covers(record.level, record.targets, record.id, each)]
    return tuple(found)
