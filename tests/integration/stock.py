"""Orthanc as it comes, without Consentgate, and dcmtk's servers: strangers to send to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.peers import HOST, free_ports, wait_until
from dicomwrap.sending.node import Node

USER, PASSWORD = "camera", "a password of the test"


@dataclass(frozen=True, kw_only=True)
class Stock:
    """A running Orthanc that knows us at ``listen``."""

    node: Node
    url: str
    listen: int

    def instances(self) -> list[str]:
        """Return the SOP instances that it holds."""
        found = httpx.get(f"{self.url}/instances?expand", auth=(USER, PASSWORD), trust_env=False).json()
        return [each["MainDicomTags"]["SOPInstanceUID"] for each in found]

    def file(self, uid: str) -> bytes:
        """Return the DICOM file of an instance."""
        client = httpx.Client(base_url=self.url, auth=(USER, PASSWORD), trust_env=False)
        (found,) = client.post("/tools/lookup", content=uid).json()
        return client.get(f"/instances/{found['ID']}/file").content


@contextmanager
def orthanc(folder: Path, **settings: object) -> Iterator[Stock]:
    """Start an Orthanc with DICOMweb in ``folder``."""
    http, dicom, listen = free_ports(3)
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http,
        "DicomAet": "ARCHIVE",
        "DicomPort": dicom,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"us": {"AET": "DICOMWRAP", "Host": HOST, "Port": listen}},
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
        **settings,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    log = (folder / "orthanc.out").open("wb")
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=log, stderr=log, env=environment)
    log.close()
    url = f"http://{HOST}:{http}"

    def up() -> bool:
        try:
            return httpx.get(f"{url}/system", auth=(USER, PASSWORD), trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        assert wait_until(up, 30), (folder / "orthanc.out").read_text()
        yield Stock(node=Node(aet="ARCHIVE", host=HOST, port=dicom), url=url, listen=listen)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def dcmtk(command: str, folder: Path, options: Sequence[str]) -> Iterator[int]:
    """Start one of dcmtk's servers in ``folder`` and give its port."""
    (port,) = free_ports(1)
    log = (folder / f"{command}.out").open("wb")
    process = subprocess.Popen([f"/usr/bin/{command}", *options, str(port)], cwd=folder, stdout=log, stderr=log)
    log.close()

    def up() -> bool:
        assert process.poll() is None, (folder / f"{command}.out").read_text()
        return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()

    try:
        assert wait_until(up, 10)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate that vouches for itself, and its key, as PEM files."""

    cert: Path
    key: Path


def certificate(folder: Path, name: str, *, host: str = HOST) -> Certificate:
    """Make a certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(cert=folder / f"{name}.crt", key=folder / f"{name}.key")
    found.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found
