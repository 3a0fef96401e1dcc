"""docs/storage.md says what the program does: its commands, its settings, its refusals."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from orthanc_plugin.cli.main import main
from orthanc_plugin.config.load import validated
from orthanc_plugin.config.settings import Settings
from orthanc_plugin.config.storage import PlainFiles
from orthanc_plugin.enforcement.storagechecks import storage_findings
from orthanc_plugin.lifecycle import sitekeys
from orthanc_plugin.policy.storing import StorageTask
from tests.fakes.vaulted import FIRST, SECOND, begun
from tests.fakes.world import World

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`consentgate storage ([a-z-]+)", PAGE)))


def test_the_page_has_every_command_and_each_of_them_is_there() -> None:
    listed = CliRunner().invoke(main, ["storage", "--help"]).output
    assert sorted(re.findall(r"(?m)^  ([a-z-]+) ", listed.partition("Commands:")[2])) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    assert CliRunner().invoke(main, ["storage", command, "--help"]).exit_code == 0


def test_the_settings_of_the_page_can_be_used() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = validated(Settings, tomllib.loads(block), "settings.toml")
    assert (settings.storage.encryption, settings.storage.plain_files) == (True, PlainFiles.READ)
    assert settings.storage.site_keys == {"2026": "keys/storage-2026.key"}
    assert Settings().storage.encryption is False


def test_the_page_has_what_orthanc_says_when_it_doesn_t_start(world: World) -> None:
    on = validated(Settings, {"storage": {"encryption": True}}, "settings.toml").storage
    hangs = " ".join(each.problem for each in storage_findings({}, on, lambda _version: False))
    begun(world)
    with world.services.database.reading() as connection:
        missing = " ".join(sitekeys.found(connection, (SECOND,)).faults)
        other = " ".join(sitekeys.found(connection, (type(FIRST)(name="2026", value=b"x" * 32),)).faults)
    for said, words in ((hangs, "would hang the whole server"), (missing, "is missing"), (other, "not the one that")):
        assert words in said
        assert words in PAGE


def test_the_page_names_the_task() -> None:
    assert f"`{StorageTask.UNREADABLE_FILE}`" in PAGE
