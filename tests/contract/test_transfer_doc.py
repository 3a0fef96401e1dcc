"""What docs/transfer.md tells people to type and to write, and the states and files it names, are the program's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from orthanc_plugin.config.load import validated
from orthanc_plugin.config.places import Place, place_faults
from orthanc_plugin.registry.transfers import State
from orthanc_plugin.retention.receipts import COLUMNS
from orthanc_plugin.sending.deposit import README
from tests.contract.test_disclosures_doc import options
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "transfer.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"^(consentgate [a-z][^#\n]*)", DOCUMENT, re.MULTILINE)))


def test_the_document_names_every_command_of_a_transfer() -> None:
    assert {call.split()[2] for call in CALLS if call.startswith("consentgate transfer")} == {
        "export",
        "form",
        "receipt",
        "confirm",
        "list",
        "abandon",
    }


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    assert {word for word in rest if word.startswith("--")} <= options(command)


def test_the_place_in_the_document_is_one_that_policy_toml_takes() -> None:
    block = DOCUMENT.partition("```toml\n")[2].partition("```")[0]
    (written,) = tomllib.loads(block)["disposition"]["places"]
    place = validated(Place, written, "docs/transfer.md")
    assert list(place_faults((place,), exports=True)) == []
    assert set(written) == set(Place.__dataclass_fields__)


def test_every_state_is_in_the_table_and_every_column_of_a_receipt_is_named() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT, re.MULTILINE) == [state.value for state in State]
    assert [column for column in COLUMNS if f"`{column}`" not in DOCUMENT] == []


def test_what_the_bag_s_own_page_names_is_in_the_document() -> None:
    files = {line.split()[0] for line in README.splitlines() if re.match(r"[a-z]+[./]", line)}
    stems = {name.rstrip("*./") for name in files}
    assert len(stems) >= 6
    assert [stem for stem in stems if stem not in DOCUMENT] == []
