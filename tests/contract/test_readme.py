"""What the README tells people to type is what the programs take."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from dicomwrap.cli.main import main as dicomwrap
from orthanc_plugin.cli.main import main as consentgate

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, click.Command] = {"consentgate": consentgate, "dicomwrap": dicomwrap}
CALLS = sorted(
    set(re.findall(r"(?:`|^)((?:consentgate|dicomwrap) [a-z][^`\n\\]*(?:\\\n[^`\n\\]*)*)", README, re.MULTILINE))
)


def reached(call: str) -> tuple[click.Command, list[str]]:
    """Follow the words of a call down to its command; return it and the words that are left."""
    words = call.replace("\\\n", " ").split()
    command, rest = PROGRAMS[words[0]], words[1:]
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no '{rest[0]}' in: {call}"
        command, rest = found, rest[1:]
    return command, rest


def test_the_readme_names_commands() -> None:
    assert len(CALLS) >= 10


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_readme_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize("name", ["demo", "serve", "test"])
def test_every_script_in_the_readme_is_there_and_can_be_run(name: str) -> None:
    assert f"bin/{name}" in README
    assert (ROOT / "bin" / name).stat().st_mode & 0o111


@pytest.mark.parametrize("file", re.findall(r"\]\(([A-Za-z./-]+)\)", README))
def test_every_link_in_the_readme_leads_somewhere(file: str) -> None:
    assert (ROOT / file).exists()
