"""``consentgate watch``: what it says by its status, and how it stops what nobody guards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orthanc_plugin.archive.sighting import HEALTH, UNLISTED
from tests.fakes.guarded import Answers, health, orthanc
from tests.unit.cli.conftest import Shell


@pytest.fixture
def settings(shell: Shell) -> Callable[[int], Path]:
    def at(port: int) -> Path:
        path = shell.world.folder / "settings.toml"
        path.write_text(path.read_text() + f'[orthanc]\nurl = "http://127.0.0.1:{port}"\n')
        return path

    return at


def test_one_look_tells_by_its_status(shell: Shell, settings: Callable[[int], Path]) -> None:
    (shell.world.folder / "run").mkdir()
    shell.put("run/boot.secret", json.dumps({"password": "p", "secret": "s"}))
    answers: Answers = {UNLISTED: (401, ""), HEALTH: (200, health())}
    with orthanc(answers) as port:
        path = settings(port)
        assert shell("watch", "--once", settings=path).exit_code == 0
        answers[HEALTH] = (404, "")
        assert shell("watch", "--once", settings=path).exit_code == 3
    assert shell("watch", "--once", settings=path).exit_code == 4
    assert shell("watch", "--once", settings=shell.world.folder / "none.toml").exit_code == 2


def test_a_stop_command_that_fails_is_told_and_tried_again(shell: Shell, settings: Callable[[int], Path]) -> None:
    marks = shell.world.folder / "marks"
    script = shell.put("stop.py", f"import sys; open({str(marks)!r}, 'a').write('x'); sys.exit(5)\n")
    with orthanc({UNLISTED: (200, "")}) as port:
        command = [str(Path(sys.executable).parent / "consentgate"), "--settings", str(settings(port)), "watch"]
        command += ["--patience", "0", "--stop-command", f"{sys.executable} {script}"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "LANG": "C.UTF-8"})
        assert process.stderr is not None
        told = 0
        while told < 2 and (line := process.stderr.readline()):  # a busy machine's Orthanc may seem away in between
            told += "the stop command failed with status 5" in line
        assert process.poll() is None
    rest = process.stderr.read()
    assert process.wait(60) == 3
    assert told == 2
    assert "nothing listens any more" in rest
    assert len(marks.read_text()) >= 2


def test_only_an_orthanc_is_ended_by_its_number(shell: Shell, settings: Callable[[int], Path]) -> None:
    with (
        orthanc({UNLISTED: (200, "")}) as port,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander,
    ):
        command = [str(Path(sys.executable).parent / "consentgate"), "--settings", str(settings(port)), "watch"]
        command += ["--patience", "0", "--pid", str(bystander.pid)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert any("stopping Orthanc" in process.stderr.readline() for _ in range(4))
        assert any("stopping Orthanc" in process.stderr.readline() for _ in range(4))
        assert bystander.poll() is None
        process.kill()
        process.communicate()
        bystander.communicate(b"\n")
