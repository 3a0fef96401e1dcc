"""``consentgate import patients | consents``."""

from __future__ import annotations

import os

import pytest

from orthanc_plugin.audit.chain import verify
from tests.fakes.sheets import FED, SIGNED, sheet
from tests.unit.cli.conftest import Shell

TERMS = {"form": "", "form_level": "", "purposes": "DIRECT_CARE", "max_form": "IDENTIFIABLE", "audience": "CARE_TEAM"}
ROW = {**SIGNED, **TERMS}


def test_an_import_says_what_was_recorded_what_was_known_and_where_the_errors_are(shell: Shell) -> None:
    path = sheet(shell.world.folder / "c.csv", ROW, {**ROW, "id": "urn:x:2", "giver": "?"})
    result = shell("import", "consents", path, "--by", "officer")
    errors = shell.world.folder / "c.errors.csv"
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == (
        "1 row(s) recorded, 0 recorded before, 1 with errors. "
        f"Those are in {errors}, which only you may read: it has patients' details.\n"
    )
    answer = shell.json("import", "consents", path, "--by", "officer", code=1)
    assert answer == {"applied": 0, "known": 1, "failed": 1, "errors": str(errors), "dry_run": False}
    assert verify(shell.world.services.trail.entries(), shell.world.services.heads.signed()).whole
    assert shell("audit", "verify").exit_code == 0


def test_a_clean_import_ends_well(shell: Shell) -> None:
    result = shell("import", "patients", sheet(shell.world.folder / "p.csv", FED), "--by", "officer")
    assert (result.exit_code, result.stdout) == (0, "1 row(s) recorded, 0 recorded before, 0 with errors.\n")
    assert shell.json("patient", "show", "P1")["birth_date"] == "1980-06-15"


@pytest.mark.parametrize(
    "command",
    [
        ("import", "patients"),
        ("import", "consents"),
        ("optout", "import", "--as-of", "2026-11-20"),
    ],
)
def test_a_pipe_is_no_file_and_is_not_waited_for(command: tuple[str, ...], shell: Shell) -> None:
    pipe = shell.world.folder / "pipe.csv"
    os.mkfifo(pipe)
    assert "is no file" in shell.fails(*command, pipe, "--by", "officer")


def test_a_dry_run_records_nothing_and_says_so(shell: Shell) -> None:
    result = shell("import", "patients", sheet(shell.world.folder / "p.csv", FED), "--by", "officer", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "1 row(s) could be recorded, 0 recorded before, 0 with errors.\n")
    assert (shell.world.sql("SELECT * FROM patients"), shell.world.trail()) == ([], [])


@pytest.mark.parametrize("kind", ["patients", "consents"])
def test_a_file_that_can_t_be_used_is_told_with_its_remedy(kind: str, shell: Shell) -> None:
    said = shell.fails("import", kind, shell.put("x.csv", "wish\n"), "--by", "officer")
    assert "column 'wish' is unknown; the columns are" in said
    assert "nothing of it was imported" in said


@pytest.mark.parametrize("arguments", [("patients", "p.csv"), ("pictures", "p.csv", "--by", "n"), ("patients",)])
def test_a_wrong_call_is_a_wrong_call(arguments: tuple[str, ...], shell: Shell) -> None:
    assert "Usage:" in shell.fails("import", *arguments, code=2)


def feed(shell: Shell, name: str, *rows: dict[str, str], code: int = 0) -> str:
    """Import facts of patients and return the errors file's text."""
    shell.json("import", "patients", sheet(shell.world.folder / name, *rows), "--by", "officer", code=code)
    errors = shell.world.folder / name.replace(".csv", ".errors.csv")
    return errors.read_text("utf-8-sig") if errors.exists() else ""


def test_a_newer_feed_changes_facts_and_leaves_a_history(shell: Shell) -> None:
    feed(shell, "one.csv", {**FED, "capacity": "HAS"})
    feed(shell, "two.csv", {**FED, "as_of": "2026-11-22T06:00+00:00", "capacity": "LACKS", "reason": "assessed"})
    found = shell.json("patient", "show", "P1")
    assert (found["capacity"], found["birth_date"]) == ("LACKS", "1980-06-15")
    assert [(each["field"], each["reason"]) for each in found["changes"]] == [
        ("birth_date", "told by the feed"),
        ("capacity", "assessed"),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"as_of": "2026-11-20"}, "as_of: A newer feed"),
        ({"as_of": "2027-01-01"}, "as_of: is after now"),
        ({"as_of": "22/11/2026"}, "as_of: must be YYYY-MM-DD"),
        ({"as_of": "2026-11-21T06:00"}, "as_of: must be YYYY-MM-DD"),
        ({"as_of": ""}, "as_of: is missing"),
        ({"birth_date": "1980-06-16"}, "birth_date: Another birth date is on record"),
        ({"birth_date": "15/06/1980"}, "birth_date: must be a date that exists, as YYYY-MM-DD"),
        ({"death_date": "1979-01-01"}, "death_date: the patient would have died before being born"),
        ({"death_date": "2027-01-01"}, "death_date: lies in the future"),
        ({"capacity": "MAYBE"}, "capacity: 'MAYBE' is unknown"),
        ({"gillick": "YES"}, "gillick: 'YES' is unknown"),
        ({"national_data_opt_out": "1"}, "national_data_opt_out: must be yes or no"),
        ({"merged_into_issuer": "X"}, "merged_into: is missing"),
        ({"merged_into": "P1"}, "merged_into: A patient can't be merged into itself"),
    ],
)
def test_facts_that_can_t_be_true_are_refused_and_the_record_stays(
    changes: dict[str, str], words: str, shell: Shell
) -> None:
    feed(shell, "one.csv", FED)
    before = shell.world.sql("SELECT * FROM patients")
    assert words in feed(shell, "two.csv", {**FED, "as_of": "2026-11-22", **changes}, code=1)
    assert shell.world.sql("SELECT * FROM patients") == before
    assert len(shell.world.trail()) == 1


def test_a_number_that_was_given_up_is_merged_into_the_one_that_is_kept(shell: Shell) -> None:
    feed(shell, "one.csv", FED, {**FED, "patient_id": "P2", "birth_date": "", "merged_into": "P1"})
    found = shell.json("patient", "show", "P2")
    assert (found["merged_into"], found["birth_date"]) == (["P1", "HOSP"], "1980-06-15")
    again = {**FED, "patient_id": "P2", "as_of": "2026-11-22", "merged_into": "P1"}
    assert feed(shell, "two.csv", again) == ""
    assert "Record it under the number that was kept" in feed(
        shell, "three.csv", {**again, "capacity": "LACKS"}, code=1
    )


def test_a_birth_date_that_a_merged_number_contradicts_is_refused(shell: Shell) -> None:
    feed(shell, "one.csv", FED, {"patient_id": "P2", "as_of": "2026-11-21"}, {**FED, "patient_id": "P3"})
    feed(shell, "two.csv", {"patient_id": "P1", "as_of": "2026-11-21", "merged_into": "P2"})
    said = feed(shell, "three.csv", {**FED, "patient_id": "P2", "birth_date": "1999-01-01"}, code=1)
    assert "another number merged into this one has another birth date" in said
