"""What was in the archive before Consentgate came: no door shows it until it is taken in like everything else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from io import BytesIO
from zipfile import ZipFile

import httpx
import pydicom

from demo.peers import HOST, free_ports, wait_until
from orthanc_plugin.registry.images import orthanc_id
from tests.integration.archive import Archive

PLAIN_USER = ("plain", "plain")


def store_unguarded(archive: Archive, content: bytes) -> str:
    """Store an object with a plain Orthanc on the same folder, as before Consentgate was installed."""
    folder = archive.server.folder
    (port,) = free_ports(1)
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "Plugins": [],
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict([PLAIN_USER]),
    }
    file = folder.parent / "plain.json"
    file.write_text(json.dumps(configuration))
    process = subprocess.Popen(["Orthanc", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = httpx.Client(base_url=f"http://{HOST}:{port}", auth=PLAIN_USER, trust_env=False)

    def up() -> bool:
        try:
            return client.get("/system").is_success
        except httpx.HTTPError:
            return False

    try:
        assert wait_until(up, 30)
        return str(client.post("/instances", content=content).json()["ID"])
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)


def test_what_was_there_before_is_refused_until_it_is_taken_in(own_archive: Archive) -> None:
    archive = own_archive
    journey, made = archive.journey, archive.wrapped("C")
    archive.server.stop()
    instance = store_unguarded(archive, made.file.read_bytes())
    archive.server.start()
    assert archive.server.ask("GET", f"/instances/{instance}/file", "derm").status_code == 403
    assert archive.server.ask("GET", f"/dicom-web/studies/{made.study_instance_uid}", "derm").status_code == 403
    assert journey.workstation.move("DERMWS", StudyInstanceUID=made.study_instance_uid) != 0
    notes = [entry for entry in archive.server.audit(100) if "STORED_UNASKED" in str(entry["rules"])]
    assert [entry["subject"] for entry in notes] == [made.sop_instance_uid]
    known = archive.wrapped("A")
    assert archive.server.ask("GET", f"/instances/{known.orthanc_instance}/file", "derm").status_code == 200


def unreadable(archive: Archive) -> bytes:
    """Return an object in A's study that Orthanc stores and intake can't read: its series has a UID that is none."""
    dataset = pydicom.dcmread(archive.wrapped("A").file)
    dataset.SeriesInstanceUID = "1.2.three"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.1234567"
    written = BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def test_an_old_object_that_can_t_be_read_stops_nobody_and_leaves_by_no_door(own_archive: Archive) -> None:
    server, known = own_archive.server, own_archive.wrapped("A")
    study = orthanc_id(known.person.patient_id, known.study_instance_uid)
    assert server.ask("GET", f"/dicom-web/studies/{known.study_instance_uid}", "derm").status_code == 200
    server.stop()
    instance = store_unguarded(own_archive, unreadable(own_archive))
    server.start()
    assert server.ask("GET", f"/instances/{instance}/file", "derm").status_code == 403
    assert server.ask("GET", f"/dicom-web/studies/{known.study_instance_uid}", "derm").status_code == 403
    with ZipFile(BytesIO(server.ask("GET", f"/studies/{study}/archive", "derm").content)) as whole:
        assert all(b"1.2.three" not in whole.read(name) for name in whole.namelist())
    assert server.ask("GET", f"/instances/{known.orthanc_instance}/file", "derm").status_code == 200
    assert "1 object(s) from before Consentgate can't be read" in (server.folder / "orthanc.log").read_text()


def test_the_boot_secret_is_gone_when_orthanc_has_stopped_and_new_when_it_starts(own_archive: Archive) -> None:
    server = own_archive.server
    secret = server.folder / "run" / "boot.secret"
    before = secret.read_text()
    assert secret.stat().st_mode & 0o077 == 0
    server.stop()
    assert not secret.exists()
    server.start()
    assert secret.read_text() != before


def test_the_trail_stays_whole_over_a_kill(own_archive: Archive) -> None:
    server = own_archive.server
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    (server.folder / "orthanc.log").unlink()
    server.start()
    verified = server.consentgate("audit", "verify", "--json")
    assert json.loads(verified.stdout)["whole"] is True
    assert server.ask("GET", f"/instances/{own_archive.wrapped('A').orthanc_instance}/file", "derm").status_code == 200
