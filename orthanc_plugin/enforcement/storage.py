"""The storage area: the three hooks by which Orthanc writes, reads and removes its files.

Knows what each may answer Orthanc: one that raises makes the store or the read fail, and nobody gets anything. All of
the work is done on threads of its own, with stacks of their own size, which wait for nothing but the disk and the
registry; a hook never waits longer than it was told to. Orthanc calls the removal while it holds its index locked, so
there nothing but the removal itself is waited for.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

from orthanc_plugin.archive.process import Process, this_process
from orthanc_plugin.archive.vault import ForgedFileError, PlainFileError, VaultFolder
from orthanc_plugin.enforcement.sdk import Sdk
from orthanc_plugin.enforcement.vault import DOOR, ITSELF, Vault, vault
from orthanc_plugin.errors import ArchiveError, ConfigurationError
from orthanc_plugin.lifecycle import sitekeys
from orthanc_plugin.lifecycle.datakeys import LostKeyError
from orthanc_plugin.policy.storing import StorageTask
from orthanc_plugin.registry import storagekeys, tasks
from orthanc_plugin.sending.worker import Worker
from orthanc_plugin.services import Services

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 8
SECONDS: Final = 30.0
UNREADABLE: Final = (ForgedFileError, PlainFileError, LostKeyError)


class StorageHooks:
    """Orthanc's storage area.

    Args:
        services: the registry, for what somebody has to look into.
        files: the files.
        worker: does the work.
    """

    def __init__(self, services: Services, files: Vault, worker: Worker) -> None:
        self.services = services
        self.files = files
        self.worker = worker

    def register(self, sdk: Sdk) -> None:
        """Have Orthanc keep its files here; every version has this call."""
        sdk.RegisterStorageArea(self.create, self.read, self.remove)

    def create(self, name: str, _kind: object, content: bytes) -> None:
        """Write a file, or raise: then Orthanc stores nothing."""
        self._done("written", self.files.create, name, content)

    def read(self, name: str, _kind: object) -> bytes:
        """Return a file, or raise: then nobody gets anything of it."""
        try:
            return self._done("read", self.files.read, name)
        except UNREADABLE as error:
            self.worker.later(partial(self._told, name, str(error.args[0])))
            raise

    def remove(self, name: str, _kind: object) -> None:
        """Remove a file; its own data key, if it had one, is destroyed in a while."""
        self._done("removed", self.files.remove, name)
        self.worker.later(partial(self._forgotten, name))

    def _done(self, what: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self.worker.within(SECONDS, work, *args, **kwargs)
        except Exception:
            logger.exception("a file of Orthanc's could not be %s", what)
            raise

    def _told(self, name: str, reason: str) -> None:
        """Have somebody look into a file that can't be read."""
        services = self.services
        try:
            with services.database.writing() as connection:
                kind, fresh, at = StorageTask.UNREADABLE_FILE, services.ids(), services.clock()
                tasks.open_task(connection, task_id=fresh, kind=kind, subject=name, reason=reason, at=at)
        except Exception:
            logger.exception("nobody could be told that a file of Orthanc's can't be read")

    def _forgotten(self, name: str) -> None:
        try:
            self.files.forget(name)
        except Exception:
            logger.exception("the data key of a removed file is still there")


class Keeping(Protocol):
    """Who has the storage area's hooks, None when Orthanc keeps its files itself."""

    @property
    def storage(self) -> StorageHooks | None:
        """Return them."""


def keep_files(sdk: Sdk, parts: Keeping) -> None:
    """Have Orthanc's files kept here, when they are encrypted."""
    if parts.storage is not None:
        parts.storage.register(sdk)


def open_storage(
    services: Services,
    environment: Mapping[str, str],
    folder: str,
    kept: Callable[[Path], VaultFolder] = VaultFolder,
) -> StorageHooks | None:
    """Return the hooks when files are encrypted, None when they aren't.

    Args:
        services: the registry, the settings and whoever acts.
        environment: may have site keys.
        folder: where Orthanc's files are.
        kept: makes the folder of the files.

    Raises:
        ConfigurationError: a site key is missing or another, or files are encrypted and settings.toml says they aren't.
        ArchiveError: the folder can't be brought to the disk.
    """
    with services.database.reading() as connection:
        encrypted = bool(storagekeys.in_use(connection))
    if not services.settings.storage.encryption:
        if encrypted:
            raise ConfigurationError(
                "Orthanc's files are encrypted, and settings.toml says that they aren't: nobody could read them.",
                remedy="Set encryption = true under [storage] in settings.toml, on every node of this registry.",
            )
        return None
    made = vault(services, environment, kept(Path(folder)))
    made.folder.settle()
    with services.database.writing() as connection:
        sitekeys.begin(connection, services.act(ITSELF, DOOR), made.keys.site_keys.values())
    announce(notice_file(services), made.folder.folder)
    return StorageHooks(services, made, Worker("storage", THREADS))


def notice_file(services: Services) -> Path:
    """Return the file by which the running plugin tells other processes that it encrypts."""
    return services.settings.path(services.settings.orthanc.boot_secret).with_name("storage.vault")


def announce(path: Path, folder: Path) -> None:
    """Tell other processes that this one encrypts the files in ``folder``."""
    process = this_process()
    told = {"folder": str(folder), **(process.fields() if process else {})}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(told, file)


def announced(path: Path) -> Path:
    """Return the folder whose files the running plugin encrypts.

    Raises:
        ArchiveError: none runs, or it doesn't encrypt.
    """
    try:
        told = json.loads(path.read_text())
        if Process(pid=int(told["pid"]), started=int(told["started"])).runs():
            return Path(str(told["folder"]))
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise ArchiveError(
        "No Orthanc runs here whose files Consentgate encrypts.",
        remedy="Set encryption = true under [storage] in settings.toml, start Orthanc, then try again.",
    )
