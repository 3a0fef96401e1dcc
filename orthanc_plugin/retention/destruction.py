"""Destroy the objects of one record, and look whether they are gone: in Orthanc's index, on disk and in the spool.

Knows where copies are. Must not decide, nor write anything down. Whatever it did before, it may be done again.

Sources: requirements 4, step 7 (mark, delete pixels, verify absent); Public Record Office Victoria (copies included).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.archive.port import Disposal
from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.registry.spool import Spool

KEEPS_FILES: Final = "delayed-deletion"
STILL_INDEXED: Final = "Orthanc still has it after deleting it"
STILL_ON_DISK: Final = "its file is still on disk"
NOT_SIGHTED: Final = "its file isn't found where Orthanc's files should be, so it was not deleted"
FILES_UNKNOWN: Final = "nobody knows which files held it, so they could not be looked for"
METHOD: Final = "deleted in Orthanc; found neither in its index nor on disk afterwards"
NOT_ON_DISK: Final = "deleted in Orthanc; not found in its index afterwards; its storage is not in files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shredder:
    """Deletes, and looks.

    Attributes:
        archive: Orthanc, asked as Consentgate itself.
        name: which archive that is.
        storage: its files; None when they aren't in files.
        spool: the quarantine spool.
    """

    archive: Disposal
    name: str
    storage: StorageArea | None
    spool: Spool

    @property
    def folder(self) -> str:
        """Return where the archive's files are, '' when they aren't in files."""
        return "" if self.storage is None else str(self.storage.folder)

    @property
    def method(self) -> str:
        """Return how it destroys, in the words of the stub."""
        return METHOD if self.storage is not None else NOT_ON_DISK

    def require(self) -> None:
        """Refuse to begin where nothing could be verified.

        Raises:
            ArchiveError: Orthanc keeps deleted files for later, or its files can't be looked at.
        """
        if KEEPS_FILES in self.archive.plugins():
            raise ArchiveError(
                "Orthanc's delayed-deletion plugin keeps what is destroyed.",
                remedy="Take it out of orthanc.json, and restart Orthanc.",
            )
        if self.storage is not None:
            self.storage.require()

    def files(self, orthanc_instance: str) -> tuple[str, ...] | None:
        """Return the names of the files that hold an object, None when Orthanc doesn't have it."""
        return self.look((orthanc_instance,))[orthanc_instance]

    def look(self, instances: Sequence[str]) -> Mapping[str, tuple[str, ...] | None]:
        """Return the same of many objects, which Orthanc is asked about at once."""
        return self.archive.look(instances)

    def sighted(self, files: Sequence[str]) -> bool:
        """Tell whether all of an object's files are found: only then does it say something that they aren't, later."""
        return self.storage is None or (bool(files) and all(map(self.storage.sighted, files)))

    def gone(self, marked: Marked) -> bool:
        """Tell whether nothing of an object is left in Orthanc, nor on disk."""
        if self.storage is not None and (not marked.files or any(map(self.storage.holds, marked.files))):
            return False
        return not self.archive.has(marked.orthanc_instance)

    def drop(self, spooled: Iterable[str]) -> None:
        """Drop the spool's copies."""
        for name in spooled:
            self.spool.drop(name)

    def destroy(self, marked: Sequence[Marked]) -> dict[str, str]:
        """Delete objects, and look; return, by SOP Instance UID, why any is still there.

        Raises:
            ArchiveError: Orthanc can't be reached, so nobody can tell.
        """
        return self.left(marked, self.delete(marked))

    def delete(self, marked: Iterable[Marked]) -> dict[str, str]:
        """Delete objects; return what stood in the way, by SOP Instance UID. Nobody has looked for them by then.

        Raises:
            ArchiveError: Orthanc can't be reached.
        """
        return {each.sop_instance_uid: why for each in marked if (why := self._deleted(each))}

    def _deleted(self, marked: Marked) -> str:
        if self.storage is not None and not marked.files:
            return FILES_UNKNOWN
        if not self.sighted(marked.files) and self.archive.has(marked.orthanc_instance):
            return NOT_SIGHTED
        try:
            self.archive.delete(marked.orthanc_instance)
        except ArchiveError as error:
            if self.archive.has(marked.orthanc_instance):
                return str(error.args[0])
        return ""

    def left(self, marked: Sequence[Marked], known: Mapping[str, str]) -> dict[str, str]:
        """Look for objects after their deletion, in Orthanc's index and on disk; return why any is still there.

        What is ``known`` to have stood in the way of one is its reason.

        Raises:
            ArchiveError: Orthanc can't be reached, so nobody can tell.
        """
        looked_for = [each for each in marked if each.sop_instance_uid not in known]
        there = self.archive.look([each.orthanc_instance for each in looked_for])
        found = {each.sop_instance_uid: self._left(each, there[each.orthanc_instance]) for each in looked_for}
        return {**known, **{uid: why for uid, why in found.items() if why}}

    def _left(self, marked: Marked, there: tuple[str, ...] | None) -> str:
        if there is not None:
            return STILL_INDEXED
        if self.storage is not None and any(map(self.storage.holds, marked.files)):
            return STILL_ON_DISK
        return ""
