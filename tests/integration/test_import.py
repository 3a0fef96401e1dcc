"""An import killed in the middle, and run again: the registry that one run would have made."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.sheets import SIGNED, held, sheet
from tests.fakes.world import World, make_world

PROGRAM = "from orthanc_plugin.cli.main import main; main()"
TERMS = {"form": "", "form_level": "", "purposes": "DIRECT_CARE", "max_form": "IDENTIFIABLE", "audience": "CARE_TEAM"}
ROWS = 150


def command(world: World, path: Path) -> list[str]:
    settings = str(world.folder / "settings.toml")
    return [sys.executable, "-c", PROGRAM, "--settings", settings, "import", "consents", str(path), "--by", "officer"]


def imported(world: World) -> int:
    with sqlite3.connect(f"file:{world.database_file}?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT count(*) FROM imported_rows").fetchone()[0]
    connection.close()
    return int(found)


def killed_at(world: World, path: Path, rows: int) -> int:
    """Run an import and kill it once so many rows are in; return how many were."""
    process = subprocess.Popen(command(world, path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while imported(world) < rows and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return imported(world)


@pytest.mark.parametrize("rows", [1, 60])
def test_an_import_killed_in_the_middle_is_finished_by_running_it_again(rows: int, tmp_path: Path) -> None:
    lines = [{**SIGNED, **TERMS, "id": f"urn:x:{number}", "patient_id": f"P{number % 7}"} for number in range(ROWS)]
    path = sheet(tmp_path / "c.csv", *lines, {**lines[0], "id": "urn:x:bad", "giver": "?"})
    world, whole = make_world(tmp_path / "killed"), make_world(tmp_path / "whole")
    done = killed_at(world, path, rows)
    assert rows <= done < ROWS
    assert not path.with_name("c.errors.csv").exists()

    again = subprocess.run(command(world, path), capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert f"{ROWS - done} row(s) recorded, {done} recorded before, 1 with errors." in again.stdout

    once = subprocess.run(command(whole, path), capture_output=True, text=True, check=False)
    assert f"{ROWS} row(s) recorded, 0 recorded before, 1 with errors." in once.stdout
    assert held(world) == held(whole)
    verified = subprocess.run([*command(world, path)[:5], "audit", "verify"], capture_output=True, check=False)
    assert verified.returncode == 0
    for each in (world, whole):
        each.close()
