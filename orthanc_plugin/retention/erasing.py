"""Erasure by key: when the last picture of a study is destroyed, so is the key that its files were encrypted with.

Knows which studies have nothing left, and whose keys these are. Must not know files. What a backup of Orthanc's files
still has of the study can then be read by nobody. Where files aren't encrypted there is no key, and nothing is done.

Sources: requirements 4, step 7 (backups); NIST SP 800-88 (cryptographic erase).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.registry import holdings, images, storagekeys
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.storagekeys import Kind
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.destruction import Shredder

LONGEST: Final = 256  # characters of a stub's method
BEING_WRITTEN: Final = timedelta(hours=1)  # a key is on record before its file is on disk


def erase(connection: Connection, act: Act, gone: Iterable[ImageRow]) -> tuple[str, ...]:
    """Destroy the data keys of studies whose last pictures are these, each with an entry; return the keys' names."""
    theirs = {row.sop_instance_uid: row.study_instance_uid for row in gone}
    found = (_erased(connection, act, study, theirs) for study in sorted(set(theirs.values())) if study)
    return tuple(key for key in found if key is not None)


def _erased(connection: Connection, act: Act, study: str, gone: dict[str, str]) -> str | None:
    if storagekeys.live(connection, Kind.STUDY, study) is None:
        return None
    rows = images.find(connection, Subject.STUDY_INSTANCE_UID, (study,))
    if any(row.sop_instance_uid not in gone for row in rows):  # what is destroyed names no study, but what a hold keeps
        return None
    return _destroyed(connection, act, Kind.STUDY, study)


def _destroyed(connection: Connection, act: Act, kind: Kind, subject: str) -> str | None:
    at = act.at.isoformat()
    key = storagekeys.destroy(connection, kind, subject, at)
    if key is not None:
        seals = [storagekeys.destroyed_seal(key, at)] if kind is Kind.STUDY else []
        said = "\n".join((*seals, storagekeys.key_seal(connection, key)))
        append(connection, [act.event(EventType.STUDY_DELETED, "DATA_KEY_DESTROYED", subject=key, detail=said)])
    return key


def in_words(method: str, keys: tuple[str, ...]) -> str:
    """Return how a record was destroyed, with the names of the keys that were, as many as there is room for."""
    for number, key in enumerate(keys):
        told = f"{method}; data key destroyed, id {key}"
        if len(told) > LONGEST - len("; data keys destroyed besides: 1000"):
            return f"{method}; data keys destroyed besides: {len(keys) - number}"
        method = told
    return method


def keep(connection: Connection, row: ImageRow) -> None:
    """Have a picture that is destroyed on record, and that a hold keeps, count with its study: it needs the key."""
    if storagekeys.live(connection, Kind.STUDY, row.study_instance_uid) is not None:
        images.change(connection, row.sop_instance_uid, {"study_instance_uid": row.study_instance_uid})


def removed(connection: Connection, shredder: Shredder, present: Collection[str], now: datetime) -> list[str]:
    """Return the files that have a data key of their own, and aren't there any more.

    A restored registry has them again, and a removal that was cut off leaves one. None where nobody can tell: another
    archive may have them, or the folder isn't the one in which the archive's files are, as when it isn't mounted.
    """
    storage = shredder.storage
    if storage is None or holdings.elsewhere(connection, shredder.name):
        return []
    if present and not shredder.sighted(shredder.files(min(present)) or ()):
        return []
    before = (now - BEING_WRITTEN).isoformat()
    return [name for name, made in storagekeys.files(connection) if made < before and not storage.holds(name)]


def forget(connection: Connection, act: Act, files: Iterable[str]) -> None:
    """Destroy the data keys of single files."""
    for name in files:
        _destroyed(connection, act, Kind.FILE, name)
