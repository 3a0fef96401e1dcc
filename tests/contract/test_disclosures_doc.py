"""What docs/disclosures.md tells people to type, and the words it shows, are what the program takes and says."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from orthanc_plugin.cli.disclosures import FORMATS, disclosures
from orthanc_plugin.policy.access import CheckKind, Handover
from orthanc_plugin.policy.accounts import STANDING_WORDS, TO_BE_ASKED, WON_T, Standing
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "disclosures.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT)))


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def test_the_document_names_commands() -> None:
    assert len(CALLS) >= 12


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    assert {word for word in rest if word.startswith("--")} <= options(command)


def test_every_way_of_asking_for_the_account_is_documented() -> None:
    block = DOCUMENT.partition("```\n")[2].partition("```")[0]
    assert set(re.findall(r"--[a-z]+", block)) == options(disclosures) - {"--json"}
    assert f"[--format {'|'.join(FORMATS)}]" in block


def test_the_words_that_a_patient_reads_are_the_program_s() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    assert rows == {standing.value: STANDING_WORDS[standing] for standing in Standing}
    for words in (TO_BE_ASKED, WON_T):
        assert f'"{words}"' in DOCUMENT.replace("\n", " ")


def test_every_kind_of_check_and_of_handing_over_is_documented() -> None:
    for kind in CheckKind:
        assert f"check REQUEST {kind.lower().replace('_', '-')} " in DOCUMENT
    assert {Handover.IN_PERSON, Handover.POST} <= set(re.findall(r"[A-Z_]{4,}", DOCUMENT))
