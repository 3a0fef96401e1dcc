"""Orthanc starts with its files encrypted, with the right key, where that can work; or it doesn't start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orthanc_plugin.enforcement.storage import announced, notice_file
from orthanc_plugin.errors import ConfigurationError, OpenExitError
from tests.fakes import orthanc
from tests.fakes.pictures import photograph_bytes
from tests.fakes.vaulted import FILE
from tests.plugin.conftest import Plugin

SECTION = '\n[storage]\nencryption = true\nsite_keys = { "2026" = "keys/storage.key" }\n'


@pytest.fixture
def encrypting(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Give a plugin whose Orthanc is new enough, and whose settings say that files are encrypted."""
    monkeypatch.setattr(orthanc, "CheckVersionAdvanced", lambda *version: int(version <= (1, 12, 7)))
    orthanc.configuration["StorageDirectory"] = str(plugin.world.folder / "storage")
    write_key(plugin, "ab" * 32)
    plugin.settings.write_text(plugin.settings.read_text() + SECTION)
    return plugin


def write_key(plugin: Plugin, key: str) -> None:
    path = plugin.world.folder / "keys" / "storage.key"
    path.write_text(key)
    path.chmod(0o600)


def test_orthanc_keeps_its_files_itself_unless_it_is_told_otherwise(plugin: Plugin) -> None:
    assert plugin.install().storage is None
    assert not {"create", "read", "remove"} & set(orthanc.hooks)


def test_files_are_kept_encrypted_and_other_processes_are_told(encrypting: Plugin) -> None:
    parts = encrypting.install()
    orthanc.hooks["create"](FILE, 1, photograph_bytes())
    assert orthanc.hooks["read"](FILE, 1) == photograph_bytes()
    folder = encrypting.world.folder / "storage"
    assert photograph_bytes()[-500:] not in (folder / FILE[:2] / FILE[2:4] / FILE).read_bytes()
    assert announced(notice_file(parts.services)) == folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda plugin: write_key(plugin, "cd" * 32), "not the one that is known by this name"),
        (lambda plugin: (plugin.world.folder / "keys" / "storage.key").unlink(), "can't be used"),
        (
            lambda plugin: (
                write_key(plugin, "cd" * 32),
                plugin.settings.write_text(plugin.settings.read_text().replace('"2026"', '"2027"')),
            ),
            "site key '2026', which pictures are encrypted with, is missing",
        ),
        (
            lambda plugin: plugin.settings.write_text(plugin.settings.read_text().replace("= true", "= false")),
            "settings.toml says that they aren't",
        ),
    ],
    ids=["another key", "no file", "another key of another name", "off"],
)
def test_what_is_encrypted_is_not_started_without_its_key(
    change: Callable[[Plugin], object], words: str, encrypting: Plugin
) -> None:
    encrypting.install()
    orthanc.hooks.clear()
    change(encrypting)
    with pytest.raises(ConfigurationError, match=words):
        encrypting.install()
    assert orthanc.hooks == {}


def test_an_orthanc_that_would_hang_is_not_started(encrypting: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc, "CheckVersionAdvanced", lambda *version: int(version <= (1, 10, 1)))
    with pytest.raises(OpenExitError, match="would hang the whole server"):
        encrypting.install()
