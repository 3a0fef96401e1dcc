"""What was changed of patients and pictures, tied to the trail: every change sealed, every fact as it was last changed.

Knows the rows of changes. Must not know what a fact leads to. A change's rows share the first part of their ids.

Source: requirements 2.9 (nobody changes a fact without a trace).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Table, select

from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.merging import NAMES
from orthanc_plugin.registry.patients import FACTS, Key
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import images, patient_changes, patients

SEAL: Final = "change record "
# What a patient put on record begins with; a birth date may have come with them.
AT_FIRST: Final = {"death_date": None, "capacity": "HAS", "gillick": "NA", "national_data_opt_out": "0"}

Newest = dict[tuple[str, ...], str | None]  # patient, issuer and field, or picture and field: the value it was given


def seal(connection: Connection, change: str) -> str:
    """Return the words that tie a change to its entry in the trail, '' when it changed nothing."""
    return next(_seals(connection, change), "")


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every change on record."""
    return _seals(connection, "")


def _seals(connection: Connection, change: str) -> Iterator[str]:
    query = select(patient_changes).order_by(patient_changes.c.change_id)
    if change:
        query = query.where(patient_changes.c.change_id.startswith(f"{change}.", autoescape=True))
    rows = (dict(row._mapping) for row in connection.execute(query, execution_options=IN_PARTS))
    for name, group in groupby(rows, key=lambda row: str(row["change_id"]).partition(".")[0]):
        yield sealed(SEAL, name, list(group))


def unlike(connection: Connection) -> int:
    """Count the patients and pictures of whom a fact isn't what its last change made it."""
    newest = _newest(connection)
    patients_changed = sum(1 for _ in _patients_unlike(connection, newest))
    return patients_changed + sum(1 for _ in _pictures_unlike(connection, newest))


def _newest(connection: Connection) -> Newest:
    found: Newest = {}
    change = patient_changes.c
    for row in connection.execute(select(patient_changes).order_by(change.changed_at), execution_options=IN_PARTS):
        where = (row.patient_id, row.issuer) if row.sop_instance_uid is None else (row.sop_instance_uid,)
        found[(*where, row.field)] = row.new
    return found


def _patients_unlike(connection: Connection, newest: Newest) -> Iterator[Key]:
    lost = {(name[0], name[1]) for name in newest if len(name) == 3}
    for row in _every(connection, patients):
        who = (str(row["patient_id"]), str(row["issuer"]))
        lost.discard(who)
        kept = _kept(who, newest)
        facts = {name: newest.get((*who, name), AT_FIRST.get(name, _text(row[name]))) for name in FACTS}
        facts |= dict(zip(NAMES, kept or (None, None), strict=True))
        if any(_text(row[name]) != value for name, value in facts.items()):
            yield who
    yield from lost


def _kept(who: Key, newest: Newest) -> Key | None:
    """Return whom the patient was merged into, through everybody who was merged on the way."""
    kept, seen = None, {who}
    while (number := newest.get((*(kept or who), NAMES[0]))) is not None:
        kept = (number, str(newest[(*(kept or who), NAMES[1])]))
        if kept in seen:
            return None
        seen.add(kept)
    return kept


def _pictures_unlike(connection: Connection, newest: Newest) -> Iterator[str]:
    told: dict[str, dict[str, str | None]] = {}
    for name, value in newest.items():
        if len(name) == 2:
            told.setdefault(name[0], {})[name[1]] = value
    for uid, facts in told.items():
        row = connection.execute(select(images).where(images.c.sop_instance_uid == uid)).first()
        if row is None or any(_text(row._mapping[name]) != value for name, value in facts.items()):
            yield uid


def _every(connection: Connection, table: Table) -> Iterator[dict[str, object]]:
    for row in connection.execute(select(table), execution_options=IN_PARTS):
        yield dict(row._mapping)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
