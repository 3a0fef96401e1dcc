"""``consentgate consent add | list | withdraw``."""

from __future__ import annotations

import json

import pytest

from dicomwrap.consentfile import as_mapping
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.registry.stopping import WORDS
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, consent
from tests.unit.cli.conftest import Shell


def filed(shell: Shell, **changes: object) -> str:
    return str(shell.put("consent.json", json.dumps(as_mapping(consent(CARE, TEACHING, **changes)))))


def test_a_consent_is_recorded_with_who_did_it(shell: Shell) -> None:
    result = shell("consent", "add", filed(shell), "--by", "nurse")
    assert (result.exit_code, result.stdout) == (0, f"Recorded consent {CONSENT_ID}, version 1, GIVEN.\n")
    (recorded,) = shell.world.consents()
    assert recorded.recorded_by == "nurse"
    entry = shell.world.trail()[-1]
    assert (entry["actor"], entry["effect"], entry["subject"]) == ("nurse", "RECORDED_GIVEN", CONSENT_ID)
    assert verify(shell.world.services.trail.entries()).whole


def test_the_answer_in_json_is_the_record(shell: Shell) -> None:
    result = shell("consent", "add", filed(shell), "--by", "nurse", "--json")
    answer = json.loads(result.stdout)
    assert "check the spelling" in result.stderr
    assert (answer["id"], answer["version"], answer["state"]) == (CONSENT_ID, 1, "GIVEN")


def test_a_birth_date_comes_along(shell: Shell) -> None:
    shell("consent", "add", filed(shell), "--by", "nurse", "--birth-date", "1980-06-15")
    assert shell.world.sql("SELECT patient_id, birth_date FROM patients") == [("P1", "1980-06-15")]


def test_a_list_has_the_newest_version_of_each(shell: Shell) -> None:
    assert shell("consent", "list").stderr == "No consent is on record.\n"
    shell("consent", "add", filed(shell), "--by", "nurse")
    shell("consent", "add", filed(shell, id="urn:x:2", patient_id="P2"), "--by", "nurse")
    shell("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--by", "nurse")
    rows = shell.json("consent", "list")
    assert {row["consent"]: (row["version"], row["withdrawn"]) for row in rows} == {
        CONSENT_ID: (2, ["TEACHING (2026-11-22)"]),
        "urn:x:2": (1, []),
    }
    assert [row["consent"] for row in shell.json("consent", "list", "--patient-id", "P2")] == ["urn:x:2"]
    header, *lines = shell("consent", "list").stdout.splitlines()
    assert header.split("\t")[:4] == ["consent", "version", "patient", "state"]
    assert len(lines) == 2
    assert "DIRECT_CARE (IDENTIFIABLE); TEACHING (ANONYMISED)" in lines[0]


def test_a_withdrawal_says_what_is_gone(shell: Shell) -> None:
    shell("consent", "add", filed(shell), "--by", "nurse")
    result = shell("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--by", "nurse")
    assert result.stdout == "Withdrawn: TEACHING. No release under it begins from now on (version 2).\n"
    assert shell.json("consent", "withdraw", CONSENT_ID, "--by", "nurse")["state"] == "WITHDRAWN"
    assert [entry["effect"] for entry in shell.world.trail()] == ["RECORDED_GIVEN", "WITHDRAWN", "WITHDRAWN"]


def test_each_use_is_listed_with_the_day_on_which_it_was_withdrawn(shell: Shell) -> None:
    shell("consent", "add", filed(shell), "--by", "nurse")
    shell("consent", "withdraw", CONSENT_ID, "--purpose", "TEACHING", "--on", "2025-04-01", "--by", "nurse")
    shell("consent", "withdraw", CONSENT_ID, "--on", "2025-05-01", "--by", "nurse")
    teaching, care = "TEACHING (2025-04-01)", "DIRECT_CARE (2025-05-01)"
    listed = [row["withdrawn"] for row in shell.json("consent", "history", CONSENT_ID)]
    assert listed == [[], [teaching], [teaching, care]]
    shown = shell.json("consent", "show", CONSENT_ID)
    assert shown["withdrawn"] == [
        {"purpose": "TEACHING", "on": "2025-04-01"},
        {"purpose": "DIRECT_CARE", "on": "2025-05-01"},
    ]
    assert shown["today"] == ["DIRECT_CARE: WITHDRAWN", "TEACHING: WITHDRAWN"]


