"""A record goes to a place of deposit from a real Orthanc: bagged though killed, receipted, and only then destroyed."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import bagit
import pydicom

from demo.peers import wait_until
from demo.server import Server
from orthanc_plugin.retention.receipts import COLUMNS
from tests.integration.archive import Archive, started
from tests.integration.test_disposition import FACTS, OFFICERS, SECONDS, told

PLACE = """
[[disposition.places]]
name = "County Record Office"
owner = "records clerk"
address = "Castle Street 1"
folder = "{folder}"
signatories = ["M. Archivist"]
[exports]
allowed = true
approved_by = ["records clerk", "guardian"]
"""


def test_a_record_is_transferred_and_destroyed_only_after_its_receipt(tmp_path: Path) -> None:
    deposit = tmp_path / "deposit"
    deposit.mkdir()
    with started(tmp_path) as archive:
        server, made = archive.server, archive.wrapped("A")
        stored = pydicom.dcmread(made.file).SOPInstanceUID
        plan = approved(archive, deposit)
        (bag,) = exported_though_killed(server, plan, deposit)
        bagit.Bag(str(bag)).validate()
        original = (bag / "data" / "dicom" / f"{stored}.dcm").read_bytes()
        assert original == server.ask("GET", f"/instances/{made.orthanc_instance}/file", "derm").content
        assert (bag / "data" / "photographs" / f"{stored}.jpg").read_bytes()[:2] == b"\xff\xd8"
        assert server.consentgate("retention", "apply", plan, "--by", "clerk").returncode == 1  # no receipt yet
        receipt = received(server, bag, tmp_path)
        told(server, "transfer", "confirm", receipt, "--by", "guardian")
        report = told(server, "retention", "apply", plan, "--by", "clerk")
        assert report["DESTROYED"] == 1
        assert server.ask("GET", f"/instances/{made.orthanc_instance}", "derm").status_code in (403, 404)
        certificate = Path(str(report["certificate"])).read_text()
        assert f"transferred to County Record Office as {bag.name}, receipt SHA-256 {receipt}" in certificate
        assert "The trail is whole" in server.consentgate("audit", "verify").stdout


def approved(archive: Archive, deposit: Path) -> str:
    """Return the id of an approved plan by which A's record is transferred."""
    server, work = archive.server, archive.journey.work
    policy = server.folder / "policy.toml"
    text = policy.read_text().replace("cooling_off_days = 30", "cooling_off_days = 0")
    policy.write_text(text + OFFICERS + PLACE.format(folder=deposit))
    schedule = told(server, "retention", "schedule", "propose", "--by", "clerk")
    told(server, "retention", "schedule", "activate", str(schedule["sha256"]), "--by", "guardian")
    facts = work / "facts.csv"
    facts.write_text(FACTS.format(patient=archive.wrapped("A").person.patient_id))
    now = datetime.now(UTC).isoformat()
    told(server, "retention", "facts", "import", str(facts), "--source", "pas", "--as-of", now, "--by", "clerk")
    plan = str(told(server, "retention", "plan", "--by", "clerk")["plan_id"])
    to = ("--to", "County Record Office", "--reason", "of historical interest", "--by", "clerk")
    told(server, "retention", "decide", plan, "1", "TRANSFER", *to)
    told(server, "retention", "approve", plan, "--by", "guardian")
    return plan


def exported_though_killed(server: Server, plan: str, deposit: Path) -> tuple[Path, ...]:
    """Export the plan, killed (SIGKILL) while its bag is made, and taken up again; return the bags."""
    program = Path(sys.executable).parent / "consentgate"
    command = [str(program), "--settings", str(server.folder / "settings.toml"), "transfer", "export", plan]
    with subprocess.Popen([*command, "--by", "clerk"], stdout=subprocess.DEVNULL) as running:
        assert wait_until(lambda: any(deposit.iterdir()) or running.poll() is not None, SECONDS)
        running.send_signal(signal.SIGKILL)
    assert server.consentgate("transfer", "export", plan, "--by", "clerk").returncode == 0
    return tuple(deposit.iterdir())


def received(server: Server, bag: Path, folder: Path) -> str:
    """Have the place's receipt entered; return the digest of its file."""
    receipt, day = folder / "receipt.csv", datetime.now(UTC).date().isoformat()
    digest = hashlib.sha256((bag / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    receipt.write_text(f"{','.join(COLUMNS)}\n{bag.name},{digest},M. Archivist,{day}\n")
    return str(told(server, "transfer", "receipt", str(receipt), "--by", "clerk")["receipt_sha256"])
