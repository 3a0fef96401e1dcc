"""Manifests that are run again: what was interrupted goes on, what is done is not done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PDF, left_behind, put, run
from tests.unit.dicomwrap.objects import CONSENT
from tests.unit.dicomwrap.test_manifest import Table, csv_of, listed, results

BOTH = ("one", "many")
ROWS: Table = [{"photo": f"{n}.jpg", "patient_id": f"P{n % 3}", "body_site": "hand"} for n in range(9)]


def uids(folder: Path) -> dict[str, str]:
    """Return the SOP Instance UID of every object by its file's name."""
    return {path.name: dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in (folder / "out").glob("*.dcm")}


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").glob("*.dcm")}


def output(folder: Path, row: int) -> Path:
    """Return the path of the object that a row became."""
    return next(Path(str(each["output"])) for each in results(folder) if each["row"] == row)


def results_file(folder: Path) -> Path:
    return folder / "out" / "results.jsonl"


def clean(folder: Path) -> None:
    """Hold that there is one result for each row, one object for each result, and nothing besides."""
    noted = results(folder)
    assert [each["row"] for each in noted] == list(range(1, len(ROWS) + 1))
    outputs = [Path(str(each["output"])).name for each in noted]
    assert left_behind(folder / "out") == sorted([*outputs, "results.jsonl"])
    assert {each["sop_instance_uid"] for each in noted} == set(uids(folder).values())
    assert len(set(uids(folder).values())) == len(ROWS)


