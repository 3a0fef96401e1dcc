"""``consentgate form list | fill``, with the form that ``consentgate init`` writes."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from dicomwrap.consentfile import read_consent
from tests.unit.cli.conftest import Shell

DEFAULTS = files("orthanc_plugin.cli").joinpath("defaults", "policy.toml").read_text(encoding="utf-8")
SIGNED = (
    *("--patient-id", "P1", "--giver", "PATIENT", "--evidence", "SIGNED_FORM", "--decided-on", "2025-03-01"),
    *(word for item in ("WHY", "USE", "AUDIENCE", "STORAGE", "RETENTION") for word in ("--explained", item)),
    *("--discussion-note", "Talked through.", "--discussion-author", "clinic", "--competent", "YES"),
)
PUBLISHED = ("--publication", "BMJ 2026", "--explained", "PUBLICATION_IS_FINAL", "--explained", "TRANSMISSION")


@pytest.fixture
def desk(shell: Shell) -> Shell:
    """Give a command line whose policy has the form in three levels."""
    policy = shell.world.folder / "policy.toml"
    policy.write_text(f"{policy.read_text()}\n[forms.IMI]{DEFAULTS.partition('[forms.IMI]')[2]}")
    return shell


def test_the_forms_of_the_hospital_are_listed_with_what_each_level_agrees_to(desk: Shell) -> None:
    rows = desk.json("form", "list")
    assert [(row["form"], row["level"]) for row in rows] == [("IMI", "1"), ("IMI", "2"), ("IMI", "3")]
    assert rows[0]["agrees_to"] == ["DIRECT_CARE (IDENTIFIABLE to CARE_TEAM)"]
    assert rows[2]["agrees_to"][2] == "PUBLICATION (ANONYMISED to JOURNAL, named)"


def test_a_hospital_without_forms_is_told_so(shell: Shell) -> None:
    assert shell("form", "list").stderr == "policy.toml has no form.\n"


def test_levels_that_narrow_are_noted(desk: Shell) -> None:
    policy = desk.world.folder / "policy.toml"
    policy.write_text(policy.read_text().replace('{ purpose = "TEACHING"', '{ purpose = "RESEARCH"', 1))
    assert desk("form", "list").stderr == "note: form IMI: level 3 leaves out RESEARCH, which level 2 has.\n"


@pytest.mark.parametrize(
    ("level", "more", "purposes"),
    [
        ("1", (), ["DIRECT_CARE"]),
        ("2", (), ["DIRECT_CARE", "TEACHING"]),
        ("3", PUBLISHED, ["DIRECT_CARE", "TEACHING", "PUBLICATION"]),
    ],
)
def test_a_level_filled_in_is_a_consent_ready_to_be_added(
    level: str, more: tuple[str, ...], purposes: list[str], desk: Shell
) -> None:
    result = desk("form", "fill", "IMI", level, *SIGNED, *more)
    assert (result.exit_code, result.stderr) == (0, "")
    record = read_consent(result.stdout)
    assert [scope.purpose for scope in record.scopes] == purposes
    added = desk("consent", "add", desk.put("c.json", result.stdout), "--by", "nurse")
    assert added.stdout == f"Recorded consent {record.id}, version 1, GIVEN.\n"


def test_filling_in_and_adding_is_one_step_with_add(desk: Shell) -> None:
    answer = desk.json("form", "fill", "IMI", "2", *SIGNED, "--birth-date", "1980-06-15", "--add", "--by", "nurse")
    (recorded,) = desk.world.consents()
    assert (recorded.record.id, recorded.recorded_by, answer["state"]) == (answer["id"], "nurse", "GIVEN")
    assert desk.world.sql("SELECT birth_date FROM patients") == [("1980-06-15",)]
    assert [entry["effect"] for entry in desk.world.trail()] == ["RECORDED_GIVEN"]


def test_a_patient_who_says_no_is_recorded_as_refusing_all_that_the_level_names(desk: Shell) -> None:
    desk(
        "form",
        "fill",
        "IMI",
        "2",
        "--patient-id",
        "P1",
        "--giver",
        "PATIENT",
        "--state",
        "REFUSED",
        "--add",
        "--by",
        "n",
    )
    (recorded,) = desk.world.consents()
    assert (recorded.record.state, len(recorded.record.scopes)) == ("REFUSED", 2)


def test_what_is_still_missing_is_told_beside_the_consent(desk: Shell) -> None:
    result = desk("form", "fill", "IMI", "1", "--patient-id", "P1", "--giver", "PATIENT")
    assert json.loads(result.stdout)["patient_id"] == "P1"
    assert "note: explained: STORAGE, USE, WHY not ticked" in result.stderr
    assert "note: evidence: say how the decision is evidenced" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("OTHER", "1", *SIGNED), "no form 'OTHER'; it has: IMI"),
        (("IMI", "4", *SIGNED), "no level '4'; it has: 1, 2, 3"),
        (("IMI", "3", *SIGNED), "publication: is missing"),
        (("IMI", "1", *SIGNED, "--publication", "BMJ"), "publication: must be empty"),
        (("IMI", "1", *SIGNED, "--decided-on", "01/02/2026"), "decided_on: must be a date that exists, as YYYY-MM-DD"),
        (("IMI", "1", "--patient-id", "P1"), "giver: is missing"),
        (("IMI", "1", *SIGNED, "--add", "--by", "n", "--birth-date", "1980"), "birth_date: must be a date that exists"),
        (("IMI", "2", "--patient-id", "P1", "--giver", "PATIENT", "--add", "--by", "n"), "explained: AUDIENCE"),
    ],
)
def test_what_can_t_be_filled_in_is_told_and_nothing_is_recorded(
    arguments: tuple[str, ...], words: str, desk: Shell
) -> None:
    assert words in desk.fails("form", "fill", *arguments)
    assert (desk.world.consents(), desk.world.trail()) == ([], [])


def test_adding_needs_a_name(desk: Shell) -> None:
    assert "--by" in desk.fails("form", "fill", "IMI", "1", *SIGNED, "--add", code=2)
