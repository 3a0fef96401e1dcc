"""``consentgate profile``: what becomes of each attribute, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orthanc_plugin.cli.main import main
from orthanc_plugin.config.profiles import SHIPPED
from orthanc_plugin.deid.table import TABLE


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["profile", *words], catch_exceptions=False)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTGATE_SETTINGS", raising=False)


def test_the_shipped_profiles_are_listed() -> None:
    assert [each["profile"] for each in json.loads(run("list", "--json").stdout)] == sorted(SHIPPED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_attribute_that_has_a_row_is_told_in_words(name: str) -> None:
    said = json.loads(run("show", name, "--json").stdout)
    assert {row.name for row in TABLE.values() if row.tag != "PRIVATE"} <= set(said["actions"])
    assert said["actions"]["every other attribute"] == "removed"
    assert said["actions"]["PatientName"] == "replaced by a dummy or pseudonym of the same kind"
    assert all(len(words) > 5 for words in said["actions"].values())
    assert {"code": "113100", "meaning": "Basic Application Confidentiality Profile"} in said["methods"]
    assert said["pixels"] == "confirmed"


def test_options_and_exceptions_change_what_is_told() -> None:
    research = json.loads(run("show", "research-longitudinal", "--json").stdout)["actions"]
    minimum = json.loads(run("show", "minimum", "--json").stdout)["actions"]
    assert (research["StudyDate"][:7], minimum["StudyDate"]) == ("cleaned", "emptied")
    assert (research["PatientSex"][:4], minimum["PatientSex"]) == ("kept", "emptied")
    assert minimum["AnatomicRegionSequence"] == "removed"
    assert "consent block" in research["private attributes"]


def test_without_json_it_is_a_table_of_attributes_and_words() -> None:
    lines = run("show", "teaching").stdout.splitlines()
    assert lines[0] == "attribute\tbecomes"
    assert "InstitutionName\tremoved, emptied or replaced by a dummy, by what the object must have" in lines


def test_a_profile_that_there_isn_t_is_named_with_those_there_are() -> None:
    result = run("show", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(name in result.stderr for name in SHIPPED)
