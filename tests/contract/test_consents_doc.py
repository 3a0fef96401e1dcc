"""What docs/consents.md tells records officers to type, and the columns it names, are what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orthanc_plugin.lifecycle import csvrows, patientrows
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "consents.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT)))


def columns(heading: str) -> list[str]:
    """Return the columns in the first column of the table under a heading."""
    section = DOCUMENT.partition(f"### {heading}\n")[2].partition("\n#")[0]
    return sorted(
        name for cell in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE) for name in cell.strip("`").split("`, `")
    )


@pytest.mark.parametrize(
    ("heading", "known"),
    [("Columns of consents", csvrows.CONSENT_COLUMNS), ("Columns of patients", patientrows.COLUMNS)],
)
def test_every_column_of_an_import_is_documented(heading: str, known: tuple[str, ...]) -> None:
    assert columns(heading) == sorted(known)


def test_the_document_names_commands() -> None:
    assert len(CALLS) >= 10


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known
