"""The journey that bin/demo walks, and that the README prints."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from demo.photographs import SUBJECTS, photograph
from demo.server import ROOT


@pytest.fixture(scope="module")
def printed() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "bin" / "demo"), "--check"], capture_output=True, text=True, check=False, timeout=300
    )


def test_every_step_of_the_journey_goes_as_it_must(printed: subprocess.CompletedProcess[str]) -> None:
    assert printed.returncode == 0, printed.stdout + printed.stderr
    assert "WRONG" not in printed.stdout


def test_the_readme_shows_what_the_program_prints(printed: subprocess.CompletedProcess[str]) -> None:
    blocks = re.findall(r"```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    shown = [block for block in blocks if block.startswith("a. ")]
    assert shown == [printed.stdout]


def test_a_photograph_of_ones_own_walks_the_same_way(tmp_path: Path) -> None:
    own = tmp_path / "own photograph.jpg"
    own.write_bytes(photograph(SUBJECTS[2], date(2019, 5, 1)))
    done = subprocess.run(
        ["bash", str(ROOT / "bin" / "demo"), "--check", str(own)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_photograph_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.jpg"
    done = subprocess.run(
        ["bash", str(ROOT / "bin" / "demo"), "--check", str(missing)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert str(missing) in done.stderr
