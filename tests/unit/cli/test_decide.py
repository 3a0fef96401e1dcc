"""``consentgate decide``: cases in, answers out; a picture of the registry as a dry run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orthanc_plugin.cli.main import main
from tests.fakes.pictures import CARE, TEACHING, UID
from tests.unit.cli.conftest import Shell

CASE: dict[str, Any] = {
    "id": "case-1",
    "patient": {
        "id": "P1",
        "dob": "1980-06-15",
        "death_date": None,
        "capacity": "HAS",
        "gillick": "NA",
        "national_data_opt_out": False,
    },
    "image": {
        "id": "I1",
        "type": "CLINICAL_PHOTO",
        "made_on": "2026-03-01",
        "made_for": "CARE",
        "source": "DEPARTMENT",
        "shows": [],
        "anonymisable": "YES",
        "intimate": False,
        "covert": False,
        "familial": False,
        "legacy": False,
        "status": "ACTIVE",
    },
    "consents": [
        {
            "id": "C1",
            "level": "PATIENT",
            "state": "GIVEN",
            "giver": {"type": "PATIENT", "id": "P1", "competent_at_decision": "YES"},
            "decided_on": "2026-03-01",
            "valid_from": "2026-03-01",
            "valid_to": None,
            "withdrawn_on": None,
            "withdrawn_purposes": None,
            "purposes": ["DIRECT_CARE"],
            "max_form": "IDENTIFIABLE",
            "audience": ["CARE_TEAM"],
            "named_recipients": None,
            "named_publication": None,
            "tests": None,
            "evidence": "SIGNED_FORM",
        }
    ],
    "authorities": [],
    "policy": {"anonymised_secondary_use_of_care_photographs": "REQUIRE_CONSENT"},
    "request": {
        "as_of": "2026-11-20",
        "purpose": "DIRECT_CARE",
        "recipient": {"type": "CARE_TEAM", "id": "team", "verified": True, "approved_channel": True},
        "identifiable": True,
        "content": "PIXELS",
        "break_glass": None,
    },
}


def decide(value: object) -> Result:
    """Run ``decide --case -`` in a folder that has no configuration at all."""
    text = value if isinstance(value, str) else json.dumps(value)
    result = CliRunner().invoke(main, ["decide", "--case", "-"], input=text, catch_exceptions=False)
    assert "Traceback" not in result.output
    return result


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTGATE_SETTINGS", raising=False)


def without(*path: str) -> dict[str, Any]:
    case = json.loads(json.dumps(CASE))
    inner = case
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    found: dict[str, Any] = case
    return found


def test_one_case_gives_one_object() -> None:
    result = decide(CASE)
    answer = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(answer) == {"id", "decision", "obligations", "reasons", "rules"}
    assert (answer["id"], answer["decision"]) == ("case-1", "PERMIT_IDENTIFIABLE")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps(CASE).replace('"state":', '"state": "REFUSED", "state":'), "case[0].consents[0].state: is written"),
        (json.dumps(CASE)[:-1] + ', "id": "case-2"}', "case[0].id: is written more than once"),
        (json.dumps({**CASE, "id": ""}), "case[0].id: is empty"),
        (json.dumps({**CASE, "id": " "}), "case[0].id: is empty"),
    ],
)
def test_what_is_written_twice_or_has_no_name_is_denied_and_told(text: str, problem: str) -> None:
    result = decide(text)
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["decision"], answer["rules"]) == (1, "DENY", ["R0.case"])
    assert answer["id"] in ("case-1", "case-2", "case[0]")
    assert problem in result.stderr


def test_half_a_character_is_answered_as_it_was_written() -> None:
    result = decide({**CASE, "id": "\ud800"})
    assert (result.exit_code, json.loads(result.stdout)["id"]) == (0, "\ud800")


def test_what_is_nested_without_end_is_told() -> None:
    result = decide("[" * 100_000)
    assert (result.exit_code, "The cases can't be read" in result.stderr) == (2, True)


def test_a_list_gives_a_list_in_the_same_order() -> None:
    denied = {**CASE, "id": "case-2", "consents": []}
    result = decide([CASE, denied, {**CASE, "id": "case-3"}])
    answers = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [answer["id"] for answer in answers] == ["case-1", "case-2", "case-3"]
    assert answers[1]["decision"] != "PERMIT_IDENTIFIABLE"
    assert json.loads(decide([]).stdout) == []
    assert [answer["id"] for answer in json.loads(decide([CASE]).stdout)] == ["case-1"]


@pytest.mark.parametrize(
    "case",
    [
        without("request"),
        without("patient"),
        without("consents"),
        without("request", "recipient"),
        {**CASE, "consents": "none"},
        {**CASE, "consents": [5]},
        {**CASE, "image": {**CASE["image"], "status": "NONSENSE"}},
        {**CASE, "request": {**CASE["request"], "as_of": "yesterday"}},
        {**CASE, "request": {**CASE["request"], "identifiable": "yes"}},
        5,
        None,
        "case",
        {},
    ],
)
def test_a_case_that_can_t_be_read_is_denied_with_what_is_wrong(case: object) -> None:
    result = decide(json.dumps(case))
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (answer["decision"], answer["rules"], answer["obligations"]) == ("DENY", ["R0.case"], [])
    assert answer["reasons"]
    assert all(f"consentgate: {reason}" in result.stderr for reason in answer["reasons"])


def test_among_good_cases_only_the_bad_one_is_unreadable() -> None:
    result = decide([CASE, without("request", "as_of"), {"no": "id"}])
    answers = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [answer["rules"] == ["R0.case"] for answer in answers] == [False, True, True]
    assert [answer["id"] for answer in answers] == ["case-1", "case-1", "case[2]"]


@pytest.mark.parametrize("text", ["", "{", "no JSON", "\x00", "[" * 10])
def test_what_is_no_json_ends_in_two(text: str) -> None:
    result = decide(text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("consentgate: The cases can't be read")


def test_a_file_of_cases_is_read_and_a_missing_one_told(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps(CASE))
    ran = CliRunner().invoke(main, ["decide", "--case", "case.json", "--json"], catch_exceptions=False)
    assert json.loads(ran.stdout)["decision"] == "PERMIT_IDENTIFIABLE"
    assert CliRunner().invoke(main, ["decide", "--case", "missing.json"], catch_exceptions=False).exit_code == 2
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    assert CliRunner().invoke(main, ["decide", "--case", "binary.json"], catch_exceptions=False).exit_code == 2


@pytest.mark.parametrize("arguments", [(), ("--image", UID), ("--case", "-", "--image", UID), ("--recipient", "derm")])
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["decide", *arguments], input=json.dumps(CASE), catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_dry_run_is_told_in_words(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    said = shell("decide", "--image", UID, "--recipient", "teaching-archive").stdout
    assert "asked for the picture for teaching" in said
    assert "Have a named person check" in said


def test_a_dry_run_on_a_picture_of_the_registry_records_nothing(shell: Shell) -> None:
    shell.world.file(CARE, TEACHING)
    before = shell.world.trail()
    answers = [
        shell.json("decide", "--image", UID, "--recipient", name)
        for name in ("derm", "workstation", "teaching-archive")
    ]
    assert [answer["decision"] for answer in answers] == [
        "PERMIT_IDENTIFIABLE",
        "PERMIT_IDENTIFIABLE",
        "NEEDS_REVIEW",
    ]
    assert (shell.world.trail(), shell.world.tasks()) == (before, [])


def test_a_dry_run_on_what_is_not_there_is_told(shell: Shell) -> None:
    shell.world.file(CARE)
    assert "It has: camera, workstation" in shell.fails("decide", "--image", UID, "--recipient", "nobody")
    assert "not known to the registry" in shell.fails("decide", "--image", "2.25.9", "--recipient", "derm")
