"""Disposition on a real Orthanc: commands that answer in JSON, what is listed as destroyed, certificates verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from demo.server import Server
from orthanc_plugin.archive.remote import RemoteDisposal, read_credentials
from orthanc_plugin.registry.engine import open_database

OFFICERS = """
[[disposition.officers]]
person = "records clerk"
accounts = ["clerk"]
may = ["propose", "decide", "execute"]
[[disposition.officers]]
person = "guardian"
accounts = ["guardian"]
may = ["approve"]
"""
FACTS = "patient_id,issuer,last_contact,open_episode,categories\n{patient},HOSPITAL,2010-03-04,no,none\n"
SECONDS = 60


def told(server: Server, *arguments: str, status: int = 0) -> dict[str, object]:
    """Run a command that answers in JSON."""
    done = server.consentgate(*arguments, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def itself(server: Server) -> RemoteDisposal:
    """Return Consentgate's own way into the archive, which nothing but the execution uses."""
    return RemoteDisposal(server.url, read_credentials(server.folder / "run" / "boot.secret", "consentgate"))


def destroyed(server: Server) -> set[str]:
    """Return what the registry lists as destroyed, by Orthanc's names."""
    query = "SELECT orthanc_instance FROM disposed_objects JOIN disposition_stubs USING (stub_id)"
    address = os.environ.get("CONSENTGATE_REGISTRY_DATABASE") or f"sqlite:///{server.folder}/registry.db"
    with closing(open_database(address)) as registry, registry.reading() as connection:
        return {str(name) for (name,) in connection.exec_driver_sql(query)}


def verified_offline(server: Server, certificate: Path, folder: Path) -> None:
    """Check the certificate as somebody who has it and the key, and nothing else."""
    key = folder / "key.pem"
    key.write_text(server.consentgate("certificate", "key").stdout)
    program = str(Path(sys.executable).parent / "consentgate")
    command = [program, "certificate", "verify", str(certificate), "--key", str(key)]
    assert subprocess.run(command, check=False, cwd="/", capture_output=True).returncode == 0
    assert certificate.with_suffix(".html").exists()
