"""``consentgate patient show | set | merge | unmerge``."""

from __future__ import annotations

import pytest

from orthanc_plugin.audit.chain import verify
from tests.fakes.pictures import CARE, TEACHING, UID, consent
from tests.unit.cli.conftest import Shell

WHY = ("--reason", "told by the family", "--by", "officer")


@pytest.fixture
def ward(shell: Shell) -> Shell:
    """Give a command line with P1 (born 1980-06-15), whose picture is filed under consent to care and teaching."""
    shell.world.file(CARE, TEACHING)
    return shell


def effects(shell: Shell) -> list[object]:
    return [entry["effect"] for entry in shell.world.trail() if str(entry["door"]).startswith("consentgate")]


def test_what_is_on_record_is_shown_with_its_consents_and_its_history(ward: Shell) -> None:
    ward("patient", "set", "P1", "--death-date", "2026-01-31", *WHY)
    found = ward.json("patient", "show", "P1")
    assert (found["patient"], found["issuer"], found["birth_date"]) == ("P1", "HOSP", "1980-06-15")
    assert (found["death_date"], found["age"], found["capacity"]) == ("2026-01-31", 45, "HAS")
    assert found["consents"] == [each.record.id for each in ward.world.consents()]
    (change,) = found["changes"]
    assert (change["field"], change["new"], change["changed_by"]) == ("death_date", "2026-01-31", "officer")
    assert "death_date: None -> 2026-01-31, by officer: told by the family" in ward("patient", "show", "P1").stdout


@pytest.mark.parametrize(
    ("options", "fact", "value"),
    [
        (("--capacity", "LACKS"), "capacity", "LACKS"),
        (("--gillick", "NOT_COMPETENT"), "gillick", "NOT_COMPETENT"),
        (("--opt-out",), "national_data_opt_out", True),
        (("--death-date", "2026-01-31"), "death_date", "2026-01-31"),
        (("--birth-date", "1980-06-16", "--correct"), "birth_date", "1980-06-16"),
    ],
)
def test_a_fact_is_recorded_and_the_trail_names_the_change_not_the_patient(
    options: tuple[str, ...], fact: str, value: object, ward: Shell
) -> None:
    answer = ward.json("patient", "set", "P1", *options, *WHY)
    assert answer[fact] == value
    entry = ward.world.trail()[-1]
    assert (entry["effect"], entry["subject"], entry["reasons"]) == (
        "PATIENT_FACTS",
        answer["change"],
        [f"changed: {fact}"],
    )
    assert answer["changes"][-1]["change_id"] == f"{answer['change']}.{fact}"
    assert verify(ward.world.services.trail.entries()).whole


def test_a_death_recorded_in_error_is_taken_back(ward: Shell) -> None:
    ward("patient", "set", "P1", "--death-date", "2026-01-31", *WHY)
    assert ward.json("patient", "set", "P1", "--not-deceased", *WHY)["death_date"] is None


def test_the_same_fact_again_is_no_change(ward: Shell) -> None:
    before = len(ward.world.trail())
    assert ward("patient", "set", "P1", "--capacity", "HAS", *WHY).exit_code == 0
    assert len(ward.world.trail()) == before


