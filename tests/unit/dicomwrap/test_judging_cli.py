"""The commands ``verify``, ``inspect`` and ``unwrap``: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydicom.multival import MultiValue

from dicomwrap.cli.judging import inspect, unwrap, verify
from dicomwrap.consentblock import seal
from dicomwrap.consenttags import CREATOR, GROUP
from tests.unit.dicomwrap import photos
from tests.unit.dicomwrap.judged import encoded, sound, with_frame

KEY = b"a secret of sixteen bytes or more"
COMMANDS = {"verify": verify, "inspect": inspect, "unwrap": unwrap}


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(COMMANDS[command], [str(each) for each in arguments])


def leaky() -> bytes:
    dataset = sound()
    with_frame(dataset, photos.camera_photo())
    return encoded(dataset)


def sealed(key: bytes | None) -> bytes:
    dataset = sound()
    block = dataset.private_block(GROUP, CREATOR)
    values = {offset: texts_in(block[offset].value) for offset in range(0x100) if offset in block}
    block.add_new(0x40, "UT", seal("2.25.3", values, key))
    return encoded(dataset)


def texts_in(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, MultiValue) else (str(value),)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.dcm"
    path.write_bytes(encoded(sound()))
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.dcm"
    path.write_bytes(leaky())
    return path


def test_a_fit_object_ends_well_though_there_are_warnings(good: Path) -> None:
    result = run("verify", good)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{good}: warning CONSENT_STAMP_UNPROVEN: the consent stamp has no seal",
        f"{good}: fit (1 warning)",
    ]


def test_one_file_that_is_unfit_doesnt_stop_the_others(good: Path, bad: Path, tmp_path: Path) -> None:
    result = run("verify", tmp_path / "missing.dcm", bad, good)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert f"{tmp_path / 'missing.dcm'}: not fit (1 error)" in lines
    assert any(line.startswith(f"{bad}: not fit") for line in lines)
    assert lines[-1] == f"{good}: fit (1 warning)"


def test_the_json_has_exactly_these_keys(good: Path, bad: Path) -> None:
    result = run("verify", "--json", good, bad)
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [set(each) for each in told] == [{"file", "ok", "findings"}] * 2
    assert [each["ok"] for each in told] == [True, False]
    assert all(set(finding) == {"code", "severity", "message"} for each in told for finding in each["findings"])


@pytest.mark.parametrize(
    ("made_with", "checked_with", "expected"),
    [
        (KEY, KEY, set()),
        (KEY, KEY[::-1], {"CONSENT_STAMP_CHANGED"}),
        (KEY, None, {"CONSENT_STAMP_UNCHECKED"}),
        (None, None, {"CONSENT_STAMP_UNPROVEN"}),
        (None, KEY, {"CONSENT_STAMP_UNPROVEN"}),
    ],
)
def test_a_sealed_stamp_is_checked(
    made_with: bytes | None, checked_with: bytes | None, expected: set[str], tmp_path: Path
) -> None:
    path, key = tmp_path / "x.dcm", tmp_path / "key"
    path.write_bytes(sealed(made_with))
    key.write_bytes(checked_with or b"")
    result = run("verify", "--json", path, *(("--stamp-key", key) if checked_with else ()))
    assert {finding["code"] for finding in json.loads(result.stdout)[0]["findings"]} == expected


def test_a_stamp_that_was_changed_after_sealing_is_unfit(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(sealed(None).replace(b"TREAT\\TRAIN", b"TREAT\\HRESCH"[:11]))
    result = run("verify", path)
    assert result.exit_code == 1
    assert "CONSENT_STAMP_CHANGED" in result.stdout


@pytest.mark.parametrize("command", ["verify", "inspect"])
@pytest.mark.parametrize("content", [None, b"", b"short"], ids=["missing", "empty", "short"])
def test_a_key_that_is_none_is_a_wrong_call(command: str, content: bytes | None, good: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    result = run(command, good, "--stamp-key", key)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_call_without_files_is_wrong(command: str) -> None:
    assert run(command).exit_code == 2


def test_inspect_names_the_patient_on_the_screen_only(good: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = run("inspect", good)
    assert result.exit_code == 0
    assert "Doe, Jane" in result.stdout
    assert (result.stderr, caplog.text) == ("", "")


def test_inspect_tells_of_a_file_that_cant_be_read_and_goes_on(good: Path, tmp_path: Path) -> None:
    result = run("inspect", tmp_path / "missing.dcm", good)
    assert result.exit_code == 1
    assert "missing.dcm: can't be opened" in result.stderr
    assert "Doe, Jane" in result.stdout
    told = json.loads(run("inspect", "--json", tmp_path / "missing.dcm", good).stdout)
    assert [bool(each["error"]) for each in told] == [True, False]


def test_nothing_in_an_object_can_command_the_terminal(tmp_path: Path) -> None:
    dataset = sound()
    dataset.StudyDescription = "x\x1b[2Jy"
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(dataset))
    assert "\x1b" not in run("inspect", path).stdout


def test_unwrap_writes_the_photograph_and_says_what_stays_behind(bad: Path, tmp_path: Path) -> None:
    result = run("unwrap", bad, "--out", tmp_path / "photo.jpg")
    assert result.exit_code == 0
    assert result.stdout == f"{bad} -> {tmp_path / 'photo.jpg'}\n"
    assert result.stderr == f"{tmp_path / 'photo.jpg'}: left out: APP1, APP2, APP13, COM, trailer after EOI\n"


def test_unwrap_never_overwrites(good: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    result = run("unwrap", good, "--out", tmp_path / "photo.jpg", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["unwrapped"]) == (1, [])
    assert set(told["refused"][0]) == {"file", "reason", "remedy"}
    assert (tmp_path / "photo.jpg").read_text() == "mine"


def test_the_json_of_unwrap_names_the_photograph(good: Path, tmp_path: Path) -> None:
    result = run("unwrap", good, "--out", tmp_path, "--json")
    told = json.loads(result.stdout)["unwrapped"]
    assert [set(each) for each in told] == [{"photo", "sha256", "left_out", "warnings"}]
    assert told[0]["photo"] == str(tmp_path / "good.jpg")


def test_the_help_says_that_the_photograph_loses_its_consent() -> None:
    assert "carries no consent any more" in run("unwrap", "--help").stdout
