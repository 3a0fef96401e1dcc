"""``consentgate retention due``: what is doubled, nameless or contradictory in a case is answered so, in words."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_retention import CASE, asked, inputs

TEXT = json.dumps(CASE)
UNRESOLVED = {"status": "UNRESOLVED", "governing_rule": None, "due_date": None, "proposable_from": None}


@pytest.mark.parametrize("name", ["", "  "])
def test_a_case_without_a_name_is_refused_and_answered_by_its_place(name: str, shell: Shell) -> None:
    code, answer, said = asked(shell, id=name)
    assert (code, answer) == (1, {"id": "case[0]", **UNRESOLVED})
    assert "case[0].id: expected a name" in said


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (TEXT.replace('"contacts": ', '"contacts": ["2026-01-01"], "contacts": '), "case[0].inputs.contacts"),
        (TEXT.replace('"as_of": ', '"as_of": "2020-01-01", "as_of": '), "case[0].as_of"),
        (TEXT.replace('"rounding": ', '"rounding": "exact", "rounding": '), "case[0].policy.rounding"),
        (TEXT.replace('"holds": []', '"holds": [{"kind": "COMPLAINT", "kind": "X"}]'), "case[0].inputs.holds[0].kind"),
        (TEXT.replace('"id": ', '"id": "RET-0", "id": '), "case[0].id"),
    ],
)
def test_a_field_that_is_written_twice_is_refused_by_its_place(text: str, place: str, shell: Shell) -> None:
    result = shell("retention", "due", "--case", "-", typed=text)
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"id": CASE["id"], **UNRESOLVED})
    assert f"{place}: is written more than once" in result.stderr
    assert "docs/retention.md" in result.stderr


def test_a_doubled_field_of_one_case_leaves_the_others_their_answers(shell: Shell) -> None:
    doubled = TEXT.replace('"contacts": ', '"contacts": [], "contacts": ')
    result = shell("retention", "due", "--case", "-", typed=f"[{TEXT}, {doubled}]")
    assert [each["status"] for each in json.loads(result.stdout)] == ["RETAIN", "UNRESOLVED"]
    assert "case[1].inputs.contacts: is written more than once" in result.stderr


def test_fields_that_are_nested_deeply_are_no_failure(shell: Shell) -> None:
    deep = "[" * 900 + "]" * 900
    result = shell("retention", "due", "--case", "-", typed=TEXT.replace('"holds": []', f'"holds": {deep}'))
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (1, "UNRESOLVED")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"death_date": "2001-01-01"}, "death_date", "the birth or the death before it"),
        ({"contacts": ["2001-01-01"]}, "contacts", "the birth or the contact before it"),
    ],
)
def test_facts_that_contradict_themselves_are_unresolved_and_their_field_is_named(
    changes: dict[str, object], field: str, words: str, shell: Shell
) -> None:
    code, answer, said = asked(shell, inputs=inputs(**changes))
    assert (code, answer) == (0, {"id": CASE["id"], **UNRESOLVED})
    assert f"case[0].inputs.{field}: not known: " in said
    assert words in said
    explained = shell(
        "retention", "due", "--case", "-", "--explain", typed=json.dumps({**CASE, "inputs": inputs(**changes)})
    )
    assert words in explained.stdout
    assert "To do: COMPLETE_RETENTION_FACTS." in explained.stdout
