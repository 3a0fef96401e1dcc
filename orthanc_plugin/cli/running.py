"""The way into the running archive, for the commands that put something into it.

Knows the spool and the archive. Must not know the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.services import Services


@contextmanager
def filing(shared: Services) -> Iterator[Filing]:
    """Give the way from the spool into the running archive.

    Raises:
        ArchiveError: none runs, or its credentials aren't ours to read.
    """
    with archive(shared) as running:
        yield Filing(database=shared.database, spool=shared.spool, archive=running)
