"""Orthanc is killed while a picture isn't on record yet: nobody is shown it, and its sender can send it again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from demo.peers import wait_until
from demo.server import ROOT
from tests.integration.archive import Archive
from tests.integration.test_intake import changed

SCRIPT = Path(__file__).with_name("dying.py")


@contextmanager
def dying(archive: Archive, when: str) -> Iterator[subprocess.Popen[bytes]]:
    """Restart the archive's Orthanc so that it is killed when the next picture comes."""
    server, last = archive.server, archive.last_entry()
    server.stop()
    configuration = server.folder / "orthanc.json"
    before = configuration.read_text()
    configuration.write_text(before.replace(str(ROOT / "docker" / "consent_gate.py"), str(SCRIPT)))
    log = server.folder / "orthanc.log"
    log.unlink(missing_ok=True)
    process = subprocess.Popen(
        ["bash", str(ROOT / "bin" / "serve"), str(server.folder)],
        env={**os.environ, "CONSENTGATE_TEST_DIES": when},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: has_started(archive, last), 90)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        configuration.write_text(before)


def has_started(archive: Archive, last: int) -> bool:
    return any("every check passed" in str(each["detail"]) for each in archive.entries_since(last))


def send(archive: Archive, by: str, file: Path) -> bool:
    """Send a photograph; tell whether its sender was told that it arrived."""
    if by == "C-STORE":
        return archive.journey.camera.push(file) == 0
    try:
        answer = archive.server.ask("POST", "/instances", "uploader", content=file.read_bytes())
    except httpx.TransportError:  # it broke off
        return False
    return answer.status_code == 200


@pytest.mark.parametrize(("when", "by"), [("told", "C-STORE"), ("stored", "POST")])
def test_a_picture_whose_archive_is_killed_in_between_is_shown_to_nobody_until_it_is_sent_again(
    by: str, when: str, own_archive: Archive, tmp_path: Path
) -> None:
    archive, file = own_archive, tmp_path / "another.dcm"
    uid = changed(archive, "A", file)
    with dying(archive, when) as process:
        assert not send(archive, by, file)
        assert wait_until(lambda: process.poll() is not None, 30)
    last = archive.last_entry()
    archive.server.start()
    unasked = any("STORED_UNASKED" in str(entry["rules"]) for entry in archive.entries_since(last))
    assert unasked or when == "told"
    picture = f"/wado?requestType=WADO&objectUID={uid}&contentType=application/dicom"
    assert archive.server.ask("GET", picture, "derm").status_code == 403
    before = archive.last_entry()
    assert send(archive, by, file)
    assert archive.server.ask("GET", picture, "derm").status_code == 200
    effects = [entry["effect"] for entry in archive.entries_since(before)]
    assert "ACCEPTED" in effects
    assert archive.server.consentgate("audit", "verify").returncode == 0