def test_a_group_of_purposes_can_be_withdrawn_on_a_day(shell: Shell) -> None:
    shell("consent", "add", filed(shell), "--by", "nurse")
    answer = shell.json(
        "consent", "withdraw", CONSENT_ID, "--purpose", "ALL_SECONDARY", "--on", "2025-04-01", "--by", "nurse"
    )
    assert (answer["withdrawn_purposes"], answer["withdrawn_on"]) == (["TEACHING"], "2025-04-01")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ("[]", "must be one JSON object"),
        ("{}", "id"),
        (json.dumps(as_mapping(consent(explained=[], evidence=None))), "explained: STORAGE, USE, WHY"),
        (json.dumps({**as_mapping(consent()), "max_form": "ANY"}), "max_form"),
        (json.dumps({**as_mapping(consent()), "wish": 1}), "wish"),
    ],
)
def test_a_consent_that_can_t_be_recorded_says_why_and_leaves_no_trace(text: str, words: str, shell: Shell) -> None:
    said = shell.fails("consent", "add", shell.put("c.json", text), "--by", "nurse")
    assert said.startswith("consentgate: ")
    assert words in said
    assert (shell.world.consents(), shell.world.trail()) == ([], [])


def test_the_same_consent_twice_is_told(shell: Shell) -> None:
    path = filed(shell)
    shell("consent", "add", path, "--by", "nurse")
    assert "Give the new decision an id of its own." in shell.fails("consent", "add", path, "--by", "nurse")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("consent", "add", "missing.json", "--by", "n"), "readable JSON file"),
        (("consent", "withdraw", "urn:x:none", "--by", "n"), "consentgate consent list"),
        (("consent", "withdraw", CONSENT_ID, "--on", "2020-01-01", "--by", "n"), "It was given on 2025-03-01."),
        (("consent", "withdraw", CONSENT_ID, "--purpose", "RESEARCH", "--by", "n"), "It covers: DIRECT_CARE, TEACHING"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    shell.world.record(consent(CARE, TEACHING))
    assert words in shell.fails(*arguments)
    assert len(shell.world.consents()) == 1


def test_a_file_that_is_no_text_is_told(shell: Shell) -> None:
    path = shell.world.folder / "c.json"
    path.write_bytes(b"\xff\xfe")
    assert "can't be read" in shell.fails("consent", "add", path, "--by", "nurse")


@pytest.mark.parametrize("arguments", [("add", "c.json"), ("withdraw", "id"), ("withdraw", "id", "--purpose", "FUN")])
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], shell: Shell) -> None:
    assert "Usage:" in shell.fails("consent", *arguments, code=2)


def test_what_can_t_be_written_to_the_trail_is_not_recorded(shell: Shell) -> None:
    shell.world.stop_the_trail()
    assert "registry can't be written" in shell.fails("consent", "add", filed(shell), "--by", "nurse")
    assert shell.world.consents() == []


def test_a_withdrawal_that_a_sender_keeps_waiting_too_long_stands_and_says_what_was_about_to_leave(
    shell: Shell,
) -> None:
    shell.world.file(CARE)
    with shell.world.services.database.leaving():
        result = shell("consent", "withdraw", CONSENT_ID, "--by", "nurse")
    assert (result.exit_code, result.stderr) == (0, f"consentgate: {WORDS}\n")
    assert result.stdout.startswith("Withdrawn: everything.")
    assert shell("consent", "list").stderr == ""
