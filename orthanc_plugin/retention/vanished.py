"""Pictures that Orthanc still lists, and whose files are gone from the disk: nobody tells of that but the disk itself.

Knows Orthanc's index and the folder of its files. Must not know what follows. Orthanc notices it only when somebody
asks for such a picture, and then tells nobody.

Source: requirements 4, acceptance test (f).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from orthanc_plugin.registry import images
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.retention.destruction import Shredder

AT_ONCE: Final = 1000  # pictures whose files are looked at together


def vanished(database: Database, shredder: Shredder, present: Collection[str]) -> list[str]:
    """Return Orthanc's names of the pictures on record of which it has no file any more; none where it uses no files.

    Raises:
        ArchiveError: nobody can tell.
    """
    if shredder.storage is None:
        return []
    with database.reading() as connection:
        known = sorted(set(present).intersection(images.orthanc_names(connection)))
    return list(_without_files(shredder, known))


def _without_files(shredder: Shredder, known: list[str]) -> Iterator[str]:
    storage = shredder.storage
    for some in pieces(known, AT_ONCE):
        for name, files in shredder.look(some).items():
            if storage is not None and files is not None and not all(map(storage.holds, files)):
                yield name
