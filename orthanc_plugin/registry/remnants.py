"""What the registry and the spool have of a record beside the archive, and how it is taken out when the record is gone.

Knows every place where a destroyed picture is named. Must not know plans. What stays is what proves what was done with
it: the trail, the register of disclosures, consents, reviews and the facts of decisions; they name it by its SOP
Instance UID, and so does the row that is left here, so that whoever asks for it is told that it was destroyed.

Sources: requirements 4, steps 7 and 8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, literal_column, null, or_, select, update

from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import keptcopies, wantedcopies
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.disposaltables import lines
from orthanc_plugin.registry.images import ImageRow, Subject, find
from orthanc_plugin.registry.keptcopytables import kept_copies, wanted_copies
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.quarantine import SETTLED, Status
from orthanc_plugin.registry.tables import disclosures, images, quarantine, tasks

LIVE: Final = frozenset({*ImageStatus} - {ImageStatus.DISPOSED})
NOTHING: Final = {
    "series_instance_uid": "",
    "study_instance_uid": "",
    "issuer": "",
    "accession_number": "",
    "orthanc_series": "",
    "orthanc_study": "",
    "orthanc_patient": "",
    "sha256": "",
    "consent_id": None,
    "device_id": None,
    "device_serial": None,
    "device_station": None,
    "size": None,
    "account": "",
    "body_site": "",
    "department": "",
}


def _theirs() -> ColumnElement[bool]:
    """Ask for what is held of the very picture: the same UID of another patient or record is somebody else's."""
    columns = ("sop_instance_uid", "patient_id", "issuer", "study_instance_uid")
    return exists().where(*(images.c[name] == quarantine.c[name] for name in columns))


# Asked and written for every picture that is destroyed.
_same = quarantine.c.sop_instance_uid == bindparam("uid")
HELD: Final = prepared(select(quarantine.c.quarantine_id).where(_same).limit(literal_column("1")))
HELD_OF: Final = of_those(
    select(quarantine.c.sop_instance_uid, quarantine.c.sha256).where(
        *(quarantine.c.status != each.value for each in SETTLED), _theirs()
    ),
    quarantine.c.sop_instance_uid,
)
_released, _original = disclosures.c.released_uid, disclosures.c.sop_instance_uid
COPIED: Final = of_those(select(_released, _original).where(_released != _original), _original)
BESIDE: Final = tuple(
    of_those(select(each.c.sop_instance_uid), each.c.sop_instance_uid)
    for each in (quarantine, kept_copies, wanted_copies)
)
SPOOLED: Final = prepared(
    select(quarantine.c.spool_name).where(
        _same, or_(_theirs(), and_(quarantine.c.status == Status.DELETED.value, quarantine.c.patient_id == ""))
    )
)
FORGOTTEN: Final = prepared(
    update(images)
    .where(images.c.sop_instance_uid == bindparam("uid"))
    .values({images.c[name]: null() if value is None else value for name, value in NOTHING.items()})
    .values({images.c.status: ImageStatus.DISPOSED.value, images.c.patient_id: bindparam("whose")})
)
ENDED: Final = prepared(
    update(tasks)
    .where(tasks.c.subject == bindparam("uid"), tasks.c.closed_at.is_(None))
    .values({tasks.c.closed_at: bindparam("ended_at"), tasks.c.closed_by: bindparam("by")})
    .values({tasks.c.note: bindparam("why")})
)
UNNAMED: Final = prepared(
    update(lines)
    .where(lines.c.study_instance_uid == bindparam("study"))
    .values({lines.c.study_instance_uid: "", lines.c.words: ""})
)


def pictures(connection: Connection, study_instance_uid: str) -> list[ImageRow]:
    """Return the pictures of a record that are not destroyed, and the copies of them that were filed here too."""
    return many(connection, (study_instance_uid,)).get(study_instance_uid, [])


