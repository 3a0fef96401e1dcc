"""An Orthanc with Consentgate and one without, side by side: what the benchmarks that compare them start, and send in.

Both have the same configuration but for the Python plugin, and ``TCP_NODELAY=1``. Must not know what is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import pydicom

from benchmarks.wrapping import KINDS, photograph
from demo.journey import Journey
from demo.peers import HOST, free_ports, port_is_free, wait_until
from demo.server import Ports, Server
from dicomwrap.uids import fresh_uid
from orthanc_plugin.cli.orthancfile import read_configuration
from orthanc_plugin.registry.images import orthanc_id

STORESCP: Final = "/usr/bin/storescp"
Times = list[float]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a round took: seconds for each photograph, Orthanc's own of them, and of single requests where known."""

    each: float
    times: Times = field(default_factory=list)
    processor: float = 0.0


@dataclass(kw_only=True)
class Arm:
    """A running Orthanc, and what each door was found to take, round by round."""

    pid: int
    url: str
    dicom_port: int
    passwords: dict[str, str]
    rounds: dict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))

    def account(self, name: str) -> str:
        """Return an account as curl takes it."""
        return f"{name}:{self.passwords[name]}"


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """A file that is sent in, and how Orthanc will name it."""

    file: Path
    study: str
    series: str
    instance: str
    orthanc_instance: str


def processor(pid: int) -> float:
    """Return the seconds that a process has computed, by its own clock (clock_getcpuclockid(3) of Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


def photographs(folder: Path, template: Path, count: int) -> tuple[Photograph, ...]:
    """Return copies of the wrapped photograph, each an instance of its own in one new series."""
    folder.mkdir()
    dataset = pydicom.dcmread(template)
    dataset.SeriesInstanceUID = fresh_uid()
    found = []
    for number in range(count):
        uid = fresh_uid()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        names = (str(dataset.PatientID), str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), uid)
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        made = Photograph(file=path, study=names[1], series=names[2], instance=uid, orthanc_instance=orthanc_id(*names))
        found.append(made)
    return tuple(found)


@contextmanager
def both(folder: Path) -> Iterator[tuple[dict[str, Arm], Path]]:
    """Start both Orthancs and a workstation; give them, and a photograph that may be filed and shown."""
    http, dicom, camera, workstation, teaching, plain_http, plain_dicom = free_ports(7)
    ports = Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)
    server = Server(folder=folder / "orthanc", ports=ports)
    server.start()
    try:
        template = wrapped(server, folder)
        with unguarded(folder, server.folder, plain_http, plain_dicom) as plain, receiving(workstation):
            passwords, guarded = server.passwords, server.process
            assert guarded is not None  # noqa: S101 - it was started
            url = f"http://{HOST}:{plain_http}"
            arms = {
                "without": Arm(pid=plain, url=url, dicom_port=plain_dicom, passwords=passwords),
                "with": Arm(pid=guarded.pid, url=server.url, dicom_port=dicom, passwords=passwords),
            }
            yield arms, template
    finally:
        server.stop()


def wrapped(server: Server, folder: Path) -> Path:
    """Return a photograph under a consent to care that the registry has."""
    work = folder / "work"
    work.mkdir()
    photo = work / "photograph.jpg"
    photo.write_bytes(photograph(*KINDS["0.6 MB"][:3]))
    today = date.today()  # noqa: DTZ011 - a day
    journey = Journey(server=server, work=work, today=today, photos=(photo,), show=lambda _line: None)
    journey.at_workstation.stop()
    journey.at_teaching.stop()
    journey.wrap()
    return journey.wrapped["A"].file


@contextmanager
def unguarded(folder: Path, guarded: Path, http: int, dicom: int) -> Iterator[int]:
    """Start the same Orthanc without the Python plugin, in a folder of its own; give its process id."""
    configuration = read_configuration(guarded / "orthanc.json", {})
    plugins = configuration["Plugins"]
    assert isinstance(plugins, list)  # noqa: S101 - our own file
    configuration |= {"Plugins": plugins[1:], "HttpPort": http, "DicomPort": dicom}
    configuration |= dict.fromkeys(("StorageDirectory", "IndexDirectory"), str(folder / "plain"))
    del configuration["PythonScript"]
    written = folder / "plain.json"
    written.write_text(json.dumps(configuration))
    with running(["Orthanc", f"--logfile={folder / 'plain.log'}", str(written)], http) as process:
        yield process


@contextmanager
def receiving(port: int) -> Iterator[None]:
    """Start dcmtk's receiver, which keeps nothing."""
    with running([STORESCP, "--ignore", "+xy", str(port)], port):
        yield


def at_once() -> dict[str, str]:
    """Return an environment in which dcmtk does not wait to fill a packet, at either end."""
    return {**os.environ, "TCP_NODELAY": "1"}


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """Run a server until the end, from when it listens; give its process id."""
    process = subprocess.Popen(command, env=at_once(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        if not wait_until(lambda: not port_is_free(port), 60):
            raise SystemExit(f"{command[0]} did not start")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
