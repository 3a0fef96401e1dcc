"""The command ``dicomwrap wrap``: exit codes, reasons, and what is on the disk afterwards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import dcmread

from dicomwrap.cli.main import main
from dicomwrap.consenttags import read_stamp
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.calls import PATIENT, left_behind, objects, one, put, run, run_json, statuses
from tests.unit.dicomwrap.objects import CONSENT
from tests.unit.dicomwrap.rasterfiles import grey_page, saved, tiff

QUIET = photos.jpeg(exif=photos.exif())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "IMG_1.jpg", QUIET)


def test_a_photo_becomes_an_object_with_patient_side_and_consent(photo: Path, tmp_path: Path) -> None:
    consent = put(tmp_path / "c.json", CONSENT)
    result = run(photo, "--out", tmp_path / "out", *PATIENT, "--consent", consent, "--operator", "Lee^Ann")
    assert (result.exit_code, result.stderr) == (0, "")
    dataset = dcmread(tmp_path / "out" / "IMG_1.dcm")
    assert (dataset.PatientID, dataset.ImageLaterality, dataset.OperatorsName) == ("P1", "L", "Lee^Ann")
    stamp = read_stamp(dataset)
    assert stamp is not None
    assert (stamp.status, stamp.permitted, stamp.capture_purpose) == ("active", ("TREAT", "TRAIN"), "TREAT")


def test_out_may_be_the_object_s_file(photo: Path, tmp_path: Path) -> None:
    assert run(photo, "--out", tmp_path / "deep" / "one.dcm", *PATIENT).exit_code == 0
    assert left_behind(tmp_path / "deep") == ["one.dcm"]


def test_the_answer_in_json_is_all_there_is_on_standard_output(photo: Path, tmp_path: Path) -> None:
    code, (row,) = run_json(photo, "--out", tmp_path / "out", *PATIENT)
    dataset = dcmread(str(row["output"]))
    assert (code, row["status"], row["input"], row["reason"]) == (0, "wrapped", str(photo), None)
    assert row["sop_instance_uid"] == dataset.SOPInstanceUID
    assert row["series_instance_uid"] == dataset.SeriesInstanceUID
    assert row["study_instance_uid"] == dataset.StudyInstanceUID
    assert (row["transfer_syntax"], row["lossless"]) == (dataset.file_meta.TransferSyntaxUID, True)
    assert (row["rows"], row["columns"], row["page"]) == (48, 64, 1)
    assert row["sha256"] == hashlib.sha256(QUIET).hexdigest()
    assert row["warnings"] == ["no consent was given; the object says so"]


def test_a_refusal_in_json_has_the_same_keys_and_its_reason(tmp_path: Path) -> None:
    gif = put(tmp_path / "a.gif", saved(photos.picture(), "GIF"))
    code, (row,) = run_json(gif, "--out", tmp_path / "out", *PATIENT)
    assert (code, row["status"], row["input"], row["lossless"]) == (1, "refused", str(gif), False)
    assert [row[key] for key in ("output", "sop_instance_uid", "transfer_syntax")] == [None] * 3
    assert "GIF" in str(row["reason"])
    assert "JPEG" in str(row["remedy"])


def test_lossless_is_said_of_what_lost_nothing_here(tmp_path: Path) -> None:
    kept = put(tmp_path / "kept.jpg", photos.oriented(6))
    anew = put(tmp_path / "anew.jpg", photos.oriented(6, (60, 43)))
    _, rows = run_json(kept, anew, "--out", tmp_path / "out", *PATIENT)
    assert [row["lossless"] for row in rows] == [True, False]


def test_photos_of_one_call_are_one_study_and_a_series_for_each_device(tmp_path: Path) -> None:
    names = [put(tmp_path / name, photos.camera_photo()) for name in ("a.jpg", "b.jpg")]
    other = put(tmp_path / "c.jpg", photos.jpeg())
    _, rows = run_json(names[0], other, names[1], "--out", tmp_path / "out", *PATIENT)
    made = objects(rows)
    assert len({each.StudyInstanceUID for each in made}) == len({each.StudyDate for each in made}) == 1
    assert {(each.StudyTime, each.StudyID) for each in made} == {("101530.250000", "20250301101530")}
    assert [(each.SeriesNumber, each.InstanceNumber) for each in made] == [(1, 1), (2, 1), (1, 2)]
    assert len({each.SOPInstanceUID for each in made}) == 3


@pytest.mark.parametrize("jobs", ["2", "8"])
def test_several_jobs_make_the_same_set_in_the_same_order(jobs: str, tmp_path: Path) -> None:
    names = [put(tmp_path / f"{n:02}.jpg", photos.jpeg(quality=50 + n, exif=photos.exif())) for n in range(40)]
    code, rows = run_json(*names, "--out", tmp_path / "out", "--jobs", jobs, *PATIENT)
    made = objects(rows)
    assert (code, [row["input"] for row in rows]) == (0, [str(name) for name in names])
    assert [Path(str(row["output"])).stem for row in rows] == [name.stem for name in names]
    assert len({each.SOPInstanceUID for each in made}) == 40
    assert len({each.StudyInstanceUID for each in made}) == len({each.SeriesInstanceUID for each in made}) == 1
    assert {each.InstanceNumber for each in made} == set(range(1, 41))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_page_of_a_tiff_becomes_an_object(jobs: str, tmp_path: Path) -> None:
    scan = put(tmp_path / "scan.tif", tiff(grey_page(), grey_page(bytes(12)), grey_page(bytes([9]) * 12)))
    other = put(tmp_path / "photo.jpg", photos.jpeg())
    code, rows = run_json(scan, other, "--out", tmp_path / "out", *PATIENT, "--jobs", jobs)
    assert (code, [row["page"] for row in rows]) == (0, [1, 2, 3, 1])
    assert left_behind(tmp_path / "out") == ["photo.dcm", "scan-p2.dcm", "scan-p3.dcm", "scan.dcm"]
    made = objects(rows)
    assert [each.PixelData for each in made[:3]] == [bytes(range(12)), bytes(12), bytes([9]) * 12]
    assert len({each.SOPInstanceUID for each in made}) == len({each.InstanceNumber for each in made}) == 4


def test_photos_that_share_a_name_get_numbers(tmp_path: Path) -> None:
    same = [put(tmp_path / name, QUIET) for name in ("a/x.jpg", "b/x.JPEG", "c/X.jpg", "d/x-2.jpg")]
    assert run(*same, "--out", tmp_path / "out", *PATIENT).exit_code == 0
    assert left_behind(tmp_path / "out") == ["X-3.dcm", "x-2-2.dcm", "x-2.dcm", "x.dcm"]


def test_a_truncated_photograph_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    short = put(tmp_path / "short.jpg", photos.camera_photo()[:2000])
    result = run(short, "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 1
    assert "short.jpg" in result.stderr
    assert "Copy the file from the camera again" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_photograph_cut_short_behind_a_whole_frame_is_refused_when_it_is_proved(tmp_path: Path) -> None:
    cut = put(tmp_path / "cut.jpg", photos.jpeg()[:-150] + b"\xff\xd9")
    code, (row,) = run_json(cut, "--out", tmp_path / "out", "--prove", *PATIENT)
    assert (code, row["status"]) == (1, "refused")
    assert "too early" in str(row["reason"])
    assert not (tmp_path / "out").exists()


def test_a_refused_photo_never_stops_the_others(photo: Path, tmp_path: Path) -> None:
    png = put(tmp_path / "b.png", b"\x89PNG\r\n\x1a\n")
    empty = put(tmp_path / "e.jpg", b"")
    code, rows = run_json(tmp_path / "nowhere.jpg", png, tmp_path, photo, empty, "--out", tmp_path / "out", *PATIENT)
    assert code == 1
    assert statuses(rows) == ["refused", "refused", "refused", "wrapped", "refused"]
    assert all(row["reason"] and row["remedy"] for row in rows if row["status"] == "refused")
    assert left_behind(tmp_path / "out") == ["IMG_1.dcm"]


def test_an_object_that_is_there_is_never_overwritten(photo: Path, tmp_path: Path) -> None:
    precious = put(tmp_path / "out" / "IMG_1.dcm", b"precious")
    result = run(photo, "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 1
    assert "already there" in result.stderr
    assert precious.read_bytes() == b"precious"


def test_the_photo_itself_is_left_as_it_was(photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    run(photo, "--out", photo.parent, *PATIENT)
    assert photo.read_bytes() == before
    assert left_behind(photo.parent) == ["IMG_1.dcm", "IMG_1.jpg"]


TURN = {
    "by default": ((), (0, (43, 60), "second compression")),
    "reencode": (("--orientation", "reencode"), (0, (43, 60), "second compression")),
    "keep": (("--orientation", "keep"), (0, (60, 43), "rotate clockwise by 90 degrees; stored unrotated")),
    "lossless": (("--orientation", "lossless"), (1, None, "Allow --orientation reencode")),
    "stale tag": (("--exif-orientation", "1"), (0, (60, 43), "")),
    "another tag": (("--exif-orientation", "3"), (0, (60, 43), "second compression")),
}


@pytest.mark.parametrize(("arguments", "expected"), TURN.values(), ids=TURN)
def test_a_person_decides_what_a_turn_may_cost(
    arguments: tuple[str, ...], expected: tuple[int, tuple[int, int] | None, str], tmp_path: Path
) -> None:
    turned = put(tmp_path / "t.jpg", photos.oriented(6, (60, 43)))
    result = run(turned, "--out", tmp_path / "out", *PATIENT, *arguments)
    code, size, words = expected
    assert result.exit_code == code
    assert words in result.stderr
    if size is not None:
        dataset = dcmread(tmp_path / "out" / "t.dcm")
        assert (dataset.Columns, dataset.Rows) == size


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"state": "REFUSED"}, "state is REFUSED"),
        ({"state": "PROPOSED"}, "state is PROPOSED"),
        ({"purposes": ["TEACHING"]}, "doesn't permit DIRECT_CARE"),
        ({"valid_to": "2026-11-21"}, "expired"),
        ({"valid_from": "2026-11-23"}, "isn't in force"),
    ],
)
def test_a_consent_that_permits_nothing_now_is_told_and_recorded(
    changes: dict[str, object], warning: str, photo: Path, tmp_path: Path
) -> None:
    consent = put(tmp_path / "c.json", json.dumps({**json.loads(CONSENT), **changes}))
    result = run(photo, "--out", tmp_path / "out", *PATIENT, "--consent", consent)
    assert result.exit_code == 0
    assert warning in result.stderr
    assert read_stamp(dcmread(tmp_path / "out" / "IMG_1.dcm")) is not None


def test_the_patient_s_number_may_come_from_the_consent(photo: Path, tmp_path: Path) -> None:
    consent = put(tmp_path / "c.json", CONSENT)
    dataset = one(photo, "--consent", consent, out=tmp_path / "out")
    assert (dataset.PatientID, dataset.IssuerOfPatientID) == ("P1", "HOSP")


def test_what_nobody_said_is_told(photo: Path, tmp_path: Path) -> None:
    result = run(photo, "--out", tmp_path / "out")
    assert "no patient's number was given" in result.stderr
    assert "no side was given; written as unpaired" in result.stderr
    assert dcmread(tmp_path / "out" / "IMG_1.dcm").ImageLaterality == "U"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (photos.jpeg(), "the time of wrapping is written"),
        (photos.jpeg(exif=photos.exif(taken="2026:11:24 09:30:00")), "the camera's clock is ahead"),
        (photos.camera_photo(), "bytes after the picture"),
    ],
    ids=["no clock", "clock ahead", "trailer"],
)
def test_what_is_doubtful_about_a_photograph_is_told(data: bytes, words: str, tmp_path: Path) -> None:
    result = run(put(tmp_path / "x.jpg", data), "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 0
    assert words in result.stderr


def test_an_intimate_picture_is_marked_as_restricted(photo: Path, tmp_path: Path) -> None:
    stamp = read_stamp(one(photo, *PATIENT, "--body-site", "Skin of buttock", out=tmp_path / "out"))
    assert stamp is not None
    assert stamp.confidentiality == "R"


def test_one_file_can_t_hold_several_photos(photo: Path, tmp_path: Path) -> None:
    assert run(photo, photo, "--out", tmp_path / "x.dcm").exit_code == 2


def test_a_call_without_a_photograph_is_wrong(tmp_path: Path) -> None:
    result = run("--out", tmp_path / "out")
    assert (result.exit_code, left_behind(tmp_path)) == (2, [])
    assert "name a photograph" in result.stderr


def test_no_message_carries_the_patient_s_name(photo: Path, tmp_path: Path) -> None:
    for arguments in (("--patient-name", "Secretname^\\"), ("--patient-name", "Secretname^Jane")):
        result = run(photo, tmp_path / "missing.jpg", "--out", tmp_path / "out", *arguments)
        assert "Secretname" not in result.output


def test_a_file_name_that_is_no_text_is_shown_without_harm(tmp_path: Path) -> None:
    name = put(tmp_path / "in" / "a\x1b[31m\udcff.jpg", photos.camera_photo()[:99])
    result = run(name, "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    code, (row,) = run_json(name, "--out", tmp_path / "out", *PATIENT)
    assert (code, row["status"]) == (1, "refused")


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("dicomwrap, version ")
