"""The watchdog outside Orthanc, with real ones: it leaves a guarded one alone, and stops any other within seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.peers import HOST, free_ports, wait_until
from demo.server import ROOT
from orthanc_plugin.cli.orthancfile import read_configuration
from orthanc_plugin.enforcement.effective import CHANGED
from orthanc_plugin.enforcement.health import PARTS
from tests.fakes import commands

SCRIPT = Path(__file__).with_name("guard.py")
PATIENCE = "6"
PATIENT = ("--patience", "60")  # where nothing may be stopped, however slow the machine is


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a configured folder."""
    made = tmp_path_factory.mktemp("watched") / "orthanc"
    http, dicom = (str(port) for port in free_ports(2))
    script = str(ROOT / "docker" / "consent_gate.py")
    command = [commands.PROGRAM, "init", str(made), "--script", script, "--http-port", http, "--dicom-port", dicom]
    commands.checked(command)
    return made


def url(folder: Path) -> str:
    return f"http://{HOST}:{read_configuration(folder / 'orthanc.json', {})['HttpPort']}"


def listens(folder: Path) -> bool:
    try:
        httpx.get(url(folder) + "/system", trust_env=False, timeout=5)
    except httpx.ConnectError:
        return False
    except httpx.HTTPError:
        return True
    return True


@contextmanager
def orthanc(folder: Path, guard: str = "", **changes: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start the folder's Orthanc by bin/serve, with some options changed, and wait until it listens."""
    file = folder / "orthanc.json"
    before = file.read_text()
    if guard:
        changes["PythonScript"] = str(SCRIPT)
    file.write_text(json.dumps({**read_configuration(file, {}), **changes}))
    process = subprocess.Popen(
        ["bash", str(ROOT / "bin" / "serve"), str(folder)],
        env={**os.environ, "CONSENTGATE_TEST_GUARD": guard},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: process.poll() is not None or listens(folder), 90)
        assert process.poll() is None, (folder / "orthanc.log").read_text(errors="replace")[-3000:]
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        file.write_text(before)


def consentgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.run([commands.PROGRAM, "--settings", str(folder / "settings.toml"), *arguments])


def look(folder: Path) -> tuple[int, str]:
    done = consentgate(folder, "watch", "--once")
    return done.returncode, done.stderr


@contextmanager
def watch(folder: Path, said: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the watchdog."""
    command = [commands.PROGRAM, "--settings", str(folder / "settings.toml"), "watch", "--patience", PATIENCE, *options]
    with said.open("wb") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_where_nothing_listens_there_is_nothing_to_stop(folder: Path) -> None:
    status, said = look(folder)
    assert (status, "nothing listens" in said) == (4, True)


def test_a_guarded_orthanc_is_left_alone_until_it_hangs(folder: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with orthanc(folder) as process:
        with watch(folder, said, "--pid", str(process.pid), *PATIENT) as watchdog:
            it_is_left_alone(folder, said)
            assert (process.poll(), watchdog.poll()) == (None, None)
        os.kill(process.pid, signal.SIGSTOP)
        assert look(folder)[0] == 5
        with watch(folder, said, "--pid", str(process.pid), "--silence", PATIENCE) as watchdog:
            assert watchdog.wait(60) == 3
        assert "gives no answer" in said.read_text()
        assert process.wait(10) is not None
    a_secret_that_is_left_over_guards_nothing(folder)


def it_is_left_alone(folder: Path, said: Path) -> None:
    assert wait_until(lambda: "doors are open" in said.read_text(), 60)
    assert wait_until(lambda: look(folder)[0] == 0, 60)
    health_is_told_to_operators_only(folder)
    checked = consentgate(folder, "preflight", str(folder / "orthanc.json"))
    assert (checked.returncode, checked.stderr) == (0, "Nothing to object to.\n")
    assert "stopping" not in said.read_text()


def health_is_told_to_operators_only(folder: Path) -> None:
    passwords = read_configuration(folder / "orthanc.json", {})["RegisteredUsers"]
    assert isinstance(passwords, dict)
    with httpx.Client(base_url=url(folder), trust_env=False, timeout=30) as client:
        admin = ("admin", passwords["admin"])
        assert wait_until(lambda: client.get("/consentgate/health", auth=admin).status_code == 200, 60)
        told = client.get("/consentgate/health", auth=admin).json()
        assert (told["doors"], sorted(told["parts"])) == ({"open": True, "why": ""}, sorted(("decisions", *PARTS)))
        assert client.get("/consentgate/health", auth=("derm", passwords["derm"])).status_code == 403
        assert client.get("/consentgate/health", auth=("consentgate", passwords["consentgate"])).status_code == 403
        assert client.get("/consentgate/health").status_code == 401


def a_secret_that_is_left_over_guards_nothing(folder: Path) -> None:
    assert (folder / "run" / "boot.secret").exists()
    with orthanc(folder, Plugins=[], PythonScript="") as process:
        status, said = look(folder)
        assert (status, "the plugin doesn't answer for it (404)" in said) == (3, True)
        os.kill(process.pid, signal.SIGSTOP)
        status, said = look(folder)
        assert (status, "gives no answer" in said) == (3, True)


@pytest.mark.parametrize(("guard", "why"), [("shut", "a test"), ("changed", CHANGED)])
def test_shut_doors_are_no_reason_to_stop(guard: str, why: str, folder: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with orthanc(folder, guard) as process, watch(folder, said, "--pid", str(process.pid), *PATIENT) as watchdog:
        assert wait_until(lambda: f"the doors are shut: {why}" in said.read_text(), 60)
        assert wait_until(lambda: look(folder)[0] == 0, 60)
        assert (process.poll(), watchdog.poll()) == (None, None)


def test_threads_that_decide_and_are_all_busy_are_told_and_no_reason_to_stop(folder: Path) -> None:
    passwords = read_configuration(folder / "orthanc.json", {})["RegisteredUsers"]
    assert isinstance(passwords, dict)
    with orthanc(folder, "busy"), httpx.Client(base_url=url(folder), trust_env=False, timeout=60) as client:
        status, said = look(folder)
        assert (status, "busy: decisions" in said) == (0, True)
        told = client.get("/consentgate/health", auth=("admin", passwords["admin"])).json()
        assert told["parts"]["decisions"]["busy"] is True
        assert client.get("/studies", auth=("derm", passwords["derm"])).status_code == 403


UNGUARDED: tuple[tuple[str, dict[str, object], str], ...] = (
    ("", {"Plugins": [], "PythonScript": ""}, "no guarded one has left its secret"),
    ("", {"Plugins": [], "PythonScript": "", "AuthenticationEnabled": False}, "answers anybody"),
    ("dead", {}, "policy threads are dead (heartbeat)"),
)


@pytest.mark.parametrize(("guard", "changes", "words"), UNGUARDED, ids=["no plugin", "open to anybody", "dead threads"])
def test_an_orthanc_that_nobody_guards_is_stopped(
    guard: str, changes: dict[str, object], words: str, folder: Path, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    (folder / "run" / "boot.secret").unlink(missing_ok=True)
    with orthanc(folder, guard, **changes) as process:
        assert look(folder)[0] == 3
        pid_file = tmp_path / "pid"
        pid_file.write_text(f"{process.pid}\n")
        stop = ("--stop-command", f"bash -c 'kill -KILL {process.pid}'") if guard else ("--pid-file", str(pid_file))
        with watch(folder, said, *stop) as watchdog:
            assert watchdog.wait(60) == 3
        assert words in said.read_text()
        assert process.wait(10) is not None
        assert not listens(folder)
