"""Read from pictures that are filed already what routes ask for: body site and department.

What was filed before routes existed has neither on record, so no route that asks for one matches it. Each object is
read back and must be the one that was accepted; only what is empty is filled in, and nothing is queued: a route doesn't
send what the archive has had for years because something more is known of it. A run that is cut off is taken up by the
next where everything had been read.

Sources: requirements 001-8; policy/routing.py (a condition whose fact nobody knows is not met).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.archive.port import ImageArchive
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ArchiveError
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.registry import marks, undescribed
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.undescribed import Place

BATCH: Final = 100
FACTS: Final = ("body_site", "department")
Describe = Callable[[bytes], tuple[str, str]]


@unique
class Fate(StrEnum):
    """What became of one picture.

    Attributes:
        FILLED: something more is known of it.
        SILENT: the object says nothing more.
        CHANGED: the archive has other bytes than those that were accepted.
        UNREAD: the archive did not give it.
    """

    FILLED = "filled in"
    SILENT = "say nothing more"
    CHANGED = "changed"
    UNREAD = "unread"


UNSETTLED: Final = frozenset({Fate.CHANGED, Fate.UNREAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A run over the pictures of one archive.

    Attributes:
        database: the registry.
        archive: gives the objects.
        name: of the archive, as its index has it; each archive is gone through by itself.
        describe: tells body site and department of an object, '' for what it doesn't say.
        acting: gives the act at the moment of each batch.
        batch: how many pictures are read before what they say is written down, all of it or nothing.
    """

    database: Database
    archive: ImageArchive
    name: str
    describe: Describe
    acting: Callable[[], Act]
    batch: int = BATCH

    @property
    def mark(self) -> str:
        """Return under what name it is kept how far this archive was read."""
        return f"{marks.DESCRIBED} {hashlib.sha256(self.name.encode()).hexdigest()[:16]}"

    def start(self, *, again: bool) -> Place:
        """Return where to go on: where the last run ended, or at the beginning."""
        with self.database.reading() as connection:
            known = None if again else marks.marked(connection, self.mark)
        return Place() if known is None else Place(received_at=known.isoformat())

    def left(self, place: Place) -> int:
        """Return how many pictures are to be looked at."""
        with self.database.reading() as connection:
            return undescribed.left(connection, self.name, place)

    def run(self, place: Place) -> Iterator[tuple[str, Fate]]:
        """Give what became of each picture, by its SOP Instance UID.

        The mark stays before the first that can't be read, wherever it was: the next run looks at it again.
        """
        settled = True
        while rows := self._page(place):
            read = [(row, *self._read(row)) for row in rows]
            before, place = place, Place(received_at=rows[-1].received_at, uid=rows[-1].sop_instance_uid)
            as_they_were = settled
            settled = settled and not any(fate in UNSETTLED for _, fate, _ in read)
            with self.database.writing() as connection:
                found = [(row.sop_instance_uid, self._noted(connection, row, fate, said)) for row, fate, said in read]
                if as_they_were:
                    marks.mark(connection, self.mark, (place if settled else before).moment)
            yield from found

    def _page(self, place: Place) -> Sequence[ImageRow]:
        with self.database.reading() as connection:
            return undescribed.page(connection, self.name, place, self.batch)

    def _read(self, row: ImageRow) -> tuple[Fate, tuple[str, str]]:
        """Read what an object says, if it is the one that was accepted."""
        try:
            content = self.archive.read(row.orthanc_instance)
        except ArchiveError:
            return Fate.UNREAD, ("", "")
        if hashlib.sha256(content).hexdigest() != row.sha256:
            return Fate.CHANGED, ("", "")
        said = self.describe(content)
        new = any(word and not getattr(row, name) for name, word in zip(FACTS, said, strict=True))
        return (Fate.FILLED if new else Fate.SILENT), said

    def _noted(self, connection: Connection, row: ImageRow, fate: Fate, said: tuple[str, str]) -> Fate:
        """Write down what is new; the trail says of what picture, and not what."""
        if fate is not Fate.FILLED:
            return fate
        if not undescribed.fill(connection, row, *said):
            return Fate.SILENT  # destroyed, or filled in by somebody else, meanwhile
        new = tuple(name for name, word in zip(FACTS, said, strict=True) if word and not getattr(row, name))
        kind, reasons = EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED, tuple(f"{name}: read again" for name in new)
        append(
            connection, [self.acting().event(kind, "IMAGE_DESCRIBED", subject=row.sop_instance_uid, reasons=reasons)]
        )
        return fate
