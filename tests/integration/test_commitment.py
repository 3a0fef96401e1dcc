"""Storage commitment by the running Orthanc: a device deletes after it, so it must be true."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from demo.peers import CALLED_AET, HOST
from dicomwrap.cli.sending import send
from tests.integration.archive import Archive
from tests.integration.test_dicom_peers import counts_each

OLD = {"1.10.1": [], "1.12.7": [(), ("DIGEST_MISMATCH",)]}  # what the trail has of a damaged file
NEWEST = [(), ("UNREADABLE_OBJECT",)]  # Orthanc 1.13 looks at the digest itself, and gives nothing


def sent(archive: Archive, file: Path) -> tuple[str, bool]:
    """Send a copy and ask for it to be committed; return how it ended, and whether the sender has it still."""
    ports = archive.server.ports
    to = ("--to", f"{CALLED_AET}@{HOST}:{ports.dicom}", "--aet", "DERMCAM", "--listen", ports.camera)
    call = [str(each) for each in (file, *to, "--delete-source", "--json")]
    result = CliRunner().invoke(send, call, catch_exceptions=False)
    return str(json.loads(result.stdout)["files"][0]["state"]), file.exists()


def copied(archive: Archive, letter: str, folder: Path) -> Path:
    file = folder / f"{letter}.dcm"
    file.write_bytes(archive.wrapped(letter).file.read_bytes())
    return file


def damage(archive: Archive, uid: str) -> None:
    """Change the last byte of the stored picture, as a failing disk would."""
    for file in (archive.server.folder / "storage").rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        if content[128:132] == b"DICM" and uid.encode() in content[:4096]:
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
            return
    raise AssertionError("the stored file was not found")


def test_a_picture_that_the_disk_has_damaged_is_not_vouched_for(own_archive: Archive, tmp_path: Path) -> None:
    archive = own_archive
    asked_of_us = counts_each(archive)  # orthanc-python 4.0 can't be asked: Orthanc looks only into its index
    assert sent(archive, copied(archive, "A", tmp_path)) == ("committed", False)
    archive.server.stop()
    damage(archive, archive.wrapped("B").sop_instance_uid)
    archive.server.start()
    before = archive.last_entry()
    kept = copied(archive, "B", tmp_path)
    assert sent(archive, kept) == (("not committed", True) if asked_of_us else ("committed", False))
    said = [tuple(entry["rules"]) for entry in archive.entries_since(before) if entry["door"] == "N-ACTION"]
    version = str(archive.server.ask("GET", "/system", "admin").json()["Version"])
    assert said == OLD.get(version, NEWEST)
