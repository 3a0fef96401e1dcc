"""The forked command line says and does what the installed program does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.server import ROOT, run_program
from tests.fakes import commands
from tests.fakes.world import World

SCRIPT = str(ROOT / "docker" / "consent_gate.py")
COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("--help",),
    ("--version",),
    ("nonsense",),
    ("consent", "add"),
    ("consent", "add", "/nowhere"),
    ("audit", "tail", "--json"),
    ("audit", "verify"),
    ("consent", "show", "urn:uuid:5d4cf3a6-6a0b-4f6c-9a53-0d7a8f3c1a99"),
    ("db", "upgrade"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_has_the_same_status_and_says_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CONSENTGATE_SETTINGS", str(world.folder / "settings.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    command = [commands.PROGRAM, *arguments]
    forked, program = commands.run(command), run_program(command)
    assert (forked.returncode, forked.stdout, forked.stderr) == (program.returncode, program.stdout, program.stderr)
    assert forked.stdout or forked.stderr


def test_a_command_goes_by_the_environment_and_the_folder_of_who_gives_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONSENTGATE_SETTINGS", raising=False)
    assert commands.run([commands.PROGRAM, "audit", "verify"]).returncode == 1
    monkeypatch.chdir(world.folder)
    assert commands.run([commands.PROGRAM, "audit", "verify"]).returncode == 0
    monkeypatch.chdir(tmp_path)
    elsewhere = f"sqlite:///{tmp_path}/nothing.db"
    monkeypatch.setenv("CONSENTGATE_SETTINGS", str(world.folder / "settings.toml"))
    monkeypatch.setenv("CONSENTGATE_REGISTRY_DATABASE", elsewhere)
    assert "consentgate db upgrade" in commands.run([commands.PROGRAM, "audit", "verify"]).stderr


def test_commands_given_at_once_don_t_wait_for_one_another_or_mix_what_they_say(world: World) -> None:
    def added(number: int) -> tuple[int, bool]:
        folder = world.folder / f"of {number}"
        done = commands.run([commands.PROGRAM, "init", str(folder), "--script", SCRIPT, "--json"])
        return done.returncode, str(folder) in done.stdout and (folder / "policy.toml").exists()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(added, range(12))) == {(0, True)}


def test_a_command_that_must_succeed_says_why_it_did_not() -> None:
    with pytest.raises(AssertionError, match="No such command"):
        commands.checked([commands.PROGRAM, "nonsense"])
