"""A plain archive is encrypted while Orthanc runs, file by file; and every file is looked at, whether it opens.

Knows the order for one file: read it, compare a picture with what is on record of it, encrypt it, open that again and
compare, write it beside, then put it in the plain one's place in one step. Whatever cuts it off leaves either file
whole. Must not know the command line. Source: requirements 001-19b (encrypted at rest).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum, unique

from orthanc_plugin.archive.vault import key_of, opened
from orthanc_plugin.enforcement.vault import Vault, picture_of, uids_of
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle.datakeys import DestroyedKeyError
from orthanc_plugin.registry import images
from orthanc_plugin.registry.storagekeys import StorageKeyError


@unique
class State(StrEnum):
    """What a file is found to be, or became."""

    ENCRYPTED = "encrypted"
    PLAIN = "plain"
    MIGRATED = "migrated"
    CHANGED = "changed"
    GONE = "gone"
    KEY_DESTROYED = "key destroyed"
    UNREADABLE = "unreadable"


def migrate(files: Vault) -> Iterator[tuple[str, State]]:
    """Encrypt each plain file; give what became of each file.

    Raises:
        ConsentgateError: one couldn't be encrypted; it is as it was, and the next run goes on with it.
    """
    for name in files.folder.names():
        yield name, _migrated(files, name)


def _migrated(files: Vault, name: str) -> State:
    beginning = files.folder.beginning(name)
    if not beginning:
        return State.GONE
    if key_of(beginning) is not None:
        return State.ENCRYPTED
    content = files.folder.read(name)
    if not _as_filed(files, content):
        return State.CHANGED
    header, rest = files.encrypted(name, content, on_record=_on_record(files, content))
    key_id = key_of(header) or ""
    if opened(name, files.keys.for_reading(key_id), header + rest) != content:
        raise ArchiveError("What was encrypted doesn't open to what was there.", remedy="See to this machine's memory.")
    return State.MIGRATED if files.folder.replace(name, header, rest) else State.GONE


def _on_record(files: Vault, content: bytes) -> bool:
    """Tell whether it is of a picture that is on record in the study of which its bytes say that it is."""
    study, uid = uids_of(content)
    with files.keys.database.reading() as connection:
        row = images.get(connection, uid) if study and uid else None
    return row is not None and row.study_instance_uid == study


def _as_filed(files: Vault, content: bytes) -> bool:
    """Tell whether a picture's bytes are those that were filed; of what the registry doesn't know nobody can tell."""
    uid = picture_of(content)
    with files.keys.database.reading() as connection:
        _, sha256 = (images.stored_as(connection, uid) if uid else None) or ("", "")
    return sha256 in ("", hashlib.sha256(content).hexdigest())


def verify(files: Vault, *, every: int = 1) -> Iterator[tuple[str, State]]:
    """Open each file, or each so-many-th; give what each is.

    Raises:
        RegistryError: nobody can tell.
    """
    for number, name in enumerate(files.folder.names()):
        if number % every == 0:
            yield name, _verified(files, name)


def _verified(files: Vault, name: str) -> State:
    beginning = files.folder.beginning(name)
    if not beginning:
        return State.GONE
    if key_of(beginning) is None:
        return State.PLAIN
    try:
        files.read(name)
    except DestroyedKeyError:
        return State.KEY_DESTROYED
    except (ArchiveError, StorageKeyError):
        return State.GONE if not files.folder.beginning(name) else State.UNREADABLE
    return State.ENCRYPTED
