"""Which pictures a patient, study or series has, as a listing needs them: names only, whatever else is on record.

Knows rows. Must not decide. A row whose facts can't be read still has names, so one such row shuts no other picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import islice
from typing import Final

from sqlalchemy import Connection, select

from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.tables import images

AT_ONCE: Final = 500  # names in one statement


@dataclass(frozen=True, slots=True)
class Listed:
    """The names of one picture."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    study_instance_uid: str
    orthanc_instance: str
    orthanc_series: str
    orthanc_study: str
    orthanc_patient: str
    received_at: str

    def of(self, subject: Subject) -> str:
        """Return the picture's name of this kind."""
        return str(getattr(self, subject.value))


_COLUMNS: Final = tuple(images.c[each.name] for each in fields(Listed))


def listed(connection: Connection, subject: Subject, names: Iterable[str], most: int) -> list[Listed]:
    """Return the pictures that one of ``names`` names, in UID order; it stops once there are more than ``most``."""
    found: set[Listed] = set()
    rest = iter(names)
    while len(found) <= most and (some := tuple(islice(rest, AT_ONCE))):
        query = select(*_COLUMNS).where(images.c[subject.value].in_(some)).limit(most + 1)
        found.update(Listed(*row) for row in connection.execute(query))
    return sorted(found, key=lambda row: row.sop_instance_uid)
