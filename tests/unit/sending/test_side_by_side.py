"""Couriers side by side end together: when they are told to, when one fails, and when nobody looks after them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from demo.peers import wait_until
from orthanc_plugin.cli.courier import courier

WORK = """
import os, signal, sys
from pathlib import Path
from threading import Event
from orthanc_plugin.sending.sidebyside import side_by_side
stop = Event()
folder, count, fails = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
number = side_by_side(count, stop.set)
signal.signal(signal.SIGTERM, lambda *_: stop.set())
(folder / f"{number}.pid").write_text(str(os.getpid()))
while not stop.wait(0.01):
    if number == fails and len(list(folder.glob("*.pid"))) == count:
        sys.exit(7)
(folder / f"{number}.ended").touch()
"""
SECONDS = 120


@contextmanager
def started(folder: Path, count: int, fails: int = -1) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program, and give its process once every courier of it works."""
    command = [sys.executable, "-c", WORK, str(folder), str(count), str(fails)]
    process = subprocess.Popen(command)
    try:
        assert wait_until(lambda: len(working(folder)) == count, SECONDS)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.wait(SECONDS)


def working(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.pid") if file.read_text()}


def ended(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("*.ended")}


def test_one_alone_is_the_process_itself(tmp_path: Path) -> None:
    with started(tmp_path, 1) as process:
        assert (tmp_path / "0.pid").read_text() == str(process.pid)
        process.terminate()
        assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_all_are_told_to_end_and_are_waited_for(told: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path, 3) as process:
        assert working(tmp_path) == {"1", "2", "3"}
        process.send_signal(told)
        assert process.wait(SECONDS) == 0
        assert ended(tmp_path) == {"1", "2", "3"}


def test_one_that_fails_ends_all_and_its_code_is_told(tmp_path: Path) -> None:
    with started(tmp_path, 3, fails=2) as process:
        assert process.wait(SECONDS) == 7
        assert ended(tmp_path) == {"1", "3"}


def test_none_outlives_whoever_looks_after_them(tmp_path: Path) -> None:
    with started(tmp_path, 2) as process:
        process.kill()
        assert wait_until(lambda: ended(tmp_path) == {"1", "2"}, SECONDS)


@pytest.mark.parametrize("count", ["0", "17", "many"])
def test_no_other_number_can_be_asked_for(count: str) -> None:
    given = CliRunner().invoke(courier, ["--workers", count])
    assert (given.exit_code, "--workers" in given.output) == (2, True)
