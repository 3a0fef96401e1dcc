"""Manifests: a table of photographs, one row each, told row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomwrap.consenttags import read_stamp
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PDF, left_behind, objects, put, run, run_json, statuses
from tests.unit.dicomwrap.objects import CONSENT
from tests.unit.dicomwrap.rasterfiles import grey_page, tiff

Table = Sequence[Mapping[str, str]]
QUIET = photos.jpeg(exif=photos.exif())


def csv_of(rows: Table) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    return "".join(",".join(f'"{cell}"' if {",", "\n"} & set(cell) else cell for cell in line) + "\n" for line in lines)


def json_lines_of(rows: Table) -> str:
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)


FORMS = {"m.csv": csv_of, "m.jsonl": json_lines_of, "m.NDJSON": json_lines_of}


def listed(folder: Path, rows: Table, *said: str, form: str = "m.csv") -> tuple[int, list[dict[str, object]]]:
    """Wrap what a table lists; photographs that it names and that don't exist are made."""
    for number, row in enumerate(rows):
        if row.get("photo", "").endswith(".jpg") and not (folder / row["photo"]).exists():
            put(folder / row["photo"], photos.jpeg(exif=photos.exif(), quality=95 - number % 50))
    manifest = put(folder / form, FORMS[form](rows))
    return run_json("--manifest", manifest, "--out", folder / "out", *said)


def results(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "out" / "results.jsonl").read_text().splitlines()]


def made(folder: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted((folder / "out").glob("*.dcm"))]


def names(folder: Path) -> list[str]:
    """Return the names of the objects in the output folder, without the part that is made of what the row says."""
    found = left_behind(folder / "out")
    found.remove("results.jsonl")
    return sorted(re.sub(r"-[0-9a-f]{8}(?=(-p\d+)?\.dcm$)", "", name) for name in found)


TWO = (
    {"photo": "a.jpg", "patient_id": "P1", "body_site": "hand", "laterality": "L"},
    {"photo": "deep/b.jpg", "patient_id": "P2", "body_site": "face", "laterality": "R"},
)


@pytest.mark.parametrize("form", FORMS)
def test_each_row_becomes_an_object_with_its_own_details(form: str, tmp_path: Path) -> None:
    code, rows = listed(tmp_path, TWO, form=form)
    assert (code, statuses(rows)) == (0, ["wrapped"] * 2)
    assert [(each.PatientID, each.ImageLaterality) for each in objects(rows)] == [("P1", "L"), ("P2", "R")]
    assert names(tmp_path) == ["a.dcm", "b.dcm"]


def test_the_result_file_has_a_line_for_each_row(tmp_path: Path) -> None:
    _, rows = listed(tmp_path, TWO)
    noted = results(tmp_path)
    assert [(each["row"], each["input"], each["status"]) for each in noted] == [
        (1, "a.jpg", "wrapped"),
        (2, "deep/b.jpg", "wrapped"),
    ]
    assert [each["sop_instance_uid"] for each in noted] == [row["sop_instance_uid"] for row in rows]
    assert [each["size"] for each in noted] == [Path(str(each["output"])).stat().st_size for each in noted]


def test_the_result_file_may_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "logs" / "r.jsonl"
    listed(tmp_path, TWO, "--results", str(elsewhere))
    assert len(elsewhere.read_text().splitlines()) == 2
    assert not (tmp_path / "out" / "results.jsonl").exists()


def test_what_the_options_say_holds_where_a_row_says_nothing(tmp_path: Path) -> None:
    table = ({"photo": "a.jpg", "laterality": ""}, {"photo": "b.jpg", "laterality": "R"})
    _, rows = listed(tmp_path, table, "--patient-id", "P1", "--laterality", "L", "--institution", "St Elsewhere")
    assert [(each.PatientID, each.ImageLaterality) for each in objects(rows)] == [("P1", "L"), ("P1", "R")]
    assert {each.InstitutionName for each in objects(rows)} == {"St Elsewhere"}


def test_a_row_of_another_patient_takes_nothing_of_the_patient_in_the_options(tmp_path: Path) -> None:
    table = ({"photo": "a.jpg", "patient_id": "P2"}, {"photo": "b.jpg", "patient_id": ""})
    whose = ("--patient-id", "P1", "--issuer", "H", "--patient-name", "Doe^Jane", "--birth-date", "1980-06-15")
    _, rows = listed(tmp_path, table, *whose, "--sex", "F", "--study-uid", "2.25.9", "--accession", "A1")
    other, same = objects(rows)
    assert (other.PatientID, str(other.PatientName), other.PatientBirthDate, other.PatientSex) == ("P2", "", "", "")
    assert (other.StudyInstanceUID == "2.25.9", other.AccessionNumber) == (False, "")
    assert (same.PatientID, same.PatientName, same.StudyInstanceUID) == ("P1", "Doe^Jane", "2.25.9")


