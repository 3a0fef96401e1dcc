"""Whatever breaks inside the plugin, every door stays shut: one hook after the other, in a real Orthanc."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from demo.peers import wait_until
from demo.server import ROOT, Server
from tests.integration.archive import Archive, started

SCRIPT = Path(__file__).with_name("raising.py")
HOOKS = ("_http", "_rest", "_overrides", "_cmove", "_cfind", "_worklist", "_received", "_cstore", "_stored", "_change")


def log_of(server: Server) -> str:
    file = server.folder / "orthanc.log"
    return file.read_text(errors="replace") if file.exists() else ""


@contextmanager
def with_broken(archive: Archive, hook: str) -> Iterator[subprocess.Popen[bytes]]:
    """Restart the archive's Orthanc with one hook's parts broken."""
    server = archive.server
    server.stop()
    configuration = server.folder / "orthanc.json"
    before = configuration.read_text()
    configuration.write_text(before.replace(str(ROOT / "docker" / "consent_gate.py"), str(SCRIPT)))
    (server.folder / "orthanc.log").unlink(missing_ok=True)
    environment = {**os.environ, "CONSENTGATE_TEST_RAISES": hook}
    process = subprocess.Popen(
        ["bash", str(ROOT / "bin" / "serve"), str(server.folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or "Orthanc has started" in log_of(server), 60)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
        configuration.write_text(before)


@pytest.fixture(scope="module")
def broken_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with started(tmp_path_factory.mktemp("broken")) as running:
        yield running


@pytest.mark.parametrize("hook", HOOKS)
def test_every_door_stays_shut_when_this_hook_raises(broken_archive: Archive, hook: str) -> None:
    archive = broken_archive
    journey, server = archive.journey, archive.server
    made, held = archive.wrapped("A"), archive.wrapped("C")
    with with_broken(archive, hook) as process:
        if hook == "_change":
            assert wait_until(lambda: process.poll() is not None, 30), "Orthanc goes on although its checks failed"
            return
        assert process.poll() is None, log_of(server)
        file = f"/instances/{made.orthanc_instance}/file"
        if hook == "_http":
            assert server.ask("GET", file, "derm").status_code in (403, 500)
            assert server.ask("GET", "/studies", "derm").status_code in (403, 500)
            return
        if hook == "_rest":
            answer = server.ask("GET", "/consentgate/tasks", "governance")
            assert (answer.status_code, "The call failed." in answer.text) == (500, True)
        if hook == "_overrides":
            body = json.dumps([made.orthanc_instance]).encode()
            archive_of = partial(server.ask, "POST", "/tools/create-archive", "derm", content=body)
            assert wait_until(lambda: archive_of().status_code != 403, 30)  # until the start-up checks have passed
            assert (archive_of().status_code, "The call failed." in archive_of().text) == (500, True)
        if hook == "_cmove":
            assert journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) != 0
        if hook in ("_cfind", "_worklist"):
            assert journey.workstation.find(StudyInstanceUID=made.study_instance_uid) != 0
        if hook in ("_received", "_cstore"):
            assert journey.camera.push(made.file) != 0
        if hook == "_received":
            assert journey.camera.push(held.file) != 0
        if hook == "_stored":
            journey.camera.push(made.file)
            assert server.ask("GET", file, "derm").status_code == 403
            assert journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) != 0
        assert journey.at_workstation.take() == []
        shut = 500 if hook == "_overrides" else 403  # it is one of those that Consentgate answers
        assert server.ask("GET", f"/dicom-web/studies/{held.study_instance_uid}", "derm").status_code == shut
