"""``consentgate hold place | lift | list``."""

from __future__ import annotations

import pytest

from tests.fakes.pictures import CARE
from tests.fakes.records import activate
from tests.unit.cli.conftest import Shell

SAID = ("--authority", "court", "--reason", "claim 12", "--review-on", "2099-06-01", "--by", "lawyer")
PLACE = ("hold", "place", "--kind", "LITIGATION", *SAID)
LIFT = ("--authority", "court", "--reason", "settled")


def place(shell: Shell, *more: str) -> dict[str, object]:
    found: dict[str, object] = shell.json(*PLACE, "--not-on-record", *more)
    return found


def test_a_hold_is_placed_listed_and_lifted_by_somebody_else(shell: Shell) -> None:
    placed = str(place(shell, "--patient", "P1", "--patient", "P2")["hold"])
    (row,) = shell.json("hold", "list")
    assert (row["state"], row["patients"], row["review_on"]) == ("STANDS", ["P1", "P2"], "2099-06-01")
    assert "can't lift it" in shell.fails("hold", "lift", placed, *LIFT, "--by", "LAWYER")
    assert shell("hold", "lift", placed, *LIFT, "--by", "derm").stdout.startswith("Lifted")
    assert shell("hold", "list").stderr == "No hold stands.\n"
    (row,) = shell.json("hold", "list", "--all")
    assert (row["state"], row["lifted_by"], row["lift_reason"]) == ("LIFTED", "derm", "settled")
    assert "lifted already" in shell.fails("hold", "lift", placed, *LIFT, "--by", "derm")
    trail = [(entry["effect"], entry["subject"], entry["actor"]) for entry in shell.world.trail()]
    assert trail == [("HOLD_PLACED", placed, "lawyer"), ("HOLD_LIFTED", placed, "derm")]
    assert "P1" not in str(shell.world.trail())
    assert shell("audit", "verify").exit_code == 0


def test_a_hold_on_a_population_says_whom_it_reaches(shell: Shell) -> None:
    conditions = ("--years", "1970-1991", "--department", "Haematology", "--blood-product", "FACTOR_VIII")
    placed = place(shell, *conditions, "--department", "Renal", "--procedure", "TRANSFUSION", "--category", "CANCER")
    assert placed["population"] == [
        "years 1970-1991",
        "department Haematology or Renal",
        "procedure TRANSFUSION",
        "blood product FACTOR_VIII",
        "category CANCER",
    ]
    assert place(shell, "--years", "1985")["population"] == ["years 1985-1985"]


def test_patients_may_come_from_a_file(shell: Shell) -> None:
    file = shell.put("patients.csv", "patient_id;issuer\nP1;\n\nP7;OTHER\n")
    assert place(shell, "--patients-file", str(file))["patients"] == ["P1", "P7"]
    assert "can't be read" in shell.fails(*PLACE, "--patients-file", shell.world.folder / "none.csv")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--patient", "p1", "--patient", "P\u200b1"), 1, "patients: not on record: number(s) 1, 2 of those named"),
        (("--patient", "P1", "--years", "99"), 2, "four digits"),
        (("--category", ""), 1, "categories: an empty word"),
        (("--department", " "), 1, "departments: an empty word"),
        ((), 1, "name patients, or say which population it is on"),
        (("--patient", " "), 1, "a number is missing"),
        (("--years", "the seventies"), 2, "give a year"),
        (("--years", "1991-1970"), 1, "the first is after the last"),
        (("--patient", "P1", "--review-on", "2020-01-01"), 1, "lies in the past"),
        (("--patient", "P1", "--authority", " "), 1, "authority: is missing"),
    ],
)
def test_a_hold_that_doesn_t_say_enough_is_refused_with_what_is_missing(
    more: tuple[str, ...], code: int, words: str, shell: Shell
) -> None:
    assert words in shell.fails(*PLACE, *more, code=code)
    assert shell.world.trail() == []


def test_a_hold_says_how_many_patients_and_records_it_reaches_now(shell: Shell) -> None:
    shell.world.file(CARE)
    assert "It reaches 1 record(s) of 1 patient(s) now." in shell(*PLACE, "--patient", "P1").stdout
    placed = place(shell, "--patient", "P9")
    assert (placed["reaches_patients"], placed["reaches_records"]) == (0, 0)
    placed = place(shell, "--procedure", "MESH")  # nobody has told: it counts as met
    assert (placed["reaches_patients"], placed["reaches_records"]) == (1, 1)


def test_a_category_that_the_schedule_in_force_doesn_t_have_is_refused(shell: Shell) -> None:
    activate(shell.world)
    assert "'CANCR' is not in the schedule" in shell.fails(*PLACE, "--category", "CANCR")
    assert place(shell, "--category", "cancer")["population"] == ["category cancer"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("P1;HOSP\n", "The first line of patients.csv must name its columns"),
        ("patient_id\tissuer\nP1\tHOSP\n", "must name its columns"),
        ("patient_id,issuer\n,HOSP\n", "line 2: patient_id is missing"),
        ("patient_id,issuer\nP1\n", "line 2: has 1 cells"),
    ],
)
def test_a_file_whose_patients_can_t_be_told_is_refused_whole(text: str, words: str, shell: Shell) -> None:
    said = shell.fails(*PLACE, "--patients-file", shell.put("patients.csv", text))
    assert words in said
    assert "P1" not in said
    assert shell.world.trail() == []


def test_a_name_that_policy_toml_doesn_t_know_lifts_no_hold(shell: Shell) -> None:
    placed = str(place(shell, "--patient", "P1")["hold"])
    assert "not in policy.toml" in shell.fails("hold", "lift", placed, *LIFT, "--by", "somebody")
    assert [row["state"] for row in shell.json("hold", "list")] == ["STANDS"]


def test_those_to_be_reviewed_by_a_day_can_be_listed(shell: Shell) -> None:
    place(shell, "--patient", "P1")
    assert shell.json("hold", "list", "--review-by", "2099-06-01") != []
    assert shell.json("hold", "list", "--review-by", "2099-05-31") == []


def test_lifting_needs_a_reason_and_a_hold(shell: Shell) -> None:
    placed = str(place(shell, "--patient", "P1")["hold"])
    said = shell.fails("hold", "lift", placed, "--authority", "court", "--reason", " ", "--by", "derm")
    assert "reason: is missing" in said
    assert "No hold has this id." in shell.fails("hold", "lift", "none", *LIFT, "--by", "derm")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM holds",
        "UPDATE holds SET patients = '[]'",
        "UPDATE holds SET lifted_at = '2026-11-22T00:00:00+00:00'",
    ],
)
def test_a_hold_that_was_changed_behind_the_trail_s_back_is_noticed(statement: str, shell: Shell) -> None:
    place(shell, "--patient", "P1")
    shell.world.sql(statement)
    assert shell.json("audit", "verify", code=1)["problem"] == "1 hold record(s) are not as the trail has them"


@pytest.mark.parametrize("option", ["--authority", "--reason", "--by"])
def test_what_was_typed_in_another_encoding_ends_with_a_remedy_and_is_recorded_nowhere(
    option: str, shell: Shell
) -> None:
    typed = "M\udcfcller"  # as Python has a Latin-1 letter that a UTF-8 terminal can't have typed
    said = shell.fails(*PLACE, "--not-on-record", "--patient", "P1", option, typed)
    assert ("LANG to UTF-8" in said, "P1" in said) == (True, False)
    assert shell("hold", "list").stderr == "No hold stands.\n"
    assert shell.world.trail() == []