def test_columns_may_be_written_as_people_write_them(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", QUIET)
    text = '\ufeffFile, Patient-ID ,"Patient Name",BODY_SITE,reason\r\na.jpg,P1,"Doe^Jane",hand,"mole, ""new"""\r\n\r\n'
    code, rows = run_json("--manifest", put(tmp_path / "m.csv", text), "--out", tmp_path / "out")
    assert (code, statuses(rows)) == (0, ["wrapped"]), rows
    (dataset,) = objects(rows)
    assert (dataset.PatientID, dataset.PatientName) == ("P1", "Doe^Jane")
    assert dataset.ReasonForVisit == 'mole, "new"'


@pytest.mark.parametrize("form", FORMS)
def test_letters_of_all_alphabets_and_odd_line_ends_stay_in_their_cell(form: str, tmp_path: Path) -> None:
    table = ({"photo": "a.jpg", "patient_id": "Ж1", "patient_name": "Müller^山田\u3000x"},)
    code, rows = listed(tmp_path, table, form=form)
    assert (code, objects(rows)[0].PatientName) == (0, "Müller^山田\u3000x")
    odd = (
        {"photo": "a.jpg", "patient_id": "P1", "reason": "a\u2028b"},
        {"photo": "b.jpg", "patient_id": "P1", "reason": "a\nb"},
        {"photo": "c.jpg", "patient_id": "P1", "reason": "a\u0085b"},
    )
    _, rows = listed(tmp_path, odd, form=form)
    assert [row["input"] for row in rows] == ["a.jpg", "b.jpg", "c.jpg"]


BAD = {
    "wrong sex": ({"sex": "X"}, "--sex"),
    "wrong date": ({"birth_date": "yesterday"}, "--birth-date"),
    "unknown site": ({"body_site": "moon"}, "--body-site"),
    "no photograph named": ({"photo": ""}, "names no photograph"),
    "no such photograph": ({"photo": "nowhere.png"}, "no such file"),
    "a folder": ({"photo": "."}, "isn't a file"),
    "a picture that isn't read": ({"photo": "a.gif"}, "GIF"),
    "no such consent": ({"consent": "nowhere.json"}, "--consent: can't be read"),
    "a lesion of nobody": ({"lesion": "A", "patient_id": ""}, "--lesion"),
    "two faults": ({"sex": "X", "laterality": "up"}, "--laterality"),
    "a number for a word": ({"dermoscopy": "perhaps"}, "--dermoscopy"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_a_bad_row_is_refused_and_the_others_go_on(change: dict[str, str], words: str, tmp_path: Path) -> None:
    put(tmp_path / "a.gif", b"GIF89a" + bytes(20))
    good = {"photo": "a.jpg", "patient_id": "P1"}
    code, rows = listed(tmp_path, (good, {**good, "photo": "b.jpg", **change}, {**good, "photo": "c.jpg"}))
    noted = results(tmp_path)
    assert (code, statuses(noted)) == (1, ["wrapped", "refused", "wrapped"])
    assert words in str(noted[1]["reason"])
    assert noted[1]["remedy"]
    assert sorted(map(str, statuses(rows))) == ["refused", "wrapped", "wrapped"]
    assert names(tmp_path) == ["a.dcm", "c.dcm"]


def test_a_row_that_is_there_twice_is_wrapped_once(tmp_path: Path) -> None:
    row = {"photo": "a.jpg", "patient_id": "P1"}
    code, _ = listed(tmp_path, (row, {**row, "laterality": "R"}, row))
    noted = results(tmp_path)
    assert (code, statuses(noted)) == (1, ["wrapped", "wrapped", "refused"])
    assert "Row 1 says the same" in str(noted[2]["reason"])
    assert names(tmp_path) == ["a.dcm", "a.dcm"]


def test_two_photographs_of_one_name_lie_side_by_side(tmp_path: Path) -> None:
    table = [{"photo": f"{folder}/a.jpg", "patient_id": "P1"} for folder in "xyz"]
    assert listed(tmp_path, table)[0] == 0
    assert names(tmp_path) == ["a.dcm"] * 3


@pytest.mark.parametrize(
    ("form", "line"),
    [("m.csv", "b.jpg,P1,too,many"), ("m.jsonl", '{"photo": "b.jpg", "patient_id": "P1", "shoe_size": "9"}')],
)
def test_a_row_that_does_not_fit_the_table_is_refused_alone(form: str, line: str, tmp_path: Path) -> None:
    table = ({"photo": "a.jpg", "patient_id": "P1"},)
    put(tmp_path / "a.jpg", QUIET)
    put(tmp_path / "b.jpg", QUIET)
    text = FORMS[form](table) + line + "\n"
    code, _ = run_json("--manifest", put(tmp_path / form, text), "--out", tmp_path / "out")
    assert (code, statuses(results(tmp_path))) == (1, ["wrapped", "refused"])


WRONG = {
    "unknown column": ("m.csv", "photo,shoe_size\na.jpg,9\n", "1 columns that nobody knows"),
    "column twice": ("m.csv", "photo,sex,sex\na.jpg,F,M\n", "column twice"),
    "column twice by another name": ("m.csv", "photo,input\na.jpg,b.jpg\n", "column twice"),
    "no photographs": ("m.csv", "patient_id\nP1\n", "no column 'photo'"),
    "semicolons": ("m.csv", "photo;patient_id\na.jpg;P1\n", "1 columns that nobody knows"),
    "no rows": ("m.csv", "photo,patient_id\n", "no rows"),
    "nothing": ("m.csv", "", "photo"),
    "open quote": ("m.csv", 'photo,reason\na.jpg,"never ends\n', "no CSV"),
    "no text": ("m.csv", b"\xff\xfep\0h\0", "no text in UTF-8"),
    "no JSON": ("m.jsonl", "photo,patient_id\n", "line 1"),
    "no object": ("m.jsonl", '{"photo": "a.jpg"}\n["a.jpg"]\n', "line 2"),
    "field twice": (
        "m.jsonl",
        '{"photo": "a.jpg", "patient_id": "P1", "patient_id": "P2"}\n',
        "line 1 has a field twice: patient_id",
    ),
    "field twice by another name": (
        "m.jsonl",
        '{"photo": "a.jpg", "patient_id": "P1", "Patient-ID": "P2"}\n',
        "line 1 has a field twice: patient_id",
    ),
    "no lines": ("m.jsonl", "\n\n", "no rows"),
}


@pytest.mark.parametrize(("name", "text", "words"), WRONG.values(), ids=WRONG)
def test_a_manifest_that_cannot_be_used_is_refused_as_a_whole(
    name: str, text: str | bytes, words: str, tmp_path: Path
) -> None:
    put(tmp_path / "a.jpg", QUIET)
    result = run("--manifest", put(tmp_path / name, text), "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = run("--manifest", tmp_path / "nowhere.csv", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_every_detail_is_a_column(tmp_path: Path) -> None:
    put(tmp_path / "c.json", CONSENT.replace('"issuer": "HOSP",', ""))
    put(tmp_path / "f.pdf", PDF)
    row = {
        "photo": "a.jpg", "consent": "c.json", "consent_form": "f.pdf", "purpose": "TEACHING", "made_for": "secondary",
        "device_class": "PERSONAL", "device_reason": "URGENT_CARE", "operator": "Lee^Ann", "accession": "A1",
        "procedure_id": "RP1", "procedure": "Photograph", "step_id": "S1", "step": "Take it", "recognisable": "no",
        "lesion": "A", "manufacturer": "Other", "dermoscopy": "yes", "polarised": "no", "immersion": "WATER",
        "magnification": "10", "exif_orientation": "6", "orientation": "lossless", "admission_issuer": "H",
        "admission_id": "V1", "referrer": "Grün^Zoë",
    }  # fmt: skip
    code, rows = listed(tmp_path, (row,))
    assert (code, statuses(rows)) == (0, ["wrapped", "wrapped"]), rows
    dataset = objects(rows)[0]
    request = dataset.RequestAttributesSequence[0]
    assert (request.RequestedProcedureID, request.RequestedProcedureDescription) == ("RP1", "Photograph")
    assert (request.ScheduledProcedureStepID, request.ScheduledProcedureStepDescription) == ("S1", "Take it")
    assert (dataset.PatientID, dataset.AccessionNumber, dataset.AdmissionID) == ("P1", "A1", "V1")
    assert (dataset.LightSourcePolarization, dataset.ImmersionMedia) == ("NON_POLARIZED", "WATER")
    assert (dataset.Rows, dataset.Columns, dataset.TrackingID) == (64, 48, "A")
    stamp = read_stamp(dataset)
    assert stamp is not None
    assert (stamp.capture_purpose, stamp.device_class) == ("TRAIN", "PERSONAL")


def test_photographs_of_one_visit_are_one_study_that_says_the_same_everywhere(tmp_path: Path) -> None:
    for number in range(6):
        taken = f"2025:03:0{number % 2 + 1} 10:15:3{number}"
        put(tmp_path / f"{number}.jpg", photos.jpeg(exif=photos.exif(taken=taken)))
    listed(tmp_path, [{"photo": f"{number}.jpg", "patient_id": "P1"} for number in range(6)])
    studies: dict[str, list[Dataset]] = {}
    for each in made(tmp_path):
        studies.setdefault(each.StudyInstanceUID, []).append(each)
    assert sorted(len(group) for group in studies.values()) == [3, 3]
    for group in studies.values():
        assert len({(each.StudyDate, each.StudyTime, each.StudyID) for each in group}) == 1
        assert len({each.SeriesInstanceUID for each in group}) == len({each.SeriesNumber for each in group}) == 1
        assert len({each.InstanceNumber for each in group}) == 3
        assert {each.ContentDate for each in group} == {group[0].StudyDate}


@pytest.mark.parametrize("visit", ["accession", "admission_id", "study_uid"])
def test_an_order_or_a_visit_that_is_named_makes_the_study(visit: str, tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path / f"{number}.jpg", photos.jpeg(exif=photos.exif(taken=f"2025:03:0{number} 23:59:59")))
    listed(tmp_path, [{"photo": f"{number}.jpg", "patient_id": "P1", visit: "1.2.3"} for number in (1, 2)])
    first, second = made(tmp_path)
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert (first.StudyDate, first.StudyTime) == (second.StudyDate, second.StudyTime)


def test_two_patients_never_share_a_study(tmp_path: Path) -> None:
    people = [(who, issuer) for who in ("P1", "P2") for issuer in ("H", "I", "")]
    table = [{"photo": f"{who}{issuer}.jpg", "patient_id": who, "issuer": issuer} for who, issuer in people]
    listed(tmp_path, table)
    assert len({each.StudyInstanceUID for each in made(tmp_path)}) == 6


def test_patients_without_a_number_are_not_put_into_one_study(tmp_path: Path) -> None:
    listed(tmp_path, [{"photo": "a.jpg", "patient_name": "Doe^Jane"}, {"photo": "b.jpg", "patient_name": "Roe^Jim"}])
    assert len({each.StudyInstanceUID for each in made(tmp_path)}) == 2


def test_the_pages_of_a_tiff_are_numbered(tmp_path: Path) -> None:
    put(tmp_path / "scan.tif", tiff(grey_page(), grey_page(bytes(12)), grey_page(bytes([9]) * 12)))
    listed(tmp_path, ({"photo": "scan.tif", "patient_id": "P1"}, {"photo": "a.jpg", "patient_id": "P1"}))
    pages = [each for each in made(tmp_path) if each.Rows == 3]
    assert len({each.SOPInstanceUID for each in pages}) == len({each.InstanceNumber for each in pages}) == 3


def test_a_form_lies_once_in_its_study_and_every_photograph_points_at_it(tmp_path: Path) -> None:
    put(tmp_path / "f.pdf", PDF)
    rows = [{"photo": f"{n}.jpg", "patient_id": f"P{n % 2}", "consent_form": "f.pdf"} for n in range(6)]
    code, _ = listed(tmp_path, rows)
    forms = {each.StudyInstanceUID: each for each in made(tmp_path) if each.Modality == "DOC"}
    photographs = [each for each in made(tmp_path) if each.Modality == "XC"]
    assert (code, len(forms), len(photographs)) == (0, 2, 6)
    for each in photographs:
        reference = each.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
        assert reference == forms[each.StudyInstanceUID].SOPInstanceUID
        assert forms[each.StudyInstanceUID].PatientID == each.PatientID


def test_two_thousand_rows_are_two_thousand_objects(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", QUIET)
    table = [{"photo": "a.jpg", "patient_id": "P1", "reason": f"r{number}"} for number in range(2000)]
    code, rows = listed(tmp_path, table)
    assert (code, len(rows), len({row["sop_instance_uid"] for row in rows})) == (0, 2000, 2000)
