"""Orthanc refuses to start unguarded, and says what to do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from demo.server import ROOT
from orthanc_plugin.cli.orthancfile import without_comments
from tests.fakes import commands

SERVE_SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a configured folder whose Orthanc was never started."""
    where = tmp_path / "orthanc"
    script = str(ROOT / "docker" / "consent_gate.py")
    ports = ("--http-port", "1", "--dicom-port", "1")
    commands.checked([commands.PROGRAM, "init", str(where), "--script", script, *ports])
    return where


def start(folder: Path) -> tuple[int, str]:
    """Run bin/serve, which must end by itself; return its exit status, and what it printed and logged."""
    done = subprocess.run(
        ["bash", str(ROOT / "bin" / "serve"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SERVE_SECONDS,
        env={**os.environ, "LANG": "C.UTF-8"},
    )
    log = folder / "orthanc.log"
    return done.returncode, done.stdout + done.stderr + (log.read_text(errors="replace") if log.exists() else "")


def changed(folder: Path, **options: object) -> None:
    file = folder / "orthanc.json"
    configuration = json.loads(without_comments(file.read_text()))
    for option, value in options.items():
        if value is None:
            configuration.pop(option, None)
        else:
            configuration[option] = value
    file.write_text(json.dumps(configuration))


UNSAFE: tuple[tuple[str, object, str], ...] = (
    ("AuthenticationEnabled", False, '"AuthenticationEnabled" to true'),
    ("WebDavEnabled", True, '"WebDavEnabled" to false'),
    ("WebDavEnabled", None, '"WebDavEnabled" to false'),
    ("SaveJobs", None, '"SaveJobs" to false'),
    ("LuaScripts", ["/nowhere.lua"], '"LuaScripts" to []'),
    ("ExecuteLuaEnabled", True, '"ExecuteLuaEnabled" to false'),
    ("MaximumPatientCount", 2, '"MaximumPatientCount" to 0'),
    ("MaximumStorageSize", 100, '"MaximumStorageSize" to 0'),
    ("DicomCheckModalityHost", None, '"DicomCheckModalityHost" to true'),
    ("DicomAlwaysAllowGet", True, '"DicomAlwaysAllowGet" to false'),
    ("DicomModalities", {"teaching": ["TEACHING", "127.0.0.1", 11114]}, '"AllowGet": false'),
    ("DicomModalities", {"x": {"AET": "X", "Host": "127.0.0.1", "Port": 1, "AllowGet": False}}, "policy.toml"),
    ("RegisteredUsers", {"derm": "a password of the test's"}, "consentgate"),
)


@pytest.mark.parametrize(("option", "value", "remedy"), UNSAFE)
def test_orthanc_does_not_start_on_an_open_exit_and_names_the_remedy(
    folder: Path, option: str, value: object, remedy: str
) -> None:
    changed(folder, **{option: value})
    status, said = start(folder)
    assert status != 0
    assert remedy in said


def test_every_open_exit_is_named_at_once(folder: Path) -> None:
    changed(folder, WebDavEnabled=True, SaveJobs=True, ExecuteLuaEnabled=True)
    _, said = start(folder)
    assert all(option in said for option in ("WebDavEnabled", "SaveJobs", "ExecuteLuaEnabled"))


def test_every_fault_of_the_policy_is_named_with_its_place(folder: Path) -> None:
    policy = folder / "policy.toml"
    text = policy.read_text().replace('purpose = "TEACHING"', 'purpose = "SHOWING_OFF"')
    policy.write_text(text.replace('aet = "DERMCAM"', 'aet = "A TITLE THAT IS TOO LONG"'))
    status, said = start(folder)
    assert status != 0
    assert "policy.toml: dicom_nodes.0.aet" in said
    assert "policy.toml: dicom_nodes.2.purpose" in said
    assert "policy.toml: users.2.purpose" in said


def test_a_policy_that_is_no_toml_is_named_with_its_line(folder: Path) -> None:
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text() + "\n[[dicom_nodes]\n")
    status, said = start(folder)
    assert status != 0
    assert "policy.toml is not valid TOML" in said
    assert "at line" in said


def test_a_registry_that_can_not_be_opened_keeps_orthanc_from_starting(folder: Path) -> None:
    (folder / "registry.db").write_bytes(b"this is no database, and never was one" * 100)
    status, said = start(folder)
    assert status != 0
    assert "registry" in said
    assert "consentgate db upgrade" in said
