"""What docs/retention.md says of rules, columns, cases and commands is what the program has."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from orthanc_plugin.cli.retentionschedule import rule_rows
from orthanc_plugin.config.factsources import FactSource
from orthanc_plugin.config.load import validated
from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.fhir.server import MOST_BYTES, MOST_PAGES
from orthanc_plugin.lifecycle import retentionrows
from orthanc_plugin.policy.expirymodel import HoldKind, Kept, Status
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"(?:`|^)(consentgate [a-z][^`\n\\#]*(?:\\\n[^`\n\\#]*)*)", DOCUMENT, re.MULTILINE)))
CASES = json.loads((Path(__file__).parents[1] / "data" / "retention_cases.json").read_text(encoding="utf-8"))


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading, without its head."""
    rows = re.findall(r"^\| (.*) \|$", DOCUMENT.partition(f"{heading}\n")[2].partition("\n## ")[0], re.MULTILINE)
    return [re.split(r" (?<!\\)\| ", row) for row in rows[1:]]


def names(heading: str) -> list[str]:
    """Return what the first column of a table names."""
    return sorted(name for row in table(heading) for name in row[0].strip("`").split("`, `"))


def test_the_rules_in_the_document_are_those_that_are_shipped() -> None:
    told = [(row[0].strip("`"), row[2], row[3], row[4], row[5]) for row in table("## The schedule")]
    known = [(row["rule"], row["from"], row["period"], row["on_death"], row["status"]) for row in rule_rows(shipped())]
    assert told == known


def test_every_column_of_facts_is_documented() -> None:
    assert names("### Columns of facts") == sorted(retentionrows.COLUMNS)


def test_every_field_of_a_case_is_documented() -> None:
    assert names("## Dates") == sorted(CASES[0]["inputs"])


@pytest.mark.parametrize("words", [HoldKind, Kept, Status], ids=lambda words: words.__name__)
def test_every_word_is_documented(words: type[HoldKind] | type[Kept] | type[Status]) -> None:
    assert [word for word in words if word not in DOCUMENT] == []


def test_the_document_names_commands() -> None:
    assert len(CALLS) >= 15


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_source_in_the_document_is_one_that_settings_take() -> None:
    block = DOCUMENT.partition("[fact_sources.pas]")[2].partition("```")[0]
    written = tomllib.loads(f"[fact_sources.pas]{block}")["fact_sources"]["pas"]
    assert set(written) == set(FactSource.__dataclass_fields__)
    assert validated(FactSource, written, "docs/retention.md").complete
    told = re.search(r"\(([\d,]+) pages, (\d+) MB", DOCUMENT)
    assert told is not None
    assert (int(told[1].replace(",", "")), int(told[2]) << 20) == (MOST_PAGES, MOST_BYTES)