def test_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before, times = bytes_of(tmp_path), {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.dcm")}
    result = run("--manifest", tmp_path / "m.csv", "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "9 of them before" in result.stderr
    assert bytes_of(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times
    clean(tmp_path)


def test_photographs_that_come_later_are_wrapped_and_the_others_left(tmp_path: Path) -> None:
    for number, row in enumerate(ROWS[:4]):
        put(tmp_path / row["photo"], photos.jpeg(exif=photos.exif(), quality=80 - number))
    manifest = put(tmp_path / "m.csv", csv_of(ROWS))
    first = run("--manifest", manifest, "--out", tmp_path / "out")
    assert first.exit_code == 1
    before = bytes_of(tmp_path)
    code, rows = listed(tmp_path, ROWS)
    assert (code, len(rows), len(before)) == (0, 5, 4)
    assert before.items() <= bytes_of(tmp_path).items()
    clean(tmp_path)


@pytest.mark.parametrize("cut", [1, 50, 1000, 2500, -1], ids=str)
def test_a_result_file_that_a_crash_cut_short_is_taken_up(cut: int, tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before, text = uids(tmp_path), results_file(tmp_path).read_bytes()
    results_file(tmp_path).write_bytes(text[:cut])
    code, _ = listed(tmp_path, ROWS)
    assert (code, uids(tmp_path)) == (0, before)
    clean(tmp_path)


def test_a_crash_in_the_second_run_too_is_taken_up(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before, lines = uids(tmp_path), results_file(tmp_path).read_text().splitlines(keepends=True)
    put(results_file(tmp_path), "".join(lines[:3]) + lines[3][:40])
    (tmp_path / ROWS[8]["photo"]).rename(tmp_path / "later")
    assert listed_without_making(tmp_path) == 1
    (tmp_path / "later").rename(tmp_path / ROWS[8]["photo"])
    assert listed_without_making(tmp_path) == 0
    assert uids(tmp_path) == before
    clean(tmp_path)


def listed_without_making(folder: Path) -> int:
    return run("--manifest", folder / "m.csv", "--out", folder / "out").exit_code


@pytest.mark.parametrize("garbage", [b"\xff\xfe\0\n", b'{"row": "x"}\n', b"[]\n", b'{"row": 1}\n', b"null\n", b"\n"])
def test_garbage_in_the_result_file_is_passed_over(garbage: bytes, tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = uids(tmp_path)
    results_file(tmp_path).write_bytes(garbage + results_file(tmp_path).read_bytes())
    assert listed(tmp_path, ROWS)[0] == 0
    assert uids(tmp_path) == before
    clean(tmp_path)


@pytest.mark.parametrize("lost", [[0], [8], [2, 3, 4], list(range(9))], ids=str)
def test_results_that_are_lost_give_the_same_objects_again(lost: list[int], tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before, lines = bytes_of(tmp_path), results_file(tmp_path).read_text().splitlines(keepends=True)
    put(results_file(tmp_path), "".join(line for index, line in enumerate(lines) if index not in lost))
    code, rows = listed(tmp_path, ROWS)
    assert (code, len(rows), bytes_of(tmp_path)) == (0, len(lost), before)
    clean(tmp_path)


@pytest.mark.parametrize("damage", ["removed", "empty", "cut", "longer"])
def test_objects_that_are_lost_or_damaged_are_made_again(damage: str, tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = bytes_of(tmp_path)
    path = output(tmp_path, 3)
    data = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "longer": data + b"\0\0"}[damage])
    code, rows = listed(tmp_path, ROWS)
    assert (code, len(rows), bytes_of(tmp_path)) == (0, 1, before)
    clean(tmp_path)


def test_something_else_in_an_object_s_place_is_never_replaced(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    precious = put(output(tmp_path, 3), b"precious")
    code, _ = listed(tmp_path, ROWS)
    noted = results(tmp_path)
    assert (code, noted[2]["status"], precious.read_bytes()) == (1, "refused", b"precious")
    assert "already there" in str(noted[2]["reason"])


@pytest.mark.parametrize("length", range(0, 64, 7))
def test_an_object_is_known_again_however_long_its_header_is(length: int, tmp_path: Path) -> None:
    long = {"institution": "x" * length, "reason": "x" * 64, "study_description": "x" * 64, "consent_form": "f.pdf"}
    put(tmp_path / "f.pdf", PDF)
    put(tmp_path / "a.jpg", photos.with_colour_profile())
    table: Table = [{"photo": "a.jpg", "patient_id": "P1", **long}]
    listed(tmp_path, table)
    results_file(tmp_path).unlink()
    assert listed(tmp_path, table)[0] == 0


@pytest.mark.parametrize("change", [{"laterality": "R"}, {"patient_name": "Doe^Jane"}, {"body_site": "face"}])
def test_a_row_that_says_something_else_is_another_object(change: dict[str, str], tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = bytes_of(tmp_path)
    code, rows = listed(tmp_path, [*ROWS[:2], {**ROWS[2], **change}, *ROWS[3:]])
    assert (code, [row["status"] for row in rows]) == (1, ["wrapped"])  # the first object is still there, and told
    assert before.items() <= bytes_of(tmp_path).items()
    assert len(set(uids(tmp_path).values())) == len(ROWS) + 1
    assert [each["status"] for each in results(tmp_path)] == ["wrapped"] * len(ROWS) + ["superseded"]
    Path(str(results(tmp_path)[-1]["output"])).unlink()
    assert listed(tmp_path, [*ROWS[:2], {**ROWS[2], **change}, *ROWS[3:]])[0] == 0
    assert len(results(tmp_path)) == len(ROWS)


def test_another_photograph_under_the_same_name_is_another_object(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = uids(tmp_path)
    first = output(tmp_path, 1)
    first.unlink()
    put(tmp_path / "0.jpg", photos.jpeg(photos.picture(80, 48)))
    code, (row,) = listed(tmp_path, ROWS)
    assert (code, row["status"], row["columns"]) == (0, "wrapped", 80)
    assert row["sop_instance_uid"] not in before.values()


def test_a_photograph_that_is_gone_once_it_was_wrapped_is_not_missed(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = bytes_of(tmp_path)
    (tmp_path / "0.jpg").unlink()
    assert listed_without_making(tmp_path) == 0
    assert bytes_of(tmp_path) == before


def test_a_consent_that_says_something_else_makes_another_object(tmp_path: Path) -> None:
    table: Table = [{"photo": "a.jpg", "consent": "c.json"}]
    put(tmp_path / "c.json", CONSENT)
    listed(tmp_path, table)
    before = uids(tmp_path)
    put(tmp_path / "c.json", CONSENT.replace("TEACHING", "RESEARCH"))
    code, rows = listed(tmp_path, table)
    assert (code, len(rows)) == (1, 1)
    assert rows[0]["sop_instance_uid"] not in before.values()


@pytest.mark.parametrize("place", [0, 4])
def test_rows_that_are_put_in_between_leave_the_others_alone(place: int, tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    before = bytes_of(tmp_path)
    code, rows = listed(tmp_path, [*ROWS[:place], {"photo": "new.jpg", "patient_id": "P9"}, *ROWS[place:]])
    assert (code, [row["input"] for row in rows]) == (0, ["new.jpg"])
    assert before.items() <= bytes_of(tmp_path).items()
    assert [each["row"] for each in results(tmp_path)] == list(range(1, len(ROWS) + 2))
    assert len(bytes_of(tmp_path)) == len(ROWS) + 1


def test_a_corrected_row_is_wrapped_in_the_next_run(tmp_path: Path) -> None:
    wrong = [*ROWS[:4], {**ROWS[4], "laterality": "up"}, *ROWS[5:]]
    assert listed(tmp_path, wrong)[0] == 1
    before = bytes_of(tmp_path)
    code, rows = listed(tmp_path, ROWS)
    assert (code, len(rows)) == (0, 1)
    assert before.items() <= bytes_of(tmp_path).items()
    clean(tmp_path)


def test_rows_that_are_added_at_the_end_leave_the_others_alone(tmp_path: Path) -> None:
    listed(tmp_path, ROWS[:5])
    before = bytes_of(tmp_path)
    code, rows = listed(tmp_path, ROWS)
    assert (code, len(rows)) == (0, 4)
    assert before.items() <= bytes_of(tmp_path).items()
    clean(tmp_path)


def test_objects_of_rows_that_are_gone_are_told_until_they_are_gone_too(tmp_path: Path) -> None:
    listed(tmp_path, ROWS)
    code, rows = listed(tmp_path, ROWS[:5])
    noted = results(tmp_path)
    assert (code, rows, [each["row"] for each in noted][:5]) == (1, [], [1, 2, 3, 4, 5])
    old = [each for each in noted if each["status"] == "superseded"]
    assert len(old) == len(ROWS) - 5
    for each in old:
        Path(str(each["output"])).unlink()
    assert listed(tmp_path, ROWS[:5])[0] == 0
    assert len(results(tmp_path)) == 5


def test_two_imports_share_no_uid(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        listed(tmp_path / folder, ROWS)
    every = [dcmread(path) for path in tmp_path.glob("*/out/*.dcm")]
    assert len(every) == 2 * len(ROWS)
    assert len({each.SOPInstanceUID for each in every}) == len(every)
    assert len({each.StudyInstanceUID for each in every}) == len({each.SeriesInstanceUID for each in every}) == 6


def share_namespace(folder: Path, *others: Path) -> None:
    for other in others:
        put(other / "out" / "uid-namespace", (folder / "out" / "uid-namespace").read_bytes())


def test_another_folder_with_the_same_name_space_gets_the_same_objects(tmp_path: Path) -> None:
    listed(tmp_path / "one", ROWS)
    share_namespace(tmp_path / "one", tmp_path / "other")
    listed(tmp_path / "other", ROWS)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


@pytest.mark.parametrize("jobs", ["2", "5"])
def test_several_jobs_make_the_same_objects(jobs: str, tmp_path: Path) -> None:
    for folder in BOTH:
        put(tmp_path / folder / "f.pdf", PDF)
    table: Table = [{**row, "consent_form": "f.pdf"} for row in ROWS]
    listed(tmp_path / "one", table)
    share_namespace(tmp_path / "one", tmp_path / "many")
    code, rows = listed(tmp_path / "many", table, "--jobs", jobs)
    assert code == 0, rows
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "many")
    one, many = (
        [{**each, "output": "", "source": ""} for each in results(tmp_path / name)] for name in ("one", "many")
    )
    assert one == many


def test_the_study_s_beginning_is_remembered_from_run_to_run(tmp_path: Path) -> None:
    for number, taken in enumerate(("10:00:00", "09:00:00", "11:00:00")):
        put(tmp_path / f"{number}.jpg", photos.jpeg(exif=photos.exif(taken=f"2025:03:01 {taken}")))
    (tmp_path / "0.jpg").rename(tmp_path / "later")
    table: Table = [{"photo": f"{number}.jpg", "patient_id": "P1"} for number in range(3)]
    manifest = put(tmp_path / "m.csv", csv_of(table))
    assert run("--manifest", manifest, "--out", tmp_path / "out").exit_code == 1
    (tmp_path / "later").rename(tmp_path / "0.jpg")
    assert run("--manifest", manifest, "--out", tmp_path / "out").exit_code == 0
    paths = sorted((tmp_path / "out").glob("*.dcm"))
    assert len({(each.StudyInstanceUID, each.StudyTime) for each in map(dcmread, paths)}) == 1


@pytest.mark.parametrize("damage", [b"", None], ids=["empty", "removed"])
def test_a_form_that_is_lost_is_made_again(damage: bytes | None, tmp_path: Path) -> None:
    put(tmp_path / "f.pdf", PDF)
    table: Table = [{**row, "consent_form": "f.pdf"} for row in ROWS[:3]]
    listed(tmp_path, table)
    before = bytes_of(tmp_path)
    form = next((tmp_path / "out").glob("consent-form-*.dcm"))
    form.unlink()
    if damage is not None:
        form.write_bytes(damage)
    assert listed(tmp_path, table)[0] == 0
    assert bytes_of(tmp_path) == before


def test_every_line_of_the_results_is_json_on_its_own(tmp_path: Path) -> None:
    listed(tmp_path, [{"photo": "a\u2028ü.jpg", "patient_id": "P1"}], form="m.jsonl")
    (line,) = results_file(tmp_path).read_text().splitlines()
    assert json.loads(line)["input"] == "a\u2028ü.jpg"
