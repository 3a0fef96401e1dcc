"""``consentgate storage``: what an administrator is told of encrypted files, and the rotation of their site key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orthanc_plugin.archive.vault import VaultFolder
from orthanc_plugin.config.settings import load_settings
from orthanc_plugin.config.storage import PlainFiles
from orthanc_plugin.enforcement.storage import announce, notice_file
from orthanc_plugin.enforcement.vault import Vault, site_keys, vault
from orthanc_plugin.registry import storagekeys
from orthanc_plugin.registry.storagekeys import Kind
from tests.fakes.pictures import photograph, photograph_bytes
from tests.fakes.vaulted import FILE, OTHER, begun, plain
from tests.fakes.world import World
from tests.unit.cli.conftest import Shell

STORAGE = """
[storage]
encryption = true
plain_files = "read"
site_keys = { "2026" = "keys/2026.key", "2027" = { environment = "KEY_OF_2027" } }
"""


@pytest.fixture
def files(world: World, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Give the files that a running plugin keeps."""
    monkeypatch.setenv("KEY_OF_2027", "cd" * 32)
    settings = world.folder / "settings.toml"
    settings.write_text(settings.read_text() + STORAGE)
    (world.folder / "keys" / "2026.key").write_text("ab" * 32)
    (world.folder / "keys" / "2026.key").chmod(0o600)
    storage = world.folder / "storage"
    storage.mkdir()
    announce(notice_file(world.services), storage)
    return _vault(world)


def _vault(world: World) -> Vault:
    settings = load_settings(world.folder / "settings.toml", {})
    world.services = replace(world.services, settings=settings)
    keys = site_keys(world.services, {"KEY_OF_2027": "cd" * 32})
    begun(world, keys[0])
    assert settings.storage.plain_files is PlainFiles.READ
    return vault(world.services, {"KEY_OF_2027": "cd" * 32}, VaultFolder(world.folder / "storage"))


def test_a_plain_archive_is_migrated_and_verified(shell: Shell, files: Vault) -> None:
    plain(files.folder.folder, FILE, photograph_bytes())
    assert shell.json("storage", "verify", code=1)["plain"] == 1
    assert shell.json("storage", "migrate")["migrated"] == 1
    assert "take plain_files out" in shell("storage", "migrate").stdout
    assert shell.json("storage", "verify")["encrypted"] == 1
    assert shell.json("storage", "verify", "--every", "2")["encrypted"] == 1


def test_a_file_that_can_t_be_opened_is_named(shell: Shell, files: Vault) -> None:
    files.create(FILE, photograph_bytes())
    files.create(OTHER, b"{}")
    with files.keys.database.writing() as connection:
        storagekeys.destroy(connection, Kind.STUDY, str(photograph().StudyInstanceUID), "2026-11-22")
    done = shell("storage", "verify")
    assert done.exit_code == 1
    assert done.stderr == f"{FILE}: key destroyed\n"
    assert done.stdout == "1 encrypted, 1 key destroyed\n"


def test_nothing_is_encrypted_under_a_plugin_that_doesn_t(shell: Shell, files: Vault, world: World) -> None:
    notice_file(world.services).unlink()
    path = plain(files.folder.folder, FILE, photograph_bytes())
    assert "No Orthanc runs here whose files Consentgate encrypts" in shell.fails("storage", "migrate")
    assert path.read_bytes() == photograph_bytes()


def test_nothing_is_encrypted_with_a_key_that_isn_t_the_one_on_record(shell: Shell, files: Vault, world: World) -> None:
    (world.folder / "keys" / "2026.key").write_text("ef" * 32)
    plain(files.folder.folder, FILE, photograph_bytes())
    assert "not the one that is known" in shell.fails("storage", "migrate")


def test_the_site_key_is_rotated_by_two_people(shell: Shell, files: Vault) -> None:
    files.create(FILE, photograph_bytes())
    (first,) = shell.json("storage", "status")
    assert (first["site_key"], first["state"], first["here"], first["data_keys"]) == ("2026", "in use", "yes", 1)
    assert "no site key of this name" in shell.fails("storage", "propose-key", "2028", "--by", "derm")
    assert shell.json("storage", "propose-key", "2027", "--by", "derm")["approved_by"] is None
    assert "Nobody approves" in shell.fails("storage", "rotate", "2027", "--by", "derm")
    assert shell.json("storage", "rotate", "2027", "--by", "admin") == {
        "site_key": "2027",
        "data_keys": 1,
        "retired": ["2026"],
    }
    assert "0 data key(s)" in shell("storage", "rotate", "2027", "--by", "admin").stdout
    states = {each["site_key"]: each["state"] for each in shell.json("storage", "status")}
    assert states == {"2026": "retired", "2027": "in use"}
    assert shell("audit", "verify").exit_code == 0


def test_of_a_plain_archive_there_is_nothing_to_tell(shell: Shell) -> None:
    assert shell.json("storage", "status") == []
    assert "not encrypted" in shell("storage", "status").stderr


def test_no_key_is_ever_shown(shell: Shell, files: Vault, world: World) -> None:
    (world.folder / "keys" / "2026.key").write_text("not a key")
    said = shell("storage", "status")
    assert said.exit_code == 1
    assert "not a key" not in said.output
    assert "ab" * 32 not in str([path.read_bytes() for path in Path(world.folder).glob("registry.db*")])
