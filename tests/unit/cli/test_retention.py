"""``consentgate retention due | facts | schedule``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthanc_plugin.config.schedulefile import shipped_text
from tests.contract.test_cases import cases
from tests.fakes.pictures import CARE
from tests.fakes.records import SEEN, activate
from tests.fakes.sheets import sheet
from tests.unit.cli.conftest import Shell
from tests.unit.fhir.test_episodes import PATIENT, SYSTEM
from tests.unit.fhir.test_episodes import SEEN as FHIR_SEEN
from tests.unit.fhir.test_episodes import bundle as encounters

CASE = cases("retention_cases")[0]
TEN_YEARS = shipped_text().replace('period = "P8Y"', 'period = "P10Y"', 2)
AS_OF = ("--source", "pas", "--as-of", "2026-11-01")


@pytest.fixture
def office(shell: Shell) -> Shell:
    """Give a command line with the shipped schedule in force."""
    activate(shell.world)
    return shell


def asked(shell: Shell, **changes: object) -> tuple[int, dict[str, object], str]:
    result = shell("retention", "due", "--case", "-", typed=json.dumps({**CASE, **changes}))
    return result.exit_code, json.loads(result.stdout), result.stderr


def inputs(**changes: object) -> dict[str, object]:
    known = CASE["inputs"]
    assert isinstance(known, dict)
    return {**known, **changes}


def test_due_needs_neither_settings_nor_a_database(shell: Shell, tmp_path: Path) -> None:
    file = shell.put("case.json", json.dumps(CASE))
    result = shell("retention", "due", "--case", file, settings=tmp_path / "none.toml")
    assert (result.exit_code, json.loads(result.stdout)["due_date"]) == (0, "2033-09-14")
    assert list(json.loads(result.stdout)) == ["id", "status", "governing_rule", "due_date", "proposable_from"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"inputs": inputs(dob="14/09/2008")}, "case[0].inputs.dob: expected a date"),
        ({"inputs": inputs(dob="1970-W10-2")}, "case[0].inputs.dob: expected a date"),
        ({"inputs": inputs(contacts=["2019-05-01", 5])}, "case[0].inputs.contacts: expected a list of text"),
        ({"inputs": inputs(contacts=["2019-05-01", "x"])}, "case[0].inputs.contacts[1]: expected a date"),
        ({"inputs": inputs(open_episode="no")}, "case[0].inputs.open_episode: expected true or false"),
        ({"inputs": inputs(made_for="FUN")}, "case[0].inputs.made_for: expected one of CARE, SECONDARY"),
        ({"inputs": inputs(object="FILM")}, "case[0].inputs.object: expected one of IMAGE"),
        ({"inputs": inputs(categories=["CANCR"])}, "case[0].inputs.categories: expected words of the schedule"),
        (
            {
                "inputs": inputs(
                    trial={"concluded": None, "regime": "EU", "ma_open_at_expiry": False, "ma_granted": None}
                )
            },
            "case[0].inputs.trial.regime: expected one of PRE_2026, UK_2026",
        ),
        (
            {"inputs": inputs(holds=[{"kind": "WHIM", "placed_on": "2020-01-01", "released_on": None}])},
            "case[0].inputs.holds[0].kind: expected one of LITIGATION",
        ),
        ({"policy": {"rounding": "up"}}, "case[0].policy.rounding: expected one of exact"),
        ({"policy": {"child_death_mode": "never"}}, "case[0].policy.child_death_mode: expected one of"),
        ({"policy": {"adult_mode": "x"}}, "case[0].policy.adult_mode: expected a switch of the schedule"),
        ({"as_of": "today"}, "case[0].as_of: expected a date"),
    ],
)
def test_a_case_that_can_t_be_read_is_unresolved_and_its_field_is_named(
    changes: dict[str, object], place: str, shell: Shell
) -> None:
    code, answer, said = asked(shell, **changes)
    assert (code, answer["id"], answer["status"], answer["due_date"]) == (1, CASE["id"], "UNRESOLVED", None)
    assert place in said
    assert "docs/retention.md" in said


def test_one_faulty_case_of_a_list_leaves_the_others_their_answers(shell: Shell) -> None:
    result = shell("retention", "due", "--case", "-", typed=json.dumps([CASE, {"id": "X"}, 5]))
    assert result.exit_code == 1
    assert [each["status"] for each in json.loads(result.stdout)] == ["RETAIN", "UNRESOLVED", "UNRESOLVED"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_told_and_nothing_is_answered(text: str, shell: Shell) -> None:
    assert "Give one case object, or a list of them." in shell.fails(
        "retention", "due", "--case", shell.put("case.json", text), code=2
    )


def test_a_date_is_explained_with_the_rule_and_the_facts(shell: Shell) -> None:
    file = shell.put("case.json", json.dumps([CASE, {**CASE, "inputs": inputs(dob=None)}]))
    said = shell("retention", "due", "--case", file, "--explain").stdout
    assert "CHILD: 25 years from date of birth 2008-09-14 end with 2033-09-14." in said
    assert "To do: RESOLVE_IDENTITY." in said


def test_another_schedule_gives_another_date(shell: Shell) -> None:
    schedule = shell.put("ten.toml", TEN_YEARS)
    known = inputs(dob="1970-03-03", contacts=["2015-03-10"])
    file = shell.put("case.json", json.dumps({**CASE, "inputs": known}))
    answer = json.loads(shell("retention", "due", "--case", file, "--schedule", schedule).stdout)
    assert answer["due_date"] == "2025-03-10"


def test_a_schedule_is_proposed_by_one_and_activated_by_another(shell: Shell) -> None:
    file = shell.put("retention.toml", shipped_text())
    assert "No retention schedule is in force." in shell.fails("retention", "schedule", "show")
    proposed = shell.json("retention", "schedule", "propose", "--by", "governance")
    assert (proposed["moves"], proposed["activated_by"]) == ([], None)
    digest = proposed["sha256"]
    assert shell.json("retention", "schedule", "check", file)["sha256"] == digest
    assert "can't activate it" in shell.fails("retention", "schedule", "activate", digest, "--by", "GOVERNANCE")
    assert shell("retention", "schedule", "activate", digest, "--by", "derm").exit_code == 0
    shown = shell("retention", "schedule", "show")
    assert "retention.toml says the same." in shown.stderr
    assert "MENTAL_HEALTH" in shown.stdout
    file.write_text(TEN_YEARS)
    assert "counts for nothing until it is activated" in shell("retention", "schedule", "show").stderr
    assert [row["activated_by"] for row in shell.json("retention", "schedule", "list")] == ["derm"]
    assert shell("audit", "verify").exit_code == 0


def test_the_dry_run_lists_the_records_that_move_and_changes_nothing(office: Shell) -> None:
    office.world.file(CARE)
    imported = sheet(office.world.folder / "pas.csv", SEEN)
    assert office("retention", "facts", "import", imported, *AS_OF, "--by", "feeder").exit_code == 0
    old, new = office.put("old.toml", shipped_text()), office.put("new.toml", TEN_YEARS)
    (row,) = office.json("retention", "schedule", "diff", old, new)
    assert (row["was_due"], row["becomes_due"]) == ("2023-03-10", "2025-03-10")
    assert office("retention", "schedule", "diff", old, old).stderr == "No record's date moves.\n"
    (moved,) = office.json("retention", "schedule", "propose", new, "--by", "governance")["moves"]
    assert moved["study"] == row["study"]


def test_the_shipped_schedules_can_be_shown(shell: Shell) -> None:
    assert "AU_CHILD" in shell("retention", "schedule", "show", "--shipped", "australia").stdout
    assert "Name england-nhs or australia" in shell.fails("retention", "schedule", "show", "--shipped", "mars")


def test_facts_are_taken_in_and_shown_with_their_source(office: Shell) -> None:
    file = sheet(office.world.folder / "pas.csv", SEEN)
    answer = office.json("retention", "facts", "import", file, *AS_OF, "--by", "feeder")
    assert (answer["applied"], answer["failed"], answer["fresh_as_of"]) == (1, 0, "2026-11-01 00:00:00+00:00")
    (row,) = office.json("retention", "facts", "show", "P1")
    assert (row["source"], row["last_contact"], row["open_episode"]) == ("pas", "2015-03-10", False)
    assert (row["categories"], row["cancer_diagnosis"]) == ("none", None)
    (feed,) = office.json("retention", "facts", "feeds")
    assert (feed["source"], feed["needed"], feed["stale"]) == ("pas", True, True)
    assert office("audit", "verify").exit_code == 0


def test_a_line_that_fails_is_written_down_and_the_source_stays_as_it_was(office: Shell) -> None:
    file = sheet(office.world.folder / "pas.csv", {**SEEN, "open_episode": "?"})
    result = office("retention", "facts", "import", file, *AS_OF, "--by", "feeder")
    assert (result.exit_code, "pas isn't fresh until they are taken in" in result.stdout) == (1, True)
    assert (office.world.folder / "pas.errors.csv").exists()


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-01T06:00", "2026-13-01", "9999-99-99T00:00+00:00"])
def test_a_moment_that_is_none_is_a_wrong_call(moment: str, office: Shell) -> None:
    said = office.fails(
        "retention", "facts", "import", "x.csv", "--source", "pas", "--as-of", moment, "--by", "f", code=2
    )
    assert "give YYYY-MM-DD" in said


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("retention fact", "UPDATE retention_facts SET last_contact = '2001-01-01'"),
        ("retention fact", "DELETE FROM retention_facts"),
        ("retention feed", "UPDATE retention_feeds SET told_at = '2030-01-01T00:00:00+00:00'"),
        ("retention schedule", "UPDATE retention_schedules SET body = ''"),
        ("retention schedule", "UPDATE retention_schedules SET activated_by = 'owner'"),
    ],
)
def test_what_was_changed_behind_the_trail_s_back_is_noticed(kind: str, statement: str, office: Shell) -> None:
    file = sheet(office.world.folder / "pas.csv", SEEN)
    assert office("retention", "facts", "import", file, *AS_OF, "--by", "feeder").exit_code == 0
    office.world.sql(statement)
    problem = office.json("audit", "verify", code=1)["problem"]
    assert problem == f"1 {kind} record(s) are not as the trail has them"


def test_records_without_a_date_are_listed_and_somebody_is_asked_until_they_have_one(office: Shell) -> None:
    row = office.world.file(CARE)
    (gap,) = office.json("retention", "facts", "gaps")
    assert office.world.tasks() == []
    assert office.json("retention", "facts", "ask", "--by", "officer") == [gap]
    assert (gap["study"], gap["tasks"]) == (row.study_instance_uid, ["COMPLETE_RETENTION_FACTS"])
    assert "last contact" in gap["missing"]
    (task,) = (each for each in office.world.tasks() if each["kind"] == "COMPLETE_RETENTION_FACTS")
    assert (task["subject"], task["owner"]) == (row.study_instance_uid, "RECORDS_OFFICER")
    imported = sheet(office.world.folder / "pas.csv", SEEN)
    assert office("retention", "facts", "import", imported, *AS_OF, "--by", "feeder").exit_code == 0
    result = office("retention", "facts", "ask", "--by", "officer")
    assert result.stderr == "Every record has what its date rests on.\n"
    assert office.world.tasks() == []
    assert office.world.trail()[-1]["effect"] == "TASK_CLOSED"


def test_a_fhir_bundle_becomes_a_file_of_facts_that_can_be_imported(office: Shell) -> None:
    resources = (PATIENT, FHIR_SEEN)
    bundle = office.put("bundle.json", encounters(*resources).decode())
    file, system = office.world.folder / "fhir.csv", ("--system", SYSTEM)
    said = office("retention", "facts", "from-fhir", bundle, file, *system, "--complete").stdout
    assert said.startswith("1 patient(s) written to")
    assert file.stat().st_mode & 0o077 == 0
    assert office("retention", "facts", "import", file, *AS_OF, "--by", "feeder").exit_code == 0
    (row,) = office.json("retention", "facts", "show", "P1")
    assert (row["last_contact"], row["open_episode"], row["categories"]) == ("2015-03-10", False, None)
    assert "isn't there yet" in office.fails("retention", "facts", "from-fhir", bundle, file, *system)


def test_what_a_source_took_back_is_shown_and_agreed_to_by_somebody_else(office: Shell) -> None:
    office.world.file(CARE)
    first = sheet(office.world.folder / "first.csv", SEEN)
    assert office("retention", "facts", "import", str(first), *AS_OF, "--by", "derm").exit_code == 0
    back = sheet(office.world.folder / "back.csv", {"patient_id": "P1", "taken_back": "last_contact"})
    later = ("--source", "pas", "--as-of", "2026-11-02", "--by", "derm")
    assert office("retention", "facts", "import", str(back), *later).exit_code == 0
    shown = json.loads(office("retention", "facts", "show", "P1", "--json").stdout)
    assert [(list(row["taken_back"]), row["agreed_by"]) for row in shown] == [(["last_contact"], None)]
    gaps = json.loads(office("retention", "facts", "gaps", "--json").stdout)
    assert "whether pas was right to take back last_contact" in gaps[0]["missing"]
    stated = ("retention", "facts", "agree", "P1", "--source", "pas", "--reason", "asked the ward")
    assert "Missing option '--seen'" in office(*stated, "--by", "admin").stderr
    assert "isn't what was seen" in office(*stated, "--seen", "something", "--by", "admin").stderr
    said = (*stated, "--seen", shown[0]["seen"], "--by")
    refused = office(*said, "derm")
    assert refused.exit_code == 1
    assert "Whoever took it in can't agree to it." in refused.stderr
    agreed = office(*said, "admin", "--json")
    assert json.loads(agreed.stdout) == {"source": "pas", "taken_back": ["last_contact"], "agreed_by": "admin"}
    (agreed_to,) = json.loads(office("retention", "facts", "show", "P1", "--json").stdout)
    assert (agreed_to["agreed_by"], agreed_to["seen"]) == ("admin", None)
    gaps = json.loads(office("retention", "facts", "gaps", "--json").stdout)
    assert gaps[0]["missing"] == ["last contact"]
