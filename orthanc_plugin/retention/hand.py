"""Delete records that are marked, one after the other, and look whether they are gone; each is asked about before.

Knows the order of these steps. Must not decide, nor write anything down. Whatever may speak against a record has an
entry in the trail: while nobody else has written one since the record was marked, nothing does.

Sources: requirements 4, steps 6 (re-check at execution) and 7 (verify absent).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from orthanc_plugin.registry import remnants
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.trail import newest
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.following import Head

Why = dict[str, str]  # reasons why objects are still there, by SOP Instance UID


class Word(Enum):
    """What is said of a record when the trail's newest entry isn't the one that was known of."""

    QUIET = auto()
    """Nobody else has written, so nothing speaks against this record, nor against those after it."""
    GO = auto()
    """Somebody has; nothing speaks against this one."""
    KEEP = auto()
    """Something speaks against it."""


MayGo = Callable[[int, Head], Word]  # of a record, by its place, with the newest entry
GoOn = Callable[[], None]  # raises where nothing more is to be destroyed


class Deleting(Protocol):
    """Whoever deletes: here, or in a process beside."""

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        """Destroy records, and say why anything is left of each; None of one that may not go.

        ``head`` is the trail's newest entry when they were marked.

        Raises:
            ArchiveError: Orthanc can't be reached, so nobody can tell.
            RegistryError: the registry can't be asked.
            ConsentgateError: nothing more is to be destroyed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """Deletes with what it is given.

    Attributes:
        database: the registry.
        shredder: deletes and looks.
    """

    database: Database
    shredder: Shredder

    def destroy(
        self, records: Sequence[tuple[Marked, ...]], head: Head, may_go: MayGo, go_on: GoOn
    ) -> list[Why | None]:
        """Destroy records one after the other; they are looked for together afterwards."""
        found: list[Why | None] = []
        for place, marked in enumerate(records):
            go_on()
            with self.database.reading() as connection:
                now = newest(connection)
                spooled = remnants.spooled(connection, tuple(each.sop_instance_uid for each in marked))
            word = Word.QUIET if now == head else may_go(place, now)
            if word is Word.KEEP:
                found.append(None)
                continue
            head = now if word is Word.QUIET else head
            self.shredder.drop(spooled)
            found.append(self.shredder.delete(marked))
        went = [each for marked, why in zip(records, found, strict=True) if why is not None for each in marked]
        left = self.shredder.left(went, {uid: reason for why in found for uid, reason in (why or {}).items()})
        return [
            None if why is None else {uid: left[uid] for each in marked if (uid := each.sop_instance_uid) in left}
            for marked, why in zip(records, found, strict=True)
        ]