def many(connection: Connection, studies: Sequence[str]) -> dict[str, list[ImageRow]]:
    """Return the same for many records, in their order; nothing of those of which nothing is left."""
    found: dict[str, list[ImageRow]] = {study: [] for study in studies if study}
    newest: dict[str, set[str]] = {}
    for row in find(connection, Subject.STUDY_INSTANCE_UID, tuple(found)) if found else ():
        if row.status in LIVE:
            found[row.study_instance_uid].append(row)
            newest[row.sop_instance_uid] = {row.study_instance_uid}
    seen: set[tuple[str, str]] = set()
    while copies := [
        (row, study) for row, study in _copies(connection, newest) if (row.sop_instance_uid, study) not in seen
    ]:
        newest = {row.sop_instance_uid: set() for row, _ in copies}  # of these there may be copies in turn
        for row, study in copies:
            found[study].append(row)
            newest[row.sop_instance_uid].add(study)
            seen.add((row.sop_instance_uid, study))
    return {study: rows for study, rows in found.items() if rows}


def _copies(connection: Connection, record: Mapping[str, set[str]]) -> Iterator[tuple[ImageRow, str]]:
    """Give the copies of pictures that were filed in other records here, each with the record that it is a copy from.

    A copy counts with both, whether or not its own is asked about as well.
    """
    if not record:
        return
    source: defaultdict[str, set[str]] = defaultdict(set)
    for copy, original in COPIED.rows(connection, those=those(connection, record)):
        source[str(copy)] |= record[str(original)]
    for row in find(connection, Subject.SOP_INSTANCE_UID, tuple(sorted(source))) if source else ():
        if row.status in LIVE:
            for study in sorted(source[row.sop_instance_uid] - {row.study_instance_uid}):
                yield row, study


def copied(connection: Connection, uids: Collection[str]) -> frozenset[str]:
    """Return those of these pictures of which a copy under another UID left: it may be filed here, now or later."""
    found: set[str] = set()
    uid = disclosures.c.sop_instance_uid
    for some in pieces(uids):
        query = select(uid).where(uid.in_(some), disclosures.c.released_uid != uid)
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def held(connection: Connection, uids: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the digests of what the spool holds of each of these pictures, and nobody has settled."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for uid, sha256 in HELD_OF.rows(connection, those=those(connection, uids)):
        found[str(uid)].append(str(sha256))
    return found


def spooled(connection: Connection, uids: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the spool's files of these pictures, and of those of them that were destroyed before.

    Anonymised copies that are kept there are among them.
    """
    names = [str(name) for uid in uids for (name,) in SPOOLED.rows(connection, uid=uid)]
    return tuple(sorted(names + [name for uid in uids for name in keptcopies.files_of(connection, uid)]))


def beside(connection: Connection, uids: Collection[str]) -> frozenset[str]:
    """Return those of these pictures of which the spool has anything, or is to have: few, of many."""
    asked = those(connection, uids)
    return frozenset(str(uid) for each in BESIDE for (uid,) in each.rows(connection, those=asked))


def forget(
    connection: Connection, uid: str, link_id: str, *, by: str, at: str, note: str, is_beside: bool = True
) -> None:
    """Take out of the registry whose a destroyed picture was, where it was filed and what its bytes were.

    ``is_beside`` is whether it is one of ``beside``, where that is known.
    """
    if is_beside:
        if HELD.rows(connection, uid=uid):
            _forget_held(connection, and_(quarantine.c.sop_instance_uid == uid, _theirs()), by=by, at=at)
        keptcopies.forget_one(connection, uid)
        wantedcopies.forget(connection, uid)
    FORGOTTEN.run(connection, whose=link_id, uid=uid)
    ENDED.run(connection, ended_at=at, by=by, why=note, uid=uid)


def _forget_held(connection: Connection, row: ColumnElement[bool], *, by: str, at: str) -> None:
    held = {"study_instance_uid": "", "series_instance_uid": "", "patient_id": "", "issuer": "", "refers_to": ""}
    told = {"device_id": None, "device_serial": None, "device_station": None, "account": "", "reasons": "[]"}
    unsettled = quarantine.c.status != Status.RELEASED
    values = {"status": Status.DELETED, "settled_at": at, "settled_by": by}
    connection.execute(update(quarantine).where(row, unsettled).values(values))
    connection.execute(update(quarantine).where(row).values(**held, **told))


def forget_sent_again(connection: Connection, quarantine_id: str, *, by: str, at: str) -> None:
    """Take out of the registry what came again of a destroyed picture, and was held."""
    _forget_held(connection, quarantine.c.quarantine_id == quarantine_id, by=by, at=at)


def forget_record(connection: Connection, study_instance_uid: str) -> None:
    """Take a destroyed record's name, and the words on it, out of every plan that it was in."""
    UNNAMED.run(connection, study=study_instance_uid)
