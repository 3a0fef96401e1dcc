"""The command ``dicomwrap wrap``: exit codes, reasons, and what is on the disk afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom import dcmread

from dicomwrap.cli.main import Tools, main
from dicomwrap.consenttags import read_stamp
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.objects import CONSENT, NOW, counted_uids

PATIENT = ("--patient-id", "P1", "--patient-name", "Doe^Jane", "--laterality", "L")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return put(tmp_path / "in" / "IMG_1.jpg", photos.camera_photo())


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def run(*arguments: str | Path) -> Result:
    tools = Tools(now=lambda: NOW, new_uid=counted_uids())
    return CliRunner().invoke(main, ["wrap", *map(str, arguments)], obj=tools, catch_exceptions=False)


def run_json(*arguments: str | Path) -> tuple[int, dict[str, list[dict[str, object]]]]:
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


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
    assert (tmp_path / "deep" / "one.dcm").is_file()


def test_the_answer_in_json_is_all_there_is_on_standard_output(photo: Path, tmp_path: Path) -> None:
    code, answer = run_json(photo, "--out", tmp_path / "out", *PATIENT)
    (wrapped,) = answer["wrapped"]
    dataset = dcmread(str(wrapped["file"]))
    assert (code, answer["refused"], wrapped["photo"]) == (0, [], str(photo))
    assert wrapped["sop_instance_uid"] == dataset.SOPInstanceUID
    assert wrapped["series_instance_uid"] == dataset.SeriesInstanceUID
    assert wrapped["study_instance_uid"] == dataset.StudyInstanceUID
    assert (wrapped["rows"], wrapped["columns"], len(str(wrapped["sha256"]))) == (48, 64, 64)
    assert wrapped["warnings"] == ["no consent was given; the object says so"]


def test_photos_of_one_call_are_one_study_and_a_series_for_each_device(tmp_path: Path) -> None:
    names = [put(tmp_path / name, photos.camera_photo()) for name in ("a.jpg", "b.jpg")]
    other = put(tmp_path / "c.jpg", photos.jpeg())
    _, answer = run_json(names[0], other, names[1], "--out", tmp_path / "out", *PATIENT)
    objects = [dcmread(str(each["file"])) for each in answer["wrapped"]]
    assert len({each.StudyInstanceUID for each in objects}) == len({each.StudyDate for each in objects}) == 1
    assert [(each.SeriesNumber, each.InstanceNumber) for each in objects] == [(1, 1), (2, 1), (1, 2)]
    assert len({each.SOPInstanceUID for each in objects}) == 3


def test_photos_that_share_a_name_get_numbers(tmp_path: Path) -> None:
    same = [put(tmp_path / folder / "x.jpg", photos.camera_photo()) for folder in "abc"]
    assert run(*same, "--out", tmp_path / "out", *PATIENT).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x-2.dcm", "x-3.dcm", "x.dcm"]


def test_a_truncated_photograph_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    short = put(tmp_path / "short.jpg", photos.camera_photo()[:2000])
    result = run(short, "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 1
    assert "short.jpg" in result.stderr
    assert "Copy the file from the camera again" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_refused_photo_never_stops_the_others(photo: Path, tmp_path: Path) -> None:
    png = put(tmp_path / "b.png", b"\x89PNG\r\n\x1a\n")
    code, answer = run_json(
        tmp_path / "nowhere.jpg",
        png,
        tmp_path,
        photo,
        put(tmp_path / "e.jpg", b""),
        "--out",
        tmp_path / "out",
        *PATIENT,
    )
    assert code == 1
    assert [Path(str(each["photo"])) for each in answer["wrapped"]] == [photo]
    assert len(answer["refused"]) == 4
    assert all(each["reason"] and each["remedy"] for each in answer["refused"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["IMG_1.dcm"]


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
    assert sorted(path.name for path in photo.parent.iterdir()) == ["IMG_1.dcm", "IMG_1.jpg"]


def test_a_turned_photo_is_wrapped_with_a_warning(tmp_path: Path) -> None:
    turned = put(tmp_path / "t.jpg", photos.camera_photo(orientation=6))
    result = run(turned, "--out", tmp_path / "out", *PATIENT)
    assert result.exit_code == 0
    assert "rotate clockwise by 90 degrees; stored unrotated" in result.stderr


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
    assert run(photo, "--out", tmp_path / "out", "--consent", consent).exit_code == 0
    dataset = dcmread(tmp_path / "out" / "IMG_1.dcm")
    assert (dataset.PatientID, dataset.IssuerOfPatientID) == ("P1", "HOSP")


def test_an_intimate_picture_is_marked_as_restricted(photo: Path, tmp_path: Path) -> None:
    run(photo, "--out", tmp_path / "out", *PATIENT, "--body-site", "Skin of buttock")
    stamp = read_stamp(dcmread(tmp_path / "out" / "IMG_1.dcm"))
    assert stamp is not None
    assert stamp.confidentiality == "R"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sex", "X"), "--sex"),
        (("--birth-date", "2030-01-01"), "--birth-date"),
        (("--patient-name", "a\\b"), "--patient-name"),
        (("--body-site", "elbow"), "did you mean"),
        (("--laterality", "up"), "--laterality"),
        (("--purpose", "FUN"), "allowed are DIRECT_CARE"),
        (("--operator", "a\\b"), "--operator"),
        (("--study-description", "a\\b"), "--study-description"),
        (("--consent", "nowhere.json"), "can't be read"),
        (("--consent", "{folder}"), "can't be read"),
        (("--consent", "{garbage}"), "line 1, column 1"),
        (("--consent", "{binary}"), "UTF-8"),
        (("--consent", "{unknown}"), "purposes[0]: 'WALLPAPER' is unknown; allowed are DIRECT_CARE"),
        (("--consent", "{consent}", "--patient-id", "P2"), "another patient"),
        (("--consent", "{consent}", "--issuer", "ELSEWHERE"), "another issuer"),
        (("--nonsense",), "No such option"),
        (("--out", "{garbage}"), "name a folder"),
    ],
)
def test_a_wrong_call_writes_nothing_and_names_the_fault(
    arguments: tuple[str, ...], words: str, photo: Path, tmp_path: Path
) -> None:
    places = {
        "folder": tmp_path,
        "garbage": put(tmp_path / "garbage", "not json"),
        "binary": put(tmp_path / "binary", b"\xff\xfe\0"),
        "unknown": put(tmp_path / "unknown", CONSENT.replace("DIRECT_CARE", "WALLPAPER")),
        "consent": put(tmp_path / "consent", CONSENT),
    }
    result = run(photo, "--out", tmp_path / "out", *PATIENT, *(each.format(**places) for each in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_all_faults_of_a_call_are_named_at_once(photo: Path, tmp_path: Path) -> None:
    result = run(photo, "--out", tmp_path, "--sex", "X", "--laterality", "up", "--purpose", "FUN", "--consent", "no")
    assert all(word in result.stderr for word in ("--sex", "--laterality", "--purpose", "--consent"))


def test_one_file_can_t_hold_several_photos(photo: Path, tmp_path: Path) -> None:
    assert run(photo, photo, "--out", tmp_path / "x.dcm").exit_code == 2


def test_no_message_carries_the_patient_s_name(photo: Path, tmp_path: Path) -> None:
    for arguments in (("--patient-name", "Secretname^\\"), ("--patient-name", "Secretname^Jane")):
        result = run(photo, tmp_path / "missing.jpg", "--out", tmp_path / "out", *arguments)
        assert "Secretname" not in result.output


def test_the_help_and_the_version_need_no_dicom_library() -> None:
    code = "import sys; from dicomwrap.cli.main import main; main(['--help'], standalone_mode=False)\n"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit('pydicom' in sys.modules)"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "wrap" in run.stdout
    assert CliRunner().invoke(main, ["--version"]).output.startswith("dicomwrap, version ")
