"""What docs/reviews.md tells reviewers to type, the checklist it gives and the defaults it names are the program's."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from orthanc_plugin.cli.main import main
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.reviewing import Reviewing
from orthanc_plugin.policy.reviewing import ITEMS
from tests.contract.test_readme import reached

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "reviews.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^(consentgate review .*)$", DOCUMENT, re.MULTILINE)


def rows(heading: str) -> list[tuple[str, str]]:
    """Return the first two cells of each row of the first table after a heading."""
    table = DOCUMENT.partition(heading)[2].partition("\n\n|")[2].partition("\n\n")[0]
    return re.findall(r"^\|? `([^`]+)` \| ([^|]+) \|", table, re.MULTILINE)


def test_the_checklist_is_the_program_s() -> None:
    assert rows("## The checklist") == list(ITEMS.items())


def test_every_step_is_documented() -> None:
    group = main.get_command(click.Context(main), "review")
    assert isinstance(group, click.Group)
    assert [name for name, _ in rows("# Reviews")] == list(group.commands)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.strip("[]") for word in rest if word.strip("[]").startswith("--")} <= known
    needed = {max(each.opts) for each in command.params if isinstance(each, click.Option) and each.required}
    assert needed <= set(call.split())


def test_the_default_policy_says_what_holds_when_it_says_nothing() -> None:
    shipped = load_policy(ROOT / "orthanc_plugin" / "cli" / "defaults" / "policy.toml").review
    assert shipped == Reviewing()
    assert shipped.second_person
