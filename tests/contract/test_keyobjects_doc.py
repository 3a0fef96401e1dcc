"""What docs/keyobjects.md tells people, and the words it shows, are what the program takes and says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
from pydicom.sr.codedict import codes

from orthanc_plugin.config.bindings import Role, Verb
from orthanc_plugin.lifecycle import keyobjects
from orthanc_plugin.lifecycle.exportrequests import Standing
from orthanc_plugin.policy.keyobjects import KEEPS_OUT, REQUESTS, KeyObjectTask, Rejection
from orthanc_plugin.registry.tasks import KINDS
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "keyobjects.md").read_text(encoding="utf-8")
CALLS = sorted({" ".join(call.split()) for call in re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT)})
ROWS = [
    tuple(cell.strip(" `") for cell in row.split("|")[1:-1]) for row in re.findall(r"^\|.*\|$", DOCUMENT, re.MULTILINE)
]


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    assert {word for word in rest if word.startswith("--")} <= options(command)


def test_the_document_names_the_commands() -> None:
    assert {call.split()[1] for call in CALLS} >= {"export", "rejection", "audit", "disclosures"}


def test_the_titles_are_the_standard_s_and_lead_where_the_program_has_them_lead() -> None:
    standard = {code.value: code.meaning for code in (getattr(codes.cid7010, name) for name in codes.cid7010.dir())}
    titles = {row[1]: row for row in ROWS if row[1].isdigit()}
    assert {code: row[0] for code, row in titles.items()} == {code: standard[code] for code in (*REQUESTS, *Rejection)}
    assert {code: titles[code][2] for code in REQUESTS} == {code: purpose.value for code, purpose in REQUESTS.items()}
    assert {each for each in Rejection if titles[each][3].startswith("held")} == KEEPS_OUT


def test_every_standing_is_explained() -> None:
    assert {row[0] for row in ROWS} >= {standing.value for standing in Standing}


def test_every_task_is_named_and_somebody_s() -> None:
    assert all(kind in DOCUMENT and kind in KINDS for kind in KeyObjectTask)


def test_every_reason_to_hold_a_key_object_is_named() -> None:
    source = Path(keyobjects.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"KEY_OBJECT_[A-Z_]+(?=:)", source)) <= set(re.findall(r"KEY_OBJECT_[A-Z_]+", DOCUMENT))


def test_the_binding_in_the_document_is_one_that_policy_toml_takes() -> None:
    block = DOCUMENT.partition("```toml\n")[2].partition("```")[0]
    (node,) = tomllib.loads(block)["dicom_nodes"]
    assert {Verb(word) for word in node["may"]} == {Verb.STORE, Verb.REQUEST_EXPORT}
    assert {Role.REQUEST_EXPORT, Role.REJECT} <= set(re.findall(r"`([a-z-]+)`", DOCUMENT))