def test_an_unknown_patient_is_put_on_record_only_when_that_is_meant(ward: Shell) -> None:
    assert "No such patient" in ward.fails("patient", "set", "P2", "--capacity", "LACKS", *WHY)
    assert ward.json("patient", "set", "P2", "--birth-date", "2015-01-01", "--new", *WHY)["age"] == 11
    assert ward.json("patient", "set", "P3", "--new", *WHY)["birth_date"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "P9"), "No such patient"),
        (("show", "P1", "--issuer", "OTHER"), "No such patient"),
        (("set", "P1", "--birth-date", "1990-01-01", *WHY), "birth_date: Another birth date is on record. Correct it"),
        (("set", "P1", "--death-date", "1970-01-01", *WHY), "died before being born"),
        (("set", "P1", "--capacity", "LACKS", "--reason", " ", "--by", "o"), "without a reason"),
        (("merge", "P1", "--into", "P1", *WHY), "can't be merged into itself"),
        (("merge", "P1", "--into", "P9", *WHY), "No such patient"),
        (("unmerge", "P1", *WHY), "isn't merged into anybody"),
    ],
)
def test_what_can_t_be_is_told_and_nothing_is_recorded(arguments: tuple[str, ...], words: str, ward: Shell) -> None:
    before = (ward.world.sql("SELECT * FROM patients"), len(ward.world.trail()))
    assert words in ward.fails("patient", *arguments)
    assert (ward.world.sql("SELECT * FROM patients"), len(ward.world.trail())) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("P1", *WHY),
        ("P1", "--capacity", "MAYBE", *WHY),
        ("P1", "--capacity", "HAS"),
        ("P1", "--birth-date", "15/06/1980", *WHY),
        ("P1", "--death-date", "2026-01-01", "--not-deceased", *WHY),
    ],
)
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], ward: Shell) -> None:
    assert "Usage:" in ward.fails("patient", "set", *arguments, code=2)


def test_a_refusal_under_either_number_counts_once_they_are_merged_and_no_more_when_that_is_undone(ward: Shell) -> None:
    ward.world.record(consent(CARE, id="urn:x:2", patient_id="P2", state="REFUSED"))
    asked = ("decide", "--image", UID, "--recipient", "derm")
    assert ward.json(*asked)["decision"] == "PERMIT_IDENTIFIABLE"

    merged = ward.json("patient", "merge", "P2", "--into", "P1", *WHY)
    assert (merged["patient"], merged["merged_here"]) == ("P1", [["P2", "HOSP"]])
    assert "urn:x:2" in merged["consents"]
    assert ward.json("patient", "show", "P2")["merged_into"] == ["P1", "HOSP"]
    assert ward.json(*asked)["decision"] == "DENY"

    assert ward.json("patient", "unmerge", "P2", *WHY)["merged_into"] is None
    assert ward.json(*asked)["decision"] == "PERMIT_IDENTIFIABLE"
    assert effects(ward)[-2:] == ["PATIENTS_MERGED", "PATIENTS_UNMERGED"]
    subjects = [str(entry["subject"]) for entry in ward.world.trail()[-2:]]
    changed = {str(change) for (change,) in ward.world.sql("SELECT change_id FROM patient_changes")}
    assert changed == {f"{subject}.merge.{number}" for subject in subjects for number in (1, 2)}


def test_what_can_t_be_written_to_the_trail_is_not_recorded(ward: Shell) -> None:
    ward.world.stop_the_trail()
    assert "registry can't be written" in ward.fails("patient", "set", "P1", "--capacity", "LACKS", *WHY)
    assert ward.json("patient", "show", "P1")["capacity"] == "HAS"


@pytest.mark.parametrize(
    ("said", "taken_back", "fact"),
    [
        (("--death-date", "2026-01-31"), ("--not-deceased",), "death_date"),
        (("--opt-out",), ("--no-opt-out",), "national_data_opt_out"),
    ],
)
def test_what_a_merged_number_says_is_not_taken_back_in_vain(
    said: tuple[str, ...], taken_back: tuple[str, ...], fact: str, ward: Shell
) -> None:
    ward.json("patient", "set", "P2", "--new", *said, *WHY)
    ward.json("patient", "merge", "P2", "--into", "P1", *WHY)
    refused = ward.fails("patient", "set", "P1", *taken_back, *WHY)
    assert f"{fact}: another number merged into this one says so; undo that merge" in refused
    assert ward.json("patient", "show", "P1")[fact]
    ward.json("patient", "unmerge", "P2", *WHY)
    ward.json("patient", "set", "P2", *taken_back, *WHY)
    ward.json("patient", "merge", "P2", "--into", "P1", *WHY)
    assert not ward.json("patient", "show", "P1")[fact]
