"""The steps by which others are hidden in identifiable copies of a picture: rows of reviews under a name of their own.

Knows rows. A step holds for the bytes that were looked at; that there was one on other bytes is told too, for whoever
was hidden there is not to be shown because the object is another. Must not know who may take a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, literal_column, select

from orthanc_plugin.policy.others import Hiding, hiding
from orthanc_plugin.policy.reviewing import HIDING, Review
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.reviews import read_review
from orthanc_plugin.registry.tables import reviews


def is_of_hiding() -> ColumnElement[bool]:
    """Return what is true of these rows; written so that it has no parameters."""
    return reviews.c.profile == literal_column(f"'{HIDING.name}'")


OF_A_PICTURE: Final = prepared(
    select(*reviews.c)
    .where(reviews.c.sop_instance_uid == bindparam("uid"), is_of_hiding())
    .order_by(reviews.c.step, reviews.c.reviewed_at)
)


def steps(connection: Connection, sop_instance_uid: str) -> tuple[Review, ...]:
    """Return every step on a picture, whatever its bytes were then, oldest first.

    Raises:
        UnreadableRowError: one can't be read.
    """
    return tuple(map(read_review, OF_A_PICTURE.rows(connection, uid=sop_instance_uid)))


def standing(connection: Connection, sop_instance_uid: str, sha256: str) -> Hiding:
    """Return where the hiding of others stands for a picture of these bytes.

    Raises:
        UnreadableRowError: a step can't be read.
    """
    return hiding(steps(connection, sop_instance_uid), sha256)


def confirmed(connection: Connection, sop_instance_uid: str, sha256: str) -> Review | None:
    """Return what two persons agreed to hide, None where that is nothing."""
    return standing(connection, sop_instance_uid, sha256).confirmed


def pictures(connection: Connection) -> Iterator[str]:
    """Give the pictures on which there is a step."""
    named = select(reviews.c.sop_instance_uid).where(is_of_hiding()).distinct()
    yield from connection.execute(named.order_by(reviews.c.sop_instance_uid)).scalars().all()
