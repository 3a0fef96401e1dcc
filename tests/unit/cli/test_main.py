"""What holds for every command before it does anything: how it is listed, and what it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orthanc_plugin.cli.main import COMMANDS, main
from tests.fakes.pictures import CARE
from tests.unit.cli.conftest import Shell

ROOT = Path(__file__).resolve().parents[3]
NARROW = 80  # columns, as a terminal has unless it is told otherwise


def groups(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Give the help of a group and of all the groups in it."""
    if isinstance(command, click.Group):
        yield context.command_path, command.get_help(context)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from groups(inner, click.Context(inner, context, name, terminal_width=NARROW))


def listed() -> dict[str, str]:
    return dict(groups(main, click.Context(main, info_name="consentgate", terminal_width=NARROW)))


def test_what_a_command_does_is_told_whole_in_every_list() -> None:
    said = listed()
    assert {"consentgate", "consentgate consent", "consentgate retention facts"} < said.keys()
    cut = {path for path, text in said.items() if any(line.endswith("...") for line in text.splitlines()[1:])}
    assert cut == set()


def test_a_list_has_the_first_sentence_and_no_more() -> None:
    sweep = " ".join(listed()["consentgate consent"].partition("  sweep ")[2].partition("\n  withdraw")[0].split())
    assert sweep == "Look at what time has done: consents that ended, patients to be asked again, deaths."


def ran(code: str) -> int:
    """Run a program of its own; return its exit status."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("name", ["db", "init", "watch"])
def test_what_starts_with_every_orthanc_loads_no_services(name: str) -> None:
    module, _ = COMMANDS[name]
    assert ran(f"import sys; import {module}; sys.exit('orthanc_plugin.services' in sys.modules)") == 0


def test_garbage_is_collected_while_a_command_works_and_its_modules_are_passed_over() -> None:
    code = (
        "import gc, sys; from orthanc_plugin.cli.main import main; main(['init', '--help'], standalone_mode=False)\n"
        "sys.exit(0 if gc.isenabled() and gc.get_freeze_count() > 10_000 else 1)"
    )
    assert ran(code) == 0


FULL = Path("/dev/full")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("--help",), ("doors",), ("doors", "--json"), ("decide", "--case", "-")])
def test_what_can_t_be_printed_is_told_with_a_remedy(
    arguments: tuple[str, ...], unbuffered: str, tmp_path: Path
) -> None:
    program = Path(sys.executable).with_name("consentgate")
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    environment.pop("CONSENTGATE_SETTINGS", None)
    with FULL.open("w") as full:
        done = subprocess.run(
            [program, *arguments],
            input="[]",
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
    *_, last = done.stderr.splitlines()
    assert (done.returncode, "Traceback" in done.stderr, "Exception" in done.stderr) == (1, False, False)
    assert last.startswith("consentgate: What was to be told can't be written (No space left on device). Have it")


def test_what_a_terminal_has_no_letters_for_is_told_with_a_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("consentgate"), "decide", "--case", "-"],
        input='{"id": "日"}',
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        check=False,
    )
    *_, last = done.stderr.splitlines()
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert last.startswith("consentgate: What is to be shown has letters that this terminal has not.")


def test_a_word_that_is_no_utf_8_is_told_and_nothing_is_recorded(shell: Shell) -> None:
    uid = shell.world.file(CARE).sop_instance_uid
    program, settings = Path(sys.executable).with_name("consentgate"), shell.world.folder / "settings.toml"
    before = shell.world.trail()
    marked: tuple[str | bytes, ...] = ("image", "set", uid, "--intimate", "--reason", b"m\xfcde", "--by", "officer")
    for words in (marked, ("consent", "show", b"\xff")):
        done = subprocess.run([program, "--settings", settings, *words], capture_output=True, check=False)
        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert done.stderr.startswith(b"consentgate: A word of the call isn't in UTF-8")
    assert shell.world.trail() == before
    assert not shell.world.row().intimate
