"""Words of storage that tasks are named by."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class StorageTask(StrEnum):
    """What somebody has to look into.

    UNREADABLE_FILE: a file of the archive is not what was stored, isn't encrypted, or its key is lost; or a file in the
        quarantine spool that is on no list is no object that was kept there.
    """

    UNREADABLE_FILE = "UNREADABLE_FILE"
