"""Orthanc as it comes, without Consentgate, and dcmtk's servers: strangers to send to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.peers import HOST, free_ports, listens, wait_until
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

    def patients(self) -> list[str]:
        """Return the patient's name of each instance that it holds."""
        found = httpx.get(f"{self.url}/studies?expand", auth=(USER, PASSWORD), trust_env=False).json()
        return [each["PatientMainDicomTags"]["PatientName"] for each in found]

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
def dcmtk(command: str, folder: Path, options: Sequence[str], port: int = 0) -> Iterator[int]:
    """Start one of dcmtk's servers in ``folder`` and give its port: ``port``, or any that is free."""
    port = port or free_ports(1)[0]
    log = (folder / f"{command}.out").open("wb")
    process = subprocess.Popen([f"/usr/bin/{command}", *options, str(port)], cwd=folder, stdout=log, stderr=log)
    log.close()

    def up() -> bool:
        assert process.poll() is None, (folder / f"{command}.out").read_text()
        return listens(port)

    try:
        assert wait_until(up, 10)
        yield port
    finally:
        process.terminate()
        process.wait(10)
