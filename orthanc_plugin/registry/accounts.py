"""Disclosures with the pictures they are of: by patient, by recipient, by picture.

Knows rows. Must not know words. Each way of asking goes by an index, so a patient's account takes as long as it is,
whatever else has left (measured in tests/registry/test_accounts.py by the plan of the query).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select

from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.recalltables import recall_copies, recalls
from orthanc_plugin.registry.tables import disclosures, images

Row = dict[str, object]


def of_patient(connection: Connection, numbers: Sequence[Key]) -> Iterator[Row]:
    """Give what left of the pictures under these numbers of one person, oldest first."""
    # Written out: a pair in a list of pairs is looked for without the index (SQLite 3.40).
    known = (and_(images.c.patient_id == number, images.c.issuer == issuer) for number, issuer in numbers)
    return _rows(connection, or_(false(), *known), outer=False)


def of_recipient(connection: Connection, recipient: str) -> Iterator[Row]:
    """Give what this recipient was sent, oldest first."""
    return _rows(connection, disclosures.c.recipient == recipient)


def of_image(connection: Connection, sop_instance_uid: str) -> Iterator[Row]:
    """Give the copies that left of a picture, oldest first."""
    return _rows(connection, disclosures.c.sop_instance_uid == sop_instance_uid)


def _rows(connection: Connection, wanted: ColumnElement[bool], *, outer: bool = True) -> Iterator[Row]:
    """Give the rows; those of a picture that isn't on record any more have no patient and no day it was made.

    ``standing`` is that of the recall that asks for a copy, None where there is none.
    """
    joined = disclosures.join(images, images.c.sop_instance_uid == disclosures.c.sop_instance_uid, isouter=outer)
    asked = joined.outerjoin(recall_copies, recall_copies.c.disclosure_id == disclosures.c.disclosure_id)
    query = (
        select(disclosures, images.c.patient_id, images.c.issuer, images.c.made_on, recalls.c.standing)
        .select_from(asked.outerjoin(recalls, recalls.c.recall_id == recall_copies.c.recall_id))
        .where(wanted)
        .order_by(disclosures.c.at, disclosures.c.disclosure_id)
    )
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield dict(row._mapping)
