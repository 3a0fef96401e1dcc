"""The pictures in the archive that a consent speaks of.

Knows a consent's reach over rows: under every number its patient is known by. Must not know what follows from it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from dicomwrap.consentrecord import ConsentRecord
from orthanc_plugin.registry import facts, images, patients
from orthanc_plugin.registry.images import ImageRow, Subject


def pictures(connection: Connection, record: ConsentRecord) -> tuple[ImageRow, ...]:
    """Return the patient's pictures that the consent covers."""
    found = []
    for patient_id, issuer in patients.numbers(connection, (record.patient_id or "", record.issuer or "")):
        found += images.find(connection, Subject.PATIENT_ID, (patient_id,), issuer=issuer)
    return tuple(row for row in found if facts.covers(record, row))
