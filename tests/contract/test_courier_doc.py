"""What docs/courier.md tells operators to type, the states and the numbers that it names are the program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orthanc_plugin.config.bindings import DicomNode
from orthanc_plugin.config.recipients import Kind
from orthanc_plugin.registry.outbox import State
from orthanc_plugin.sending.courier import DOOR, LEASE
from orthanc_plugin.sending.errand import FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS
from orthanc_plugin.sending.vouching import UNCONFIRMED
from tests.contract.test_readme import reached

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "courier.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^(consentgate courier.*)$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_state_and_every_kind_of_recipient_is_told() -> None:
    assert set(re.findall(r"^\| `([A-Z]+)` \|", DOCUMENT, re.MULTILINE)) == set(State)
    assert set(re.findall(r'^\| `kind = "([a-z]+)"` \|', DOCUMENT, re.MULTILINE)) == set(Kind)
    assert "commitment" in DicomNode.__dataclass_fields__


def test_the_numbers_are_the_program_s() -> None:
    assert (LEASE.total_seconds(), FIRST_PAUSE.total_seconds(), LONGEST_PAUSE.total_seconds()) == (300, 5, 6 * 3600)
    assert f"{MOST_ATTEMPTS} attempts failed" in DOCUMENT
    assert (f"`{DOOR}`" in DOCUMENT, f"`{UNCONFIRMED.partition(':')[0]}`" in DOCUMENT) == (True, True)


@pytest.mark.parametrize("file", ["consentgate-courier.service", "compose.yml"])
def test_what_starts_it_starts_this_command(file: str) -> None:
    assert re.search(r"consentgate,? courier\]?$", (ROOT / "docker" / file).read_text(), re.MULTILINE)
