"""A hospital whose archive's files are encrypted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orthanc_plugin.archive.vault import VaultFolder
from orthanc_plugin.config.storage import PlainFiles, StorageSettings
from orthanc_plugin.enforcement.vault import Vault
from orthanc_plugin.lifecycle import sitekeys
from orthanc_plugin.lifecycle.datakeys import DataKeys
from orthanc_plugin.registry.storagekeys import SiteKey
from tests.fakes.world import World

FIRST = SiteKey(name="2026", value=b"1" * 32)
SECOND = SiteKey(name="2027", value=b"2" * 32)
FILE = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"


def data_keys(world: World, *keys: SiteKey) -> DataKeys:
    """Return the keys of a process that has these site keys."""
    return DataKeys(
        world.services.database, keys or (FIRST,), lambda: world.services.act("consentgate", "storage"), world.ticks
    )


def begun(world: World, *keys: SiteKey) -> None:
    """Have a process with these site keys start."""
    with world.services.database.writing() as connection:
        sitekeys.begin(connection, world.services.act("consentgate", "storage"), keys or (FIRST,))


def vaulted(world: World, *keys: SiteKey, plain_files: PlainFiles = PlainFiles.REFUSE) -> Vault:
    """Return the vault of a world, whose first site key is on record."""
    begun(world, *(keys or (FIRST,))[:1])
    storage = world.folder / "storage"
    storage.mkdir(exist_ok=True)
    return Vault(keys=data_keys(world, *keys), folder=VaultFolder(storage), plain_files=plain_files)


def encrypting(world: World, site_keys: dict[str, str], plain_files: PlainFiles = PlainFiles.REFUSE) -> None:
    """Have settings.toml say that files are encrypted, with keys in files."""
    for path in site_keys.values():
        file = world.folder / path
        if not file.exists():
            file.write_text("ab" * 32)
            file.chmod(0o600)
    storage = StorageSettings(encryption=True, plain_files=plain_files, site_keys=dict(site_keys))
    world.services = replace(world.services, settings=replace(world.services.settings, storage=storage))


def plain(folder: Path, name: str, content: bytes) -> Path:
    """Write a file as Orthanc itself would."""
    path = folder / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
