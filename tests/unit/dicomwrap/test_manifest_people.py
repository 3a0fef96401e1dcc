"""Rows of a manifest held against each other, against the options, and against what lies in the way."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from dicomwrap.cli.main import Tools, main
from dicomwrap.receipt import Receipt, text_of
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import objects, put, run, run_json, statuses
from tests.unit.dicomwrap.objects import NOW
from tests.unit.dicomwrap.test_manifest import csv_of, listed

A, B = {"photo": "a.jpg", "patient_id": "1"}, {"photo": "b.jpg", "patient_id": "1"}

CONTRADICTIONS = {
    "two names": ({"patient_name": "Doe^Jane"}, {"patient_name": "Roe^Ann"}, "patient name"),
    "two birthdays": ({"birth_date": "1980-01-01"}, {"birth_date": "1980-01-02"}, "birth date"),
    "two sexes": ({"sex": "F"}, {"sex": "M"}, "sex"),
    "one photograph of two patients": ({"photo": "b.jpg"}, {"patient_id": "2"}, "photograph"),
    "one study of two patients": ({"study_uid": "1.2.3"}, {"study_uid": "1.2.3", "patient_id": "2"}, "study"),
}


@pytest.mark.parametrize(("one", "other", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_rows_that_contradict_each_other_are_all_refused(
    one: dict[str, str], other: dict[str, str], words: str, tmp_path: Path
) -> None:
    apart = {"photo": "c.jpg", "patient_id": "9"}
    code, rows = listed(tmp_path, [{**A, **one}, {**B, **other}, apart])
    told = {str(row["input"]): row for row in rows}
    refused = [row for row in rows if row["status"] == "refused"]
    assert (code, len(refused), told["c.jpg"]["status"]) == (1, 2, "wrapped")
    assert all(words in str(row["reason"]) for row in refused)


def test_the_same_number_of_two_hospitals_is_two_patients(tmp_path: Path) -> None:
    rows = [{**A, "issuer": "H1", "patient_name": "Doe^Jane"}, {**B, "issuer": "H2", "patient_name": "Roe^Ann"}]
    code, told = listed(tmp_path, rows)
    assert (code, statuses(told)) == (0, ["wrapped"] * 2)
    assert len({each.StudyInstanceUID for each in objects(told)}) == 2


@pytest.mark.parametrize("field", [{"patient_name": "Roe^Ann"}, {"birth_date": "1990-01-01"}, {"sex": "M"}])
def test_a_row_that_names_another_person_without_a_number_takes_no_number_of_the_options(
    field: dict[str, str], tmp_path: Path
) -> None:
    options = ("--patient-id", "77", "--patient-name", "Doe^Jane", "--birth-date", "1980-01-01", "--sex", "F")
    code, told = listed(tmp_path, [{"photo": "a.jpg", **field}], *options)
    (dataset,) = objects(told)
    assert (code, dataset.PatientID) == (0, "")
    assert dataset.PatientName != "Doe^Jane"


def test_what_is_no_result_file_is_never_replaced(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photos.jpeg())
    manifest = put(tmp_path / "m.csv", csv_of([A]))
    precious = put(tmp_path / "letter.txt", "precious")
    for other in (manifest, tmp_path / "a.jpg", precious):
        before = other.read_bytes()
        result = run("--manifest", manifest, "--out", tmp_path / "out", "--results", other)
        assert (result.exit_code, other.read_bytes()) == (2, before)
        assert "no result file" in result.output


def test_a_damaged_name_space_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photos.jpeg())
    put(tmp_path / "out" / "uid-namespace", "")
    result = run("--manifest", put(tmp_path / "m.csv", csv_of([A])), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "uid-namespace" in result.output


@pytest.mark.parametrize("option", ["--consent", "--consent-form", "--stamp-key", "--from-worklist", "--manifest"])
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty0", "/dev"])
def test_a_device_is_no_paper(option: str, device: str, tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photos.jpeg())
    photo = () if option == "--manifest" else (tmp_path / "a.jpg",)
    assert run(*photo, "--out", tmp_path / "out", option, device).exit_code == 2


@pytest.mark.parametrize("text", ['{"photo": "\\ud800.jpg"}', "[" * 200_000])
def test_a_manifest_of_nonsense_is_told(text: str, tmp_path: Path) -> None:
    manifest = put(tmp_path / "m.jsonl", text)
    result = run("--manifest", manifest, "--out", tmp_path / "out")
    assert result.exit_code in (1, 2)


def test_a_changed_photograph_of_the_same_name_is_wrapped_beside_the_first(tmp_path: Path) -> None:
    listed(tmp_path, [A])
    put(tmp_path / "a.jpg", photos.jpeg(quality=33))
    code, told = run_json("--manifest", tmp_path / "m.csv", "--out", tmp_path / "out")
    assert (code, statuses(told)) == (1, ["wrapped"])
    assert len([*(tmp_path / "out").glob("*.dcm")]) == 2


def test_objects_that_an_archive_vouches_for_are_not_made_again(tmp_path: Path) -> None:
    _, (row,) = listed(tmp_path, [A])
    file = Path(str(row["output"]))
    receipt = Receipt(
        sop_class_uid="1.2",
        sop_instance_uid=str(row["sop_instance_uid"]),
        sha256="0" * 64,
        size=file.stat().st_size,
        transaction_uid="1.2.3",
        peer_aet="ARCHIVE",
        peer_host="pacs.example",
        peer_port=104,
        sent_by="C-STORE",
        sent_at=NOW,
        committed_at=NOW,
        version="test",
    )
    put(Path(f"{file}.receipt.json"), text_of(receipt))
    file.unlink()
    code, again = run_json("--manifest", tmp_path / "m.csv", "--out", tmp_path / "out")
    assert (code, again, file.exists()) == (0, [], False)


def test_a_photograph_without_a_time_stays_in_its_study_on_another_day(tmp_path: Path) -> None:
    undated = put(tmp_path / "a.jpg", photos.jpeg())
    _, (row,) = listed(tmp_path, [A])
    Path(str(row["output"])).unlink()
    manifest = tmp_path / "m.csv"
    tools = Tools(now=lambda: NOW + timedelta(days=3))
    arguments = ["wrap", "--manifest", str(manifest), "--out", str(tmp_path / "out"), "--json"]
    told = CliRunner().invoke(main, arguments, obj=tools)
    again = json.loads(told.stdout)
    assert undated.exists()
    assert again["sop_instance_uid"] == row["sop_instance_uid"]
    assert again["study_instance_uid"] == row["study_instance_uid"]
    assert dcmread(again["output"]).StudyDate == NOW.strftime("%Y%m%d")


@pytest.mark.parametrize("value", ["1.5", "true", '{"a": 1}', "[1]", "Infinity"])
def test_a_value_that_is_no_text_is_no_patient_s_number(value: str, tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photos.jpeg())
    manifest = put(tmp_path / "m.jsonl", f'{{"photo": "a.jpg", "patient_id": {value}}}\n')
    code, rows = run_json("--manifest", manifest, "--out", tmp_path / "out")
    assert (code, statuses(rows)) == (1, ["refused"])
