"""``consentgate event``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

JOURNAL = {
    "id": "EVT-04",
    "description": "Publication withdrawn after the journal appeared and while a second proof is pending",
    "before": {
        "consent": "GIVEN",
        "image": "ACTIVE",
        "purposes": ["PUBLICATION"],
        "disclosures": [
            {"id": "D1", "to": "JOURNAL", "kind": "PUBLISHED", "form": "IDENTIFIABLE", "image": "IMG1", "under": "C1"},
            {"id": "D2", "to": "PUBLISHER", "kind": "EXPORT_FILE", "form": "IDENTIFIABLE", "under": "C1"},
        ],
    },
    "event": {"type": "WITHDRAW", "phase": "LATER"},
}
CAPTURE = {
    "id": "EVT-01",
    "before": {"consent": "GIVEN", "image": "CAPTURING", "purposes": ["DIRECT_CARE"], "disclosures": []},
    "event": {"type": "WITHDRAW", "phase": "DURING_CAPTURE"},
}
QUEUED = {
    "id": "EVT-05",
    "before": {"consent": "GIVEN", "image": "ACTIVE", "purposes": ["TEACHING"], "queue": ["JOB1:TEACH1"]},
    "event": {"type": "WITHDRAW", "phase": "LATER"},
}
KEYLESS = {
    "id": "EVT-18",
    "before": {
        "consent": "GIVEN",
        "purposes": ["RESEARCH"],
        "disclosures": [
            {"id": "D1", "kind": "EXPORT_FILE", "form": "ANONYMISED", "under": "C1", "key_destroyed": True},
        ],
    },
    "event": {"type": "WITHDRAW", "phase": "LATER"},
}


def answer(id_: str, image: str | None, *tasks: str) -> dict[str, object]:
    return {
        "id": id_,
        "consent": "WITHDRAWN",
        "image": image,
        "recalls": [task.partition(":")[2] for task in tasks if task.startswith("CONFIRM")],
        "not_recallable": [task.partition(":")[2] for task in tasks if task.startswith("TELL")],
        "tasks": list(tasks),
    }


EXPECTED = [
    answer("EVT-01", "DELETED_NOT_FILED"),
    answer("EVT-04", "ACTIVE", "CONFIRM_RECALL:D2", "TELL_PATIENT_NOT_RECALLABLE:D1"),
    answer("EVT-05", "ACTIVE"),
    answer("EVT-18", None, "TELL_PATIENT_NOT_RECALLABLE:D1"),
]


def test_a_list_of_cases_gives_a_list_of_outcomes(shell: Shell) -> None:
    result = shell("event", "--case", shell.put("c.json", json.dumps([CAPTURE, JOURNAL, QUEUED, KEYLESS])))
    assert (result.exit_code, result.stderr, json.loads(result.stdout)) == (0, "", EXPECTED)


@pytest.mark.parametrize(("case", "expected"), list(zip([CAPTURE, JOURNAL, QUEUED, KEYLESS], EXPECTED, strict=True)))
def test_one_case_gives_one_outcome(case: dict[str, object], expected: dict[str, object], shell: Shell) -> None:
    result = shell("event", "--case", "-", typed=json.dumps(case))
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)


def test_neither_settings_nor_a_registry_are_needed(shell: Shell) -> None:
    result = shell("event", "--case", "-", typed="[]", settings=Path("nowhere.toml"))
    assert (result.exit_code, result.stdout) == (0, "[]\n")


def unread(id_: str | None, consent: str | None, image: str | None) -> dict[str, object]:
    return {"id": id_, "consent": consent, "image": image, "recalls": [], "not_recallable": [], "tasks": []}


def test_a_case_that_can_t_be_read_changes_nothing_and_is_told_by_its_field(shell: Shell) -> None:
    unknown = {**CAPTURE, "event": {"type": "EARTHQUAKE"}}
    result = shell("event", "--case", shell.put("c.json", json.dumps(unknown)))
    assert (result.exit_code, json.loads(result.stdout)) == (1, unread("EVT-01", "GIVEN", "CAPTURING"))
    assert result.stderr.startswith("consentgate: case[0].event.type: expected one of WITHDRAW, REFUSE, DISTRESS")


def test_every_case_of_a_list_is_answered_in_its_place(shell: Shell) -> None:
    result = shell("event", "--case", "-", typed=json.dumps([CAPTURE, {"id": "X"}, QUEUED, 3]))
    answers = [EXPECTED[0], unread("X", None, None), EXPECTED[2], unread(None, None, None)]
    assert (result.exit_code, json.loads(result.stdout)) == (1, answers)
    assert result.stderr.splitlines() == [
        "consentgate: case[1].before: is missing",
        "consentgate: case[1].event: is missing",
        "consentgate: case[3]: expected an object",
        "consentgate: case[3].before: is missing",
        "consentgate: case[3].event: is missing",
        "consentgate: case[3].id: is missing",
    ]


def test_a_withdrawal_with_a_detail_that_can_t_be_read_counts_and_is_told(shell: Shell) -> None:
    result = shell(
        "event", "--case", "-", typed=json.dumps({**CAPTURE, "event": {"type": "WITHDRAW", "phase": "SOON"}})
    )
    assert (result.exit_code, json.loads(result.stdout)) == (1, EXPECTED[0])
    assert result.stderr.startswith("consentgate: case[0].event.phase: expected one of DURING_CAPTURE")


def test_what_is_written_twice_is_told_and_a_withdrawal_in_it_counts(shell: Shell) -> None:
    twice = json.dumps(CAPTURE).replace('"image":', '"image": "ACTIVE", "image":')
    result = shell("event", "--case", "-", typed=twice)
    assert (result.exit_code, json.loads(result.stdout)) == (1, EXPECTED[0])
    assert result.stderr.startswith("consentgate: case[0].before.image: is written more than once")
    died = {**CAPTURE, "event": {"type": "DEATH"}}
    result = shell(
        "event", "--case", "-", typed=json.dumps(died).replace('"consent":', '"consent": "NONE", "consent":')
    )
    assert (result.exit_code, json.loads(result.stdout)) == (1, unread("EVT-01", "GIVEN", "CAPTURING"))


def test_half_a_character_is_answered_as_it_was_written(shell: Shell) -> None:
    result = shell("event", "--case", "-", typed=json.dumps({**CAPTURE, "id": "\ud800"}))
    assert (result.exit_code, json.loads(result.stdout)["id"]) == (0, "\ud800")


@pytest.mark.parametrize("text", ["", "{", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "[" * 100_000])
def test_what_is_no_json_is_told(text: str, shell: Shell) -> None:
    assert "The cases can't be read" in shell.fails("event", "--case", shell.put("c.json", text), code=2)


def test_a_missing_file_is_told(shell: Shell) -> None:
    assert "The cases can't be read" in shell.fails("event", "--case", "missing.json", code=2)


def test_without_a_file_it_is_a_wrong_call(shell: Shell) -> None:
    assert "Usage:" in shell.fails("event", code=2)
