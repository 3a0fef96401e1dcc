"""CSV import: each row wholly or not at all, the rest goes on, and the next run goes on where this one stopped."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dicomwrap.consentdetails import purposes_digest
from orthanc_plugin.audit.chain import verify
from orthanc_plugin.errors import ConsentgateError, RegistryError
from orthanc_plugin.lifecycle import csvrows
from orthanc_plugin.lifecycle.csvfile import Rejects, SheetError, open_sheet
from orthanc_plugin.lifecycle.importing import KINDS, Report, import_rows
from tests.fakes.sheets import FED, IMI, SIGNED, errors, held, sheet
from tests.fakes.world import World, make_world, with_policy


def take(world: World, path: Path, kind: str = "consents", *, dry_run: bool = False) -> Report:
    """Import a file as the command line does."""
    shared = replace(world.services, policy=with_policy(world, forms={"IMI": IMI}).services.policy)
    return import_rows(shared.database, lambda: shared.act("officer", "test"), KINDS[kind], path, dry_run=dry_run)


def outcome(report: Report) -> tuple[int, int, int]:
    return report.applied, report.known, report.failed


def only(world: World, tmp_path: Path, row: Mapping[str, str], kind: str = "consents") -> list[tuple[str, str]]:
    """Import one row and return what is wrong with it, by column."""
    report = take(world, sheet(tmp_path / "one.csv", row), kind)
    if report.errors is None:
        return []
    (failed,) = errors(report.errors)
    return list(zip(failed["field"].split("; "), failed["remedy"].split(" | "), strict=False))


def test_a_signed_level_is_recorded_with_all_that_it_agrees_to(either_world: World, tmp_path: Path) -> None:
    assert outcome(take(either_world, sheet(tmp_path / "c.csv", SIGNED))) == (1, 0, 0)
    (recorded,) = either_world.consents()
    record = recorded.record
    assert [(scope.purpose, scope.max_form, scope.audience) for scope in record.scopes] == [
        ("DIRECT_CARE", "IDENTIFIABLE", ("CARE_TEAM",)),
        ("TEACHING", "ANONYMISED", ("TRUST_STUDENTS",)),
    ]
    assert (record.id, record.issuer, recorded.recorded_by) == ("urn:x:1", "HOSP", "officer")
    assert record.giver.competent_at_decision == "NOT_ASSESSED"
    assert record.document is not None
    assert (record.document.form_id, record.document.form_version) == ("IMI", "2019")
    assert record.document.purposes_sha256 == purposes_digest(scope.purpose for scope in record.scopes)
    assert [entry["effect"] for entry in either_world.trail()] == ["RECORDED_GIVEN"]
    assert verify(either_world.services.trail.entries()).whole


def test_full_terms_do_in_place_of_a_level(world: World, tmp_path: Path) -> None:
    terms = {
        "purposes": "DIRECT_CARE|SECOND_OPINION",
        "max_form": "IDENTIFIABLE",
        "audience": "CARE_TEAM|NAMED_COLLEAGUE",
        "recipients": "dr-a|dr-b",
        "valid_to": "2030-01-01",
        "level": "STUDY",
        "targets": "1.2.3|1.2.4",
    }
    row = {name: cell for name, cell in SIGNED.items() if not name.startswith("form")} | terms
    assert only(world, tmp_path, row) == []
    record = world.consents()[0].record
    assert (record.level, record.targets) == ("STUDY", ("1.2.3", "1.2.4"))
    assert {scope.named_recipients for scope in record.scopes} == {("dr-a", "dr-b")}
    assert [str(scope.valid_to) for scope in record.scopes] == ["2030-01-01"] * 2


def test_publication_goes_to_the_one_place_that_was_named(world: World, tmp_path: Path) -> None:
    explained = f"{SIGNED['explained']}|PUBLICATION_IS_FINAL|TRANSMISSION"
    row = {**SIGNED, "form_level": "3", "publication": "BMJ 2026", "explained": explained}
    assert only(world, tmp_path, row) == []
    named = {scope.purpose: scope.named_publication for scope in world.consents()[0].record.scopes}
    assert named == {"DIRECT_CARE": None, "TEACHING": None, "PUBLICATION": "BMJ 2026"}


@pytest.mark.parametrize(
    ("changes", "column", "words"),
    [
        ({"decided_on": "01/02/2026"}, "decided_on", "can be taken for the month"),
        ({"decided_on": "2026-02-30"}, "decided_on", "must be a date that exists"),
        ({"decided_on": ""}, "decided_on", "is missing"),
        ({"birth_date": "15.6.1980"}, "birth_date", "can be taken for the month"),
        ({"valid_to": "2020-01-01"}, "valid_to", "must not be before valid_from"),
        ({"giver": "NEIGHBOUR"}, "giver", "is unknown"),
        ({"state": "WITHDRAWN"}, "state", "is taken over as REFUSED"),
        ({"explained": "WHY, USE"}, "explained", "is unknown"),
        ({"explained": "WHY|USE"}, "explained", "STORAGE not ticked"),
        ({"evidence": ""}, "evidence", "say how the decision is evidenced"),
        ({"discussion_note": ""}, "discussion_note", "is missing"),
        ({"parental_responsibility": "perhaps"}, "parental_responsibility", "must be yes or no"),
        ({"form": "LANCS"}, "form", "no form 'LANCS'"),
        ({"form_level": "4"}, "form", "no level '4'"),
        ({"form_level": ""}, "form_level", "is missing"),
        ({"form": ""}, "form", "is missing"),
        ({"form_version": "2026"}, "form", "not in the one that was signed"),
        ({"form_level": "3"}, "publication", "is missing"),
        ({"publication": "BMJ"}, "publication", "must be empty"),
        ({"purposes": "RESEARCH"}, "purposes", "must be empty beside a form"),
        ({"form": "", "form_level": ""}, "purposes", "is missing"),
        ({"patient_id": "P\\1"}, "patient_id", "backslash"),
        ({"patient_id": "P" * 65}, "patient_id", "longer than 64"),
        ({"level": "PATIENT", "targets": "1.2.3"}, "targets", "must be empty"),
        ({"decided_on": "2026-11-23"}, "decided_on", "is after today"),
    ],
)
def test_a_row_that_fails_names_the_column_and_the_remedy(
    changes: dict[str, str], column: str, words: str, world: World, tmp_path: Path
) -> None:
    found = only(world, tmp_path, {**SIGNED, **changes})
    assert any(name == column for name, _ in found), found
    assert any(words in remedy for _, remedy in found), found
    assert (world.consents(), world.trail(), world.sql("SELECT * FROM imported_rows")) == ([], [], [])
    assert world.sql("SELECT * FROM patients") == []


def test_the_rest_goes_on_and_the_errors_file_is_for_its_owner_alone(world: World, tmp_path: Path) -> None:
    rows = [{**SIGNED, "id": f"urn:x:{number}", "state": state} for number, state in enumerate(("GIVEN", "?", "GIVEN"))]
    report = take(world, sheet(tmp_path / "c.csv", *rows))
    assert outcome(report) == (2, 0, 1)
    assert report.errors == tmp_path / "c.errors.csv"
    assert stat.S_IMODE(report.errors.stat().st_mode) == 0o600
    (failed,) = errors(report.errors)
    assert {name: failed[name] for name in SIGNED} == rows[1]
    assert (failed["line"], failed["field"]) == ("3", "state")
    assert not list(tmp_path.glob("*.part"))


def test_a_corrected_errors_file_is_imported_as_it_is(world: World, tmp_path: Path) -> None:
    failed = take(world, sheet(tmp_path / "c.csv", {**SIGNED, "giver": "?"})).errors
    assert failed is not None
    failed.write_text(failed.read_text("utf-8-sig").replace(",?,", ",PATIENT,"))
    assert outcome(take(world, failed)) == (1, 0, 0)


def test_a_second_run_applies_only_what_is_new(either_world: World, tmp_path: Path) -> None:
    take(either_world, sheet(tmp_path / "c.csv", SIGNED))
    before = held(either_world)
    again = sheet(tmp_path / "c.csv", SIGNED)
    assert outcome(take(either_world, again)) == (0, 1, 0)
    assert held(either_world) == before
    more = sheet(tmp_path / "c.csv", SIGNED, {**SIGNED, "id": "urn:x:2", "patient_id": "P2"})
    assert outcome(take(either_world, more)) == (1, 1, 0)


def test_an_errors_file_of_an_earlier_run_goes_when_nothing_fails_any_more(world: World, tmp_path: Path) -> None:
    failed = take(world, sheet(tmp_path / "c.csv", {**SIGNED, "giver": "?"})).errors
    assert failed is not None
    assert take(world, sheet(tmp_path / "c.csv", SIGNED)).errors is None
    assert not failed.exists()


def test_a_row_without_an_id_gets_the_same_one_in_every_run_and_registry(world: World, tmp_path: Path) -> None:
    row = {**SIGNED, "id": ""}
    take(world, sheet(tmp_path / "c.csv", row))
    assert outcome(take(world, sheet(tmp_path / "c.csv", row))) == (0, 1, 0)
    other = make_world(tmp_path / "other")
    take(other, tmp_path / "c.csv")
    assert [each.record.id for each in other.consents()] == [each.record.id for each in world.consents()]
    other.close()


def test_a_dry_run_says_what_would_fail_and_records_nothing(either_world: World, tmp_path: Path) -> None:
    path = sheet(tmp_path / "c.csv", SIGNED, {**SIGNED, "id": "urn:x:2", "state": "?"})
    nothing = held(either_world)
    assert outcome(take(either_world, path, dry_run=True)) == (1, 0, 1)
    assert held(either_world) == nothing
    assert outcome(take(either_world, path)) == (1, 0, 1)


def test_the_same_row_twice_is_told_and_recorded_once(world: World, tmp_path: Path) -> None:
    report = take(world, sheet(tmp_path / "c.csv", SIGNED, SIGNED))
    assert outcome(report) == (1, 0, 1)
    assert report.errors is not None
    (failed,) = errors(report.errors)
    assert (failed["line"], failed["field"]) == ("3", "id")
    assert "very same" in failed["remedy"]


@pytest.mark.parametrize(
    ("kind", "row", "other"),
    [
        ("consents", SIGNED, {"form_level": "1"}),
        ("patients", FED, {"birth_date": "1980-06-16"}),
        ("patients", FED, {"issuer": "HOSP", "capacity": "LACKS"}),
    ],
)
def test_of_rows_that_contradict_one_another_none_is_taken(
    kind: str, row: dict[str, str], other: dict[str, str], world: World, tmp_path: Path
) -> None:
    bystander = {**row, "patient_id": "P9"} | ({"id": "urn:x:9"} if kind == "consents" else {})
    report = take(world, sheet(tmp_path / "c.csv", row, bystander, {**row, **other}), kind)
    assert outcome(report) == (1, 0, 2)
    assert report.errors is not None
    assert [each["line"] for each in errors(report.errors)] == ["2", "4"]
    assert world.sql("SELECT patient_id FROM patients") == [("P9",)]


def test_a_consent_with_another_birth_date_than_the_patients_is_refused(world: World, tmp_path: Path) -> None:
    take(world, sheet(tmp_path / "p.csv", FED), "patients")
    found = only(world, tmp_path, {**SIGNED, "birth_date": "1981-06-15"})
    assert [name for name, _ in found] == ["birth_date"]
    assert world.consents() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_the_spreadsheets_of_all_countries_are_read(
    separator: str, encoding: str, world: World, tmp_path: Path
) -> None:
    row = {**SIGNED, "discussion_note": 'Said: yes, to teaching; "no" to the rest.\nZoë'}
    wrong = {**row, "id": "urn:x:2", "giver": "?"}
    report = take(world, sheet(tmp_path / "c.csv", row, wrong, separator=separator, encoding=encoding))
    assert outcome(report) == (1, 0, 1)
    note = world.consents()[0].record.discussion
    assert note is not None
    assert note.note == row["discussion_note"]
    assert report.errors is not None
    assert [(each["line"], each["discussion_note"]) for each in errors(report.errors)] == [
        ("4", row["discussion_note"])
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "column patient_id is missing"),
        (b"patient_id,state\n", "column giver is missing"),
        (b"patient_id,state,giver,decided_on,wish\n", "column 'wish' is unknown"),
        (b"patient_id,state,giver,decided_on,state\n", "column state is there 2 times"),
        ("patient_id,state,giver,decided_on\nZoë,,,\n".encode("cp1252"), "CSV UTF-8"),
        ("patient_id,state,giver,decided_on\nP1,,,\n".encode("utf-16"), "CSV UTF-8"),
        (b'patient_id,state,giver,decided_on\nP1,GIVEN,PATIENT,"2025\n', "line 2: the quotes don't close"),
        (b'patient_id,state,giver,decided_on\n"P"1,GIVEN,PATIENT,2025-01-01\n', "line 2: the quotes don't close"),
        (b"patient_id,state,giver,decided_on\n" + b"P" * 200_000 + b",,,\n", "a text is too long"),
    ],
)
def test_a_file_that_can_t_be_read_to_its_end_is_refused_as_a_whole(
    content: bytes, words: str, world: World, tmp_path: Path
) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(content)
    with pytest.raises(SheetError, match=words):
        take(world, path)
    assert (world.consents(), list(tmp_path.glob("c.errors*"))) == ([], [])


def test_a_fault_at_the_end_of_the_file_is_found_before_its_beginning_is_recorded(world: World, tmp_path: Path) -> None:
    path = sheet(tmp_path / "c.csv", SIGNED)
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(SheetError):
        take(world, path)
    assert world.consents() == []


def test_a_file_that_is_not_there_is_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(SheetError, match="can't be read"):
        take(world, tmp_path / "missing.csv")


def test_empty_lines_say_nothing_and_a_line_with_other_cells_than_the_header_or_a_nul_is_an_error(
    world: World, tmp_path: Path
) -> None:
    path = sheet(tmp_path / "c.csv", SIGNED)
    path.write_text(path.read_text() + "\n" + "," * 10 + "\n" + "P2,GIVEN\n" + "\0" + "," * 10 + "\n")
    report = take(world, path)
    assert outcome(report) == (1, 0, 2)
    assert report.errors is not None
    assert [(each["line"], each["field"]) for each in errors(report.errors)] == [("5", "line"), ("6", "line")]


def test_a_registry_that_fails_ends_the_import_and_the_next_run_goes_on(world: World, tmp_path: Path) -> None:
    path = sheet(tmp_path / "c.csv", SIGNED)
    world.stop_the_trail()
    with pytest.raises(RegistryError):
        take(world, path)
    assert (world.consents(), world.sql("SELECT * FROM imported_rows")) == ([], [])
    assert not list(tmp_path.glob("*.part"))
    world.sql("DROP TRIGGER stopped")
    assert outcome(take(world, path)) == (1, 0, 0)


def test_a_folder_that_can_t_take_the_errors_file_is_told_before_anything_is_recorded(
    world: World, tmp_path: Path
) -> None:
    path = sheet(tmp_path / "c.csv", SIGNED)
    (tmp_path / "c.errors.csv.part").mkdir()
    with pytest.raises(ConsentgateError, match="a folder that you may write to"):
        take(world, path)
    assert world.consents() == []


def test_a_file_that_is_being_imported_is_not_imported_again_meanwhile(world: World, tmp_path: Path) -> None:
    path = sheet(tmp_path / "c.csv", {**SIGNED, "giver": "?"})
    with (
        Rejects(open_sheet(path, csvrows.CONSENT_COLUMNS, ())) as other,
        pytest.raises(ConsentgateError, match="Another import of this file is running"),
    ):
        take(world, path)
    assert other.count == 0
    assert outcome(take(world, path)) == (0, 0, 1)


@pytest.mark.parametrize("kind", ["consents", "patients"])
def test_neither_the_trail_nor_a_refusal_names_the_patient(kind: str, world: World, tmp_path: Path) -> None:
    row = {**(SIGNED if kind == "consents" else FED), "patient_id": "MRN-4711"}
    take(world, sheet(tmp_path / "c.csv", row), kind)
    assert len(world.trail()) == 1
    assert "4711" not in str(world.trail())
