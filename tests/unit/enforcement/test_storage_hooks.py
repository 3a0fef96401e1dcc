"""What the storage area answers Orthanc: the bytes, or an error; and what somebody is told of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.peers import wait_until
from orthanc_plugin.archive.vault import ForgedFileError, PlainFileError, VaultFolder
from orthanc_plugin.enforcement.storage import StorageHooks, announce, announced, notice_file, open_storage
from orthanc_plugin.enforcement.vault import Vault
from orthanc_plugin.errors import ArchiveError, ConsentgateError, RegistryError
from orthanc_plugin.lifecycle.datakeys import LostKeyError
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import Kind
from orthanc_plugin.sending.worker import Worker
from tests.fakes import orthanc
from tests.fakes.pictures import photograph_bytes
from tests.fakes.vaulted import FILE, OTHER, encrypting, plain, vaulted
from tests.fakes.world import World

SECONDS = 30.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker("storage", 2)
    yield made
    made.stop()


@pytest.fixture
def hooks(world: World, worker: Worker) -> Iterator[StorageHooks]:
    orthanc.reset()
    made = StorageHooks(world.services, vaulted(world), worker)
    made.register(orthanc)
    yield made
    orthanc.reset()


@pytest.fixture
def files(hooks: StorageHooks) -> Vault:
    return hooks.files


def unreadable(world: World) -> list[object]:
    return [task["subject"] for task in world.tasks() if task["kind"] == "UNREADABLE_FILE"]


def test_orthanc_gets_back_what_it_gave_and_what_it_removes_is_gone(files: Vault) -> None:
    orthanc.hooks["create"](FILE, 1, photograph_bytes())
    assert orthanc.hooks["read"](FILE, 1) == photograph_bytes()
    orthanc.hooks["create"](OTHER, 0, b"{}")
    orthanc.hooks["remove"](OTHER, 0)
    assert list(files.folder.names()) == [FILE]

    def forgotten() -> bool:
        with files.keys.database.reading() as connection:
            return storagekeys.live(connection, Kind.FILE, OTHER) is None

    assert wait_until(forgotten, SECONDS)


@pytest.mark.parametrize("fault", ["forged", "plain", "lost"])
def test_what_can_t_be_read_is_on_somebody_s_list_and_given_to_nobody(fault: str, files: Vault, world: World) -> None:
    orthanc.hooks["create"](FILE, 1, photograph_bytes())
    path = files.folder.path(FILE)
    if fault == "forged":
        path.write_bytes(path.read_bytes()[:-1])
    elif fault == "plain":
        plain(files.folder.folder, FILE, photograph_bytes())
    else:
        world.sql("DELETE FROM storage_keys")
        world.ticks.seconds += 60
    for _ in range(2):
        with pytest.raises({"forged": ForgedFileError, "plain": PlainFileError, "lost": LostKeyError}[fault]):
            orthanc.hooks["read"](FILE, 1)
    assert wait_until(lambda: unreadable(world) == [FILE], SECONDS)


def test_what_is_missing_or_can_t_be_asked_for_now_is_on_nobody_s_list(
    files: Vault, world: World, worker: Worker
) -> None:
    with pytest.raises(ArchiveError):
        orthanc.hooks["read"](FILE, 1)
    worker.run(int)
    assert unreadable(world) == []
    orthanc.hooks["create"](FILE, 1, photograph_bytes())
    world.lose_the_database()
    world.ticks.seconds += 60
    with pytest.raises(RegistryError):
        orthanc.hooks["read"](FILE, 1)
    with pytest.raises(RegistryError):
        orthanc.hooks["create"](OTHER, 1, photograph_bytes())
    assert list(files.folder.names()) == [FILE]


def test_while_every_thread_hangs_a_hook_says_no_at_once(hooks: StorageHooks, worker: Worker) -> None:
    free = threading.Event()
    for _ in range(worker.threads):
        with pytest.raises(TimeoutError):
            worker.within(0.01, free.wait)
    with pytest.raises(TimeoutError, match="every thread hangs"):
        hooks.read(FILE, 1)
    free.set()


def test_other_processes_know_whether_files_are_encrypted_by_one_that_lives(world: World) -> None:
    notice = notice_file(world.services)
    with pytest.raises(ConsentgateError, match="encryption = true"):
        announced(notice)
    announce(notice, world.folder)
    assert announced(notice) == world.folder
    assert notice.stat().st_mode & 0o777 == 0o600
    notice.write_text(notice.read_text().replace('"started": ', '"started": 9'))
    with pytest.raises(ConsentgateError, match="encryption = true"):
        announced(notice)


def test_every_start_brings_the_folders_of_the_files_to_the_disk(world: World) -> None:
    synced: list[Path] = []
    encrypting(world, {"2026": "keys/storage.key"})
    plain(world.folder / "storage", FILE, b"of a process that was killed before it came as far")
    made = open_storage(
        world.services, {}, str(world.folder / "storage"), lambda folder: VaultFolder(folder, sync=synced.append)
    )
    assert made is not None
    made.worker.stop()
    assert synced == [world.folder / "storage", world.folder / "storage" / FILE[:2]]
