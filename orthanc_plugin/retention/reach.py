"""Whether an execution can reach all of a record, and look whether it is gone: asked before anything is marked.

Knows the archive, its disk and the spool, as they are here. Must not decide on a record, nor delete. What lies in
another node's archive or spool, under another of Orthanc's names, or where no file is found, can't be destroyed from
here; the line is dropped with the reason, and nothing of it is touched.

Sources: requirements 4, step 7 (verify absent); Public Record Office Victoria (copies included).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.errors import ArchiveError, IllegalTransitionError
from orthanc_plugin.registry import disposals, images, quarantine, remnants
from orthanc_plugin.registry.disposals import Batch
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.retention.destruction import Shredder

ELSEWHERE: Final = "{some} of {all} pictures are not in this archive, so nobody could say that they are destroyed"
TWICE: Final = "Orthanc has another object under the SOP Instance UID of one of its pictures: settle which it is first"
NO_FILE: Final = "the file of a picture isn't found where Orthanc's files should be, so it couldn't be missed there"
BESIDE: Final = "a picture of the record waits in quarantine: settle it first"
OTHER_SPOOL: Final = (
    "what the quarantine holds of it isn't in this node's spool: execute the plan on the node that has it"
)
TRIED: Final = 10  # objects of the archive, one of whose files must be found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the archive has, when an execution begins.

    Attributes:
        empty: it has nothing at all.
        strangers: SOP Instance UIDs of objects that the registry doesn't know under Orthanc's name for them.
        sighted: the file of an object that Orthanc has was found on disk, so it is the right folder.
    """

    empty: bool
    strangers: frozenset[str]
    sighted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The files that hold each picture, by SOP Instance UID; and by record what stands in the way."""

    files: dict[str, tuple[str, ...]]
    problems: dict[str, str]


def survey(database: Database, shredder: Shredder) -> Ground:
    """Look at the archive.

    Raises:
        ArchiveError: Orthanc can't be reached.
    """
    present = shredder.archive.instances()
    with database.reading() as connection:
        unknown = present.difference(images.orthanc_names(connection))
    uids = (shredder.archive.uid(each) for each in sorted(unknown))
    known = shredder.look(nsmallest(TRIED, present)) if shredder.storage is not None else {}
    sighted = shredder.storage is None or any(shredder.sighted(files or ()) for files in known.values())
    return Ground(empty=not present, strangers=frozenset(uid for uid in uids if uid), sighted=sighted)


def require_same(batch: Batch, shredder: Shredder) -> None:
    """Refuse to take up an execution in another archive than it began in: what that still has was never here.

    Raises:
        IllegalTransitionError: it is another.
    """
    if batch.archive != shredder.name:
        raise IllegalTransitionError(
            "The execution of this plan was cut off in another archive, and only there can it be seen what is gone.",
            remedy="Run 'consentgate retention apply' on the node where it began.",
        )


def require_found(ground: Ground, batch: Batch, shredder: Shredder) -> None:
    """Refuse where a file that isn't found would say nothing, for no file is found there that must be.

    Of an archive that has nothing left, the folder must be the one that files were found in when the execution began.

    Raises:
        ArchiveError: it is another folder than Orthanc's, or one that isn't mounted.
    """
    if not ground.sighted and not (ground.empty and batch.storage == shredder.folder):
        raise ArchiveError(
            "None of the files of what Orthanc has is found in the folder where its files should be.",
            remedy='Mount it, and run this where "StorageDirectory" of orthanc.json is the same folder as for Orthanc.',
        )


def reach(connection: Connection, shredder: Shredder, ground: Ground, studies: Sequence[str]) -> Reached:
    """Return where the files of records are, and which of the records can't be destroyed from here."""
    known = remnants.many(connection, studies)
    rows = {row.sop_instance_uid: row for found in known.values() for row in found}
    left = disposals.left(connection, rows)
    there = shredder.look([row.orthanc_instance for row in rows.values()])
    now = {uid: there[row.orthanc_instance] for uid, row in rows.items()}
    here = frozenset(shredder.spool.names())
    waiting = quarantine.open_of(connection, tuple(known), tuple(rows))
    problems = {}
    for study, found in known.items():
        beside = _quarantined([each for each in waiting if _is_of(each, study, found)], found, here)
        problems[study] = next(chain(beside, _stored(shredder, ground, found, now, left)), "")
    return Reached(files={uid: now[uid] or left.get(uid, ()) for uid in rows}, problems=problems)


def _is_of(held: quarantine.Held, study: str, found: Sequence[ImageRow]) -> bool:
    return held.study_instance_uid == study or any(held.sop_instance_uid == row.sop_instance_uid for row in found)


def _quarantined(held: Sequence[quarantine.Held], found: Sequence[ImageRow], here: frozenset[str]) -> Iterator[str]:
    own = {row.sop_instance_uid: (row.patient_id, row.issuer) for row in found}
    if any(each.sop_instance_uid not in own for each in held):
        yield BESIDE
    theirs = (each for each in held if own.get(each.sop_instance_uid) == (each.patient_id, each.issuer))
    if any(each.spool_name not in here for each in theirs):
        yield OTHER_SPOOL


def _stored(
    shredder: Shredder,
    ground: Ground,
    found: Sequence[ImageRow],
    now: dict[str, tuple[str, ...] | None],
    left: dict[str, tuple[str, ...]],
) -> Iterator[str]:
    uids = [row.sop_instance_uid for row in found]
    elsewhere = sum(now[uid] is None and not left.get(uid) for uid in uids)
    if elsewhere:
        yield ELSEWHERE.format(some=elsewhere, all=len(uids))
    if not ground.strangers.isdisjoint(uids):
        yield TWICE
    if not all(shredder.sighted(files) for uid in uids if (files := now[uid]) is not None):
        yield NO_FILE
    if any(now[uid] is None for uid in uids) and not ground.sighted:
        yield NO_FILE
