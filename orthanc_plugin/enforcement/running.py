"""The running archive, asked over loopback HTTP as Consentgate itself.

Knows where the plugin left its credentials. Must not know what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_plugin.archive.remote import RemoteArchive, read_credentials
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
