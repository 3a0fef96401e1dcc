"""What docs/routes.md has people write and type is what the program takes, and its tables are the program's."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
from click import Option

from dicomwrap.terms import Form
from orthanc_plugin.config.bindings import Binding, Destination, DicomNode, Recall
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.recipients import Kind, Recipient
from orthanc_plugin.config.routes import MOST, RouteChoice
from orthanc_plugin.enforcement.recipients import SOON
from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.routing import BY_ITSELF, Trigger, matching
from orthanc_plugin.policy.routingcases import SAID, parse_routed
from orthanc_plugin.sending.destinations import EXPIRED, NOT_SECURE
from tests.contract.test_readme import reached
from tests.fakes.world import START
from tests.unit.cli.test_decide import CASE
from tests.unit.config.test_policyfile import STATED

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "routes.md").read_text(encoding="utf-8")
DEFAULTS = ROOT / "orthanc_plugin" / "cli" / "defaults" / "policy.toml"
CALLS = sorted(set(re.findall(r"(consentgate route [^`\n]*)", DOCUMENT)))
TOML = "".join(re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL))


def keys(heading: str) -> set[str]:
    """Return what the first cells of the first table after a heading name."""
    table = DOCUMENT.partition(f"\n{heading}\n")[2].partition("\n|---")[2].partition("\n\n")[0]
    return {
        word for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for word in re.findall(r"`(\w+)`", cell)
    }


def documented(tmp_path: Path) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(STATED + TOML + '[profiles.teaching]\npseudonym_domain = "teaching"\n')
    return load_policy(path)


def test_every_sample_is_a_policy_that_the_program_takes(tmp_path: Path) -> None:
    policy = documented(tmp_path)
    assert {each.name for each in policy.destinations} == {"teaching-store", "research-store", "court-medium"}
    assert [each.name for each in policy.routes] == ["hands-for-teaching", "asked-for-research"]
    assert all(each.form is Form.ANONYMISED for each in policy.destinations if each.profile)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_the_document_is_one_the_program_takes(call: str) -> None:
    command, rest = reached(call)
    known = {name for parameter in command.params if isinstance(parameter, Option) for name in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_the_document_has_calls() -> None:
    assert len(CALLS) >= 3


def test_every_key_of_a_recipient_is_documented() -> None:
    said = {each.name for each in (*fields(Recipient), *fields(DicomNode))}
    bound = {each.name for each in fields(Binding)} | {"aet", "host", "may"}
    assert keys("## Recipients") == said - bound
    assert {each.name for each in fields(Destination)} - bound <= keys("## Recipients")


def test_every_key_of_a_route_is_documented() -> None:
    assert keys("## Routes") == {each.name for each in fields(RouteChoice)}


def test_every_trigger_is_documented_and_what_is_left_out_is_all_but_key_objects() -> None:
    assert {f"`{each}`" for each in Trigger} == set(re.findall(r"^\| (`[A-Z_]+`) \| [A-Z]", DOCUMENT, re.MULTILINE))
    assert frozenset(Trigger) - BY_ITSELF == {Trigger.KEY_OBJECT}


def test_the_words_and_numbers_of_the_document_are_the_program_s() -> None:
    assert keys("## What is refused, whatever the picture") == {EXPIRED, NOT_SECURE, "UNKNOWN_AE"}
    assert f"{SOON.days} days before" in DOCUMENT
    assert f"From -{MOST} to {MOST}" in DOCUMENT
    assert all(f'"{kind}"' in DOCUMENT for kind in Kind)
    assert all(f"`{how}`" in DOCUMENT for how in Recall)


def test_the_sample_case_is_one_the_program_takes_and_the_first_route_matches_it(tmp_path: Path) -> None:
    sample = json.loads(DOCUMENT.partition("```json\n")[2].partition("```")[0])
    assert sample["routing"].keys() == set(SAID)
    value = {**CASE, **sample}
    picture = parse_routed(value, parse_case(value))
    assert [found.matches for found in matching(documented(tmp_path).routes, picture, START)] == [True, False]


def test_the_commented_lines_of_the_default_policy_are_taken_once_they_count(tmp_path: Path) -> None:
    text = DEFAULTS.read_text(encoding="utf-8")
    sample = re.findall(r"^#   (\[exports\]\n(?:#.*\n)+)", text, re.MULTILINE)
    sample += re.findall(r"^#   (\[\[routes\]\]\n(?:#   .*\n)+)", text, re.MULTILINE)
    lines = "\n".join(sample).replace("#   ", "")
    path = tmp_path / "policy.toml"
    path.write_text(text + "\n" + lines)
    policy = load_policy(path)
    assert [each.name for each in policy.recipients] == ["research-store"]
    assert [each.name for each in policy.routes] == ["hands-for-teaching"]
    assert policy.exports.allowed
    assert all(each.owner for each in policy.destinations)
