"""The units of docker/ are such as systemd takes, with nothing that it would pass over, and leave little open.

``tests/versions/systemd`` runs them under a real systemd, outside CI.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted(path.name for path in (ROOT / "docker").glob("*.service"))
# systemd's own measure of what a unit could do, from 0 to 100; 100 is a unit that says nothing.
MOST_EXPOSED = 40


def analysed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *arguments]
    environment = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Give the units as they are installed, the program where it is here."""
    program = tmp_path / "consentgate"
    for tail in (".venv/bin/consentgate", "bin/serve"):
        (program / tail).parent.mkdir(parents=True)
        (program / tail).write_text("#!/bin/sh\n")
        (program / tail).chmod(0o755)
    for name in UNITS:
        said = (ROOT / "docker" / name).read_text()
        (tmp_path / name).write_text(said.replace("/opt/consentgate", str(program)))
    return tmp_path


def test_systemd_finds_nothing_wrong_with_any_unit(installed: Path) -> None:
    done = analysed(installed, "verify", "--man=no", *(str(installed / name) for name in UNITS))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_unit_with_a_word_that_systemd_does_not_know_would_be_found(installed: Path) -> None:
    (unit := installed / UNITS[0]).write_text(unit.read_text().replace("ProtectHome", "ProtectHomes"))
    assert "ProtectHomes" in analysed(installed, "verify", "--man=no", str(unit)).stderr


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_can_do_little_beside_its_work(installed: Path, name: str) -> None:
    threshold = f"--threshold={MOST_EXPOSED}"
    done = analysed(installed, "security", "--offline=true", "--no-pager", threshold, str(installed / name))
    assert done.returncode == 0, done.stdout
