"""The running archive, for the commands that put something into it or read something back.

Knows where the plugin left its credentials. Must not know the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_plugin.archive.remote import RemoteArchive, read_credentials
from orthanc_plugin.lifecycle.filing import Filing
from orthanc_plugin.services import Services


@contextmanager
def archive(shared: Services) -> Iterator[RemoteArchive]:
    """Give the guarded Orthanc that runs on these settings.

    Raises:
        ArchiveError: none runs, or its credentials aren't ours to read.
    """
    settings = shared.settings
    credentials = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
    running = RemoteArchive(settings.orthanc.url, credentials)
    try:
        yield running
    finally:
        running.close()


@contextmanager
def filing(shared: Services) -> Iterator[Filing]:
    """Give the way from the spool into the running archive.

    Raises:
        ArchiveError: none runs, or its credentials aren't ours to read.
    """
    with archive(shared) as running:
        yield Filing(database=shared.database, spool=shared.spool, archive=running)
