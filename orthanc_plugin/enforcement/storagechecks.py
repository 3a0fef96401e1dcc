"""What must be true of Orthanc's configuration before Consentgate may keep its files.

Pure. Source: orthanc-python without ``AllowThreads`` keeps the interpreter's lock while it asks Orthanc's index, and
Orthanc keeps its index locked while it has a file removed: with a storage area in Python the two wait for each other
for ever (tried on Orthanc 1.10.1 with orthanc-python 4.0: within three pictures; docs/storage.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from orthanc_plugin.config.storage import PlainFiles, StorageSettings
from orthanc_plugin.enforcement.finding import Finding, refused, warned
from orthanc_plugin.enforcement.options import Version

THREADS_SINCE: Final = (1, 12, 4)
OFF: Final = "or set encryption = false under [storage] in settings.toml"


def storage_findings(
    configuration: Mapping[str, object], storage: StorageSettings, has: Callable[[Version], bool]
) -> Iterator[Finding]:
    """Check what encryption needs; nothing when it is off."""
    if not storage.encryption:
        return
    python = configuration.get("Python")
    if not has(THREADS_SINCE) or not isinstance(python, dict) or python.get("AllowThreads") is not True:
        yield refused(
            "Python.AllowThreads",
            "Deleting a picture while another is searched for would hang the whole server, for files are encrypted.",
            f"Use Orthanc 1.12.4 or later with orthanc-python 5.0 or later, and set it to true, {OFF}.",
        )
    folder = configuration.get("StorageDirectory")
    if not isinstance(folder, str) or not folder.startswith("/"):
        yield refused(
            "StorageDirectory",
            "Nobody knows for certain where the encrypted files are to be.",
            f"Set it to an absolute path, {OFF}.",
        )
    postgresql = configuration.get("PostgreSQL")
    if isinstance(postgresql, dict) and postgresql.get("EnableStorage") is True:
        yield refused(
            "PostgreSQL.EnableStorage", "Files can't be in the database and encrypted.", f"Set it to false, {OFF}."
        )
    if storage.plain_files is PlainFiles.READ:
        yield warned(
            "StorageDirectory",
            "Files that aren't encrypted are given out, so anybody who can write there could put one in.",
            "Run 'consentgate storage migrate' to its end, then take plain_files out of settings.toml.",
        )
