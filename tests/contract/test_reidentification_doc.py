"""What docs/reidentification.md says of keys, custodians, linkage and commands is what the program has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from orthanc_plugin.config.linkage import Linkage
from orthanc_plugin.config.load import validated
from orthanc_plugin.config.profiles import ProfileChoice, profile_faults
from orthanc_plugin.config.settings import KeySettings
from orthanc_plugin.deid.vault import FEWEST_BITS, LOCKED
from orthanc_plugin.lifecycle.reidentifying import APPROVED_FOR
from orthanc_plugin.policy.linkage import TASK
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "reidentification.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
SYNOPSES = [
    re.sub(r"\s+", " ", call)
    for kind, block in BLOCKS
    if not kind
    for call in re.findall(r"^consentgate (?:.+(?:\n +.+)*)", block, re.MULTILINE)
]
CALLS = sorted({*SYNOPSES, *re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT)})


def section(name: str) -> dict[str, object]:
    """Return a section as the document's examples have it."""
    found = [tomllib.loads(block) for kind, block in BLOCKS if kind == "toml"]
    (value,) = [each[name] for each in found if name in each]
    assert isinstance(value, dict)
    return value


def test_the_document_names_commands() -> None:
    assert len(SYNOPSES) == 6
    assert len(CALLS) >= 10


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word.strip("[]") for word in rest if word.strip("[]").startswith("--")} <= known


def test_its_settings_and_policy_are_taken() -> None:
    assert validated(KeySettings, section("keys"), "settings.toml").retired == frozenset()
    assert validated(Linkage, section("linkage"), "policy.toml") == Linkage()
    profiles = {
        name: validated(ProfileChoice, dict(choice), "policy.toml") for name, choice in section("profiles").items()
    }
    assert list(profile_faults(profiles, ())) == []
    (study,) = profiles.values()
    assert set(study.custodians or ()) == set(section("custodians"))


def test_it_names_what_is_locked() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", DOCUMENT.partition("| locked |")[2].partition("\n\n")[0], re.MULTILINE)
    assert sorted(name for row in rows for name in row.strip("`").split("`, `")) == sorted(LOCKED)


def test_its_numbers_are_the_program_s() -> None:
    assert f"RSA with {FEWEST_BITS} bits" in DOCUMENT
    assert APPROVED_FOR.days == 7
    assert "within a week" in DOCUMENT
    assert f"`{TASK}`" in DOCUMENT
