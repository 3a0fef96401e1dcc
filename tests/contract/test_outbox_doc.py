"""What docs/outbox.md tells people to type, and the states and triggers it names, are the program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orthanc_plugin.lifecycle.optouts import COLUMNS
from orthanc_plugin.policy.routing import Trigger
from orthanc_plugin.registry.outbox import State
from tests.contract.test_disclosures_doc import options
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "outbox.md").read_text(encoding="utf-8")
SYNOPSES = [line for block in re.findall(r"```\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]
CALLS = sorted(set(re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT)))


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_text_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    assert {word for word in rest if word.startswith("--")} <= options(command)


@pytest.mark.parametrize("synopsis", SYNOPSES)
def test_every_synopsis_has_every_option_of_its_command(synopsis: str) -> None:
    command, _ = reached(" ".join(re.findall(r"[a-z-]+", synopsis.split("[")[0].split(" --")[0])))
    known = {name for name in options(command) if name.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", synopsis)) == known - {"--json"}


@pytest.mark.parametrize(("heading", "words"), [("Trigger", Trigger), ("State", State)])
def test_every_state_and_trigger_is_in_its_table(heading: str, words: type[Trigger | State]) -> None:
    table = DOCUMENT.partition(f"| {heading} |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE) == [each.value for each in words]


def test_the_columns_of_the_list_are_named() -> None:
    assert all(f"`{column}`" in DOCUMENT for column in COLUMNS)
