"""The interfaces that others call with cases: sample cases in, the expected answers out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orthanc_plugin.cli.main import main

DATA = Path(__file__).parents[1] / "data"
Case = dict[str, object]


def cases(name: str) -> list[Case]:
    found: list[Case] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def called(command: str, value: object, folder: Path) -> object:
    """Return what a command, such as ``retention due``, answers to cases."""
    file = folder / "cases.json"
    file.write_text(json.dumps(value), encoding="utf-8")
    result = CliRunner().invoke(main, [*command.split(), "--case", str(file)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize("case", cases("consent_cases"), ids=lambda case: case["id"])
def test_a_sample_case_is_decided_as_expected(case: Case, tmp_path: Path) -> None:
    expected = case["expected"]
    assert isinstance(expected, dict)
    answer = called("decide", case, tmp_path)
    assert isinstance(answer, dict)
    assert (answer["id"], answer["decision"]) == (case["id"], expected["decision"])
    assert set(expected["obligations"]) <= set(answer["obligations"])
    assert all(answer[key] for key in ("reasons", "rules"))


def test_a_list_of_a_thousand_cases_is_answered_in_one_call_and_in_its_order(tmp_path: Path) -> None:
    samples = cases("consent_cases")
    many = [{**samples[number % len(samples)], "id": f"N-{number}"} for number in range(1000)]
    answers = called("decide", many, tmp_path)
    assert isinstance(answers, list)
    assert [answer["id"] for answer in answers] == [f"N-{number}" for number in range(1000)]
    by_sample = {case["id"]: case["expected"]["decision"] for case in samples}  # type: ignore[index]
    assert [answer["decision"] for answer in answers[: len(samples)]] == list(by_sample.values())


@pytest.mark.parametrize("command", ["decide", "event", "retention due"])
def test_a_file_that_an_editor_marked_as_utf_8_is_read(command: str, tmp_path: Path) -> None:
    case = cases({"decide": "consent_cases", "event": "event_cases"}.get(command, "retention_cases"))[0]
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case), encoding="utf-8-sig")
    result = CliRunner().invoke(main, [*command.split(), "--case", str(file)], catch_exceptions=False)
    assert (result.exit_code, json.loads(result.stdout)["id"]) == (0, case["id"])


@pytest.mark.parametrize("case", cases("event_cases"), ids=lambda case: case["id"])
def test_what_follows_from_a_sample_event_is_as_expected(case: Case, tmp_path: Path) -> None:
    expected = case["expected"]
    assert isinstance(expected, dict)
    answer = called("event", {key: value for key, value in case.items() if key != "expected"}, tmp_path)
    assert isinstance(answer, dict)
    assert list(answer) == ["id", "consent", "image", "recalls", "not_recallable", "tasks"]
    compared = [key for key in answer if key in expected]
    assert {key: answer[key] for key in compared} == {key: expected[key] for key in compared}


@pytest.mark.parametrize("case", cases("retention_cases"), ids=lambda case: case["id"])
def test_a_sample_record_is_due_as_expected(case: Case, tmp_path: Path) -> None:
    expected = case["expected"]
    assert isinstance(expected, dict)
    answer = called("retention due", {key: value for key, value in case.items() if key != "expected"}, tmp_path)
    assert answer == {"id": case["id"], **expected}


def test_a_list_of_records_is_answered_in_its_order(tmp_path: Path) -> None:
    samples = cases("retention_cases")
    answers = called("retention due", samples, tmp_path)
    assert answers == [{"id": case["id"], **case["expected"]} for case in samples]  # type: ignore[dict-item]
