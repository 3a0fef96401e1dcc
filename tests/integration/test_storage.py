"""Encrypted files in a real Orthanc: migrated while it runs, asked by eight clients, destroyed with their keys."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from demo.peers import wait_until
from demo.server import NotStartedError, Server
from orthanc_plugin.archive.vault import VERSION
from orthanc_plugin.cli.orthancfile import without_comments
from orthanc_plugin.deid.keys import make_key
from tests.fakes import commands
from tests.integration.archive import Archive, ports
from tests.integration.needles import needles_of
from tests.integration.test_disposition import COPIES, due, told
from tests.integration.test_threads import at_once

__all__ = ["due"]

FIRST_WITH_THREADS = (1, 12, 4)
SECONDS = 60
SECTION = '\n[storage]\nencryption = true\nplain_files = "read"\nsite_keys = {{ {keys} }}\n'
OK = 200


def version() -> tuple[int, ...]:
    """Return Orthanc's own."""
    said = subprocess.run(["Orthanc", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.split()[1].split("."))


def configured(server: Server, *names: str) -> None:
    """Have settings.toml say that files are encrypted, with these site keys."""
    for name in names:
        make_key(server.folder / "keys" / f"{name}.key")
    path = server.folder / "settings.toml"
    before = path.read_text().split("\n[storage]")[0]
    keys = ", ".join(f'"{name}" = "keys/{name}.key"' for name in names)
    path.write_text(before + SECTION.format(keys=keys))


def stored(server: Server) -> list[Path]:
    """Return the files of Orthanc's."""
    return [each for each in (server.folder / "storage").glob("??/??/*") if each.is_file()]


def plain(server: Server) -> list[Path]:
    return [each for each in stored(server) if not each.read_bytes().startswith(VERSION)]


def test_files_are_encrypted_and_erased_by_key_or_orthanc_does_not_start(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if version() < FIRST_WITH_THREADS:
        refused(Server(folder=tmp_path / "orthanc", ports=ports(), run=commands.run))
        return
    archive, plan = request.getfixturevalue("due")
    plainly = {letter: got(archive, letter) for letter in "AB"}
    archive.server.stop()
    configured(archive.server, "first")
    every_read_is_of_a_file(archive.server)
    archive.server.start()
    assert {letter: got(archive, letter) for letter in "AB"} == plainly
    what_comes_is_encrypted(archive)
    migrated_though_killed(archive)
    assert {letter: got(archive, letter) for letter in "AB"} == plainly
    shutil.copytree(archive.server.folder / "storage", tmp_path / "backup")
    eight_clients_are_answered_while_records_are_destroyed(archive, plan)
    no_backup_of_the_files_can_be_read(archive, tmp_path / "backup")
    rotated(archive)
    assert got(archive, "B") == plainly["B"]
    nothing_starts_without_the_key_or_without_encryption(archive)


def refused(server: Server) -> None:
    server.start()
    server.stop()
    configured(server, "first")
    with pytest.raises(NotStartedError, match="would hang the whole server"):
        server.start()


def every_read_is_of_a_file(server: Server) -> None:
    """Turn Orthanc's own cache of files off."""
    file = server.folder / "orthanc.json"
    configuration = json.loads(without_comments(file.read_text()))
    file.write_text(json.dumps(configuration | {"MaximumStorageCacheSize": 0}))


def got(archive: Archive, letter: str) -> str:
    """Return the digest of a picture's bytes."""
    answer = archive.server.ask("GET", f"/instances/{archive.wrapped(letter).orthanc_instance}/file", "derm")
    assert answer.status_code == OK
    return hashlib.sha256(answer.content).hexdigest()


def another(archive: Archive, letter: str, name: str) -> Path:
    """Return a file with another picture of the same patient, in a study of its own."""
    made = pydicom.dcmread(archive.wrapped(letter).file)
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.save_as(archive.journey.work / name)
    return archive.journey.work / name


def what_comes_is_encrypted(archive: Archive) -> None:
    before = set(stored(archive.server))
    assert archive.journey.camera.push(another(archive, "B", "new.dcm")) == 0
    fresh = set(stored(archive.server)) - before
    assert fresh
    assert not fresh & set(plain(archive.server))


def migrated_though_killed(archive: Archive) -> None:
    """Encrypt the archive while it runs, killed in the middle and taken up again."""
    server = archive.server
    left = len(plain(server))
    program = Path(sys.executable).parent / "consentgate"
    command = [str(program), "--settings", str(server.folder / "settings.toml"), "storage", "migrate"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        assert wait_until(lambda: len(plain(server)) < left or running.poll() is not None, SECONDS)
        running.send_signal(signal.SIGKILL)
    told(server, "storage", "migrate")
    assert plain(server) == []
    assert told(server, "storage", "verify")["encrypted"] == len(stored(server))
    server.stop()
    path = server.folder / "settings.toml"
    path.write_text(path.read_text().replace('plain_files = "read"\n', ""))
    server.start()
    contents = [each.read_bytes() for each in stored(server)]
    for letter in "AB":
        assert not {each for each in needles_of(archive.wrapped(letter).file) if any(each in one for one in contents)}


def clients(archive: Archive) -> dict[str, Callable[[], int]]:
    """Return seven clients that ask for B's picture or bring another, each by a door of its own."""
    made, journey, server = archive.wrapped("B"), archive.journey, archive.server
    news = iter([another(archive, "B", f"more{number}.dcm") for number in range(ROUNDS)])
    found = json.dumps({"Level": "Study", "Query": {"PatientID": "*"}, "Expand": True}).encode()
    file = f"/instances/{made.orthanc_instance}/file"
    return {
        "C-STORE": lambda: journey.camera.push(next(news)),
        "C-MOVE": lambda: journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid),
        "file": lambda: server.ask("GET", file, "derm").status_code,
        "preview": lambda: server.ask("GET", file.replace("file", "preview"), "derm").status_code,
        "WADO-RS": lambda: server.ask("GET", f"/dicom-web/studies/{made.study_instance_uid}", "derm").status_code,
        "QIDO-RS": lambda: server.ask("GET", "/dicom-web/studies", "derm").status_code,
        "find": lambda: server.ask("POST", "/tools/find", "derm", content=found).status_code,
    }


ROUNDS = 6


def eight_clients_are_answered_while_records_are_destroyed(archive: Archive, plan: str) -> None:
    reports: list[dict[str, object]] = []

    def destroy() -> int:
        if not reports:
            reports.append(told(archive.server, "retention", "apply", plan, "--by", "clerk"))
        return OK

    answers = at_once({**clients(archive), "DELETE": destroy}, ROUNDS)
    well = {name: [0 if name.startswith("C-") else OK] * ROUNDS for name in answers}
    assert {name: told_of for name, told_of in answers.items() if name != "preview"} == {
        name: expected for name, expected in well.items() if name != "preview"
    }
    (report,) = reports
    certificate = json.loads(Path(str(report["certificate"])).read_text())
    methods = [str(each["method"]) for each in certificate["records"]]
    assert len(methods) == COPIES + 1
    assert all("; data key destroyed, id " in method for method in methods)
    assert "The trail is whole" in archive.server.consentgate("audit", "verify").stdout


def no_backup_of_the_files_can_be_read(archive: Archive, backup: Path) -> None:
    server = archive.server
    gone = {each.name for each in backup.glob("??/??/*")} - {each.name for each in stored(server)}
    assert len(gone) >= COPIES + 1
    for each in (each for each in backup.glob("??/??/*") if each.name in gone):
        shutil.copy(each, server.folder / "storage" / each.relative_to(backup))
    said = server.consentgate("storage", "verify", "--json")
    assert json.loads(said.stdout)["key destroyed"] == len(gone)
    with closing(sqlite3.connect(server.folder / "registry.db")) as registry:
        query = "SELECT count(*) FROM storage_keys WHERE kind = 'STUDY' AND wrapped IS NULL AND subject IS NULL"
        assert registry.execute(query).fetchone() == (COPIES + 1,)
    for each in gone:
        (server.folder / "storage" / each[:2] / each[2:4] / each).unlink()


def rotated(archive: Archive) -> None:
    """Give the archive another site key, and start it without the old one."""
    server = archive.server
    server.stop()
    configured(server, "first", "second")
    server.start()
    told(server, "storage", "propose-key", "second", "--by", "clerk")
    assert server.consentgate("storage", "rotate", "second", "--by", "clerk").returncode == 1
    assert told(server, "storage", "rotate", "second", "--by", "guardian")["retired"] == ["first"]
    server.stop()
    (server.folder / "keys" / "first.key").unlink()
    configured(server, "second")
    server.start()


def nothing_starts_without_the_key_or_without_encryption(archive: Archive) -> None:
    server = archive.server
    server.stop()
    key = server.folder / "keys" / "second.key"
    kept = key.read_text()
    key.write_text("ab" * 32)
    with pytest.raises(NotStartedError, match="not the one that is known by this name"):
        server.start()
    key.write_text(kept)
    path = server.folder / "settings.toml"
    path.write_text(path.read_text().replace("encryption = true", "encryption = false"))
    with pytest.raises(NotStartedError, match=r"settings\.toml says that they aren't"):
        server.start()
    path.write_text(path.read_text().replace("encryption = false", "encryption = true"))
    server.start()
