"""What docs/recall.md tells people to type, and the words it shows, are what the program takes and says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from orthanc_plugin.cli.main import main
from orthanc_plugin.cli.recall import STATES
from orthanc_plugin.config.load import parsed, validated
from orthanc_plugin.config.recallterms import RecallTerms
from orthanc_plugin.policy.recalling import (
    ANSWER_WITHIN,
    IN_OUR_STEAD,
    KEY_DESTROYED,
    PUBLISHED,
    REMIND_EVERY,
    TITLES,
    Method,
    next_try,
)
from tests.contract.test_readme import reached

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "recall.md").read_text(encoding="utf-8")
CALLS = sorted({*re.findall(r"`(consentgate [a-z][^`]*)`", DOCUMENT), *re.findall(r"^consentgate .+", DOCUMENT, re.M)})
AT = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_document_names_every_command_of_a_recall() -> None:
    named = {reached(call)[0] for call in CALLS}
    group = main.get_command(click.Context(main), "recall")
    assert isinstance(group, click.Group)
    assert set(group.commands.values()) <= named


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    assert {word for word in rest if word.startswith("--")} <= {
        name for parameter in command.params for name in parameter.opts
    }


@pytest.mark.parametrize(("column", "words"), [("method", {*Method}), ("state", {*STATES})])
def test_every_word_of_a_recall_is_explained(column: str, words: set[str]) -> None:
    table = DOCUMENT.partition(f"| `{column}` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == words


def test_the_titles_times_and_reasons_are_the_program_s() -> None:
    for title in TITLES.values():
        assert title in DOCUMENT
    assert f"answered within {ANSWER_WITHIN.days} days, and every {REMIND_EVERY.days} days" in DOCUMENT
    assert f"tried again after {(next_try(1, AT) - AT).seconds // 60} minutes" in DOCUMENT
    assert f"`{PUBLISHED}`, or `{KEY_DESTROYED}`, or `{IN_OUR_STEAD}`" in DOCUMENT


def test_the_lines_for_policy_toml_are_ones_it_takes() -> None:
    text = DOCUMENT.partition("```toml\n")[2].partition("```")[0]
    (section,) = parsed(text.encode(), "policy.toml").values()
    assert isinstance(section, dict)
    terms = validated(RecallTerms, section, "policy.toml")
    assert terms.title is not None
    assert terms.reply_to
