"""How long Orthanc takes to store and to read photographs of 0.6 MB: by itself, by Python, by Python with encryption.

Run as ``python -m benchmarks.storing [--rounds N] [--photographs N] [--folder DIR]``; prints the table of
docs/performance.md. Three Orthancs without any guard are up at once, with Orthanc's cache of files off, and take turns
in every round; a ratio is the median of the rounds'. "ms of processor" is Orthanc's own, of the round that took least:
it says most where other work slows everything down. Ten photographs make a study, so every tenth needs a new key.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

import httpx
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage

from benchmarks.servers import processor
from benchmarks.wrapping import KINDS, photograph
from demo.peers import HOST, free_ports, port_is_free, wait_until
from demo.server import ROOT
from dicomwrap.uids import fresh_uid
from orthanc_plugin.deid.keys import make_key

CLIENTS: Final = 4
A_STUDY: Final = 10
GOAL: Final = "1.30"
AREA: Final = ROOT / "benchmarks" / "storagearea.py"
LIBRARY: Final = "/usr/share/orthanc/plugins/libOrthancPython.so"
SECTION: Final = '\n[storage]\nencryption = true\nsite_keys = { bench = "keys/storage.key" }\n'
ARMS: Final = ("Orthanc itself", "Python, plain", "Python, encrypted")
WORK: Final = ("write", "read")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a photograph took: seconds, and of these Orthanc's own of the processor."""

    each: float
    processor: float


@dataclass(kw_only=True)
class Arm:
    """A running Orthanc, and what each kind of work took, round by round."""

    pid: int
    url: str
    rounds: dict[str, list[Taken]] = field(default_factory=lambda: {work: [] for work in WORK})


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photographs", type=int, default=60, help="of each round")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.photographs):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, count: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| work | arm | ms each | ratio | ms of processor | ratio | goal |"
    yield "|---|---|---|---|---|---|---|"
    jpeg = photograph(*KINDS["0.6 MB"][:3])
    with ExitStack() as stack:
        arms = {name: stack.enter_context(started(folder, name)) for name in ARMS}
        for number in range(rounds + 1):
            for name in ARMS if number % 2 else reversed(ARMS):
                one_round(arms[name], objects(jpeg, count), keep=number > 0)
    for work in WORK:
        for name in ARMS:
            yield row(work, name, arms)


def row(work: str, name: str, arms: dict[str, Arm]) -> str:
    """Return a line of the table."""
    mine, plain = arms[name].rounds[work], arms["Python, plain"].rounds[work]
    ratio = statistics.median(a.each / b.each for a, b in zip(mine, plain, strict=True))
    ours, theirs = (min(taken.processor for taken in arm) for arm in (mine, plain))
    each = statistics.median(taken.each for taken in mine) * 1000
    goal = GOAL if name == "Python, encrypted" else ""
    return f"| {work} | {name} | {each:.2f} | {ratio:.2f} | {ours * 1000:.2f} | {ours / theirs:.2f} | {goal} |"


def one_round(arm: Arm, content: list[bytes], *, keep: bool) -> None:
    """Store all, then read all; without ``keep`` it only warms up."""
    with httpx.Client(base_url=arm.url, trust_env=False, timeout=60) as client, ThreadPoolExecutor(CLIENTS) as clients:

        def post(each: bytes) -> str:
            return str(client.post("/instances", content=each).raise_for_status().json()["ID"])

        def get(name: str) -> int:
            return len(client.get(f"/instances/{name}/file").raise_for_status().content)

        before, begun = processor(arm.pid), time.perf_counter()
        names = list(clients.map(post, content))
        stored = taken(arm, before, begun, len(content))
        before, begun = processor(arm.pid), time.perf_counter()
        sizes = list(clients.map(get, names))
        read = taken(arm, before, begun, len(content))
    if sizes != [len(each) for each in content]:
        raise SystemExit("what was read isn't what was stored")
    if keep:
        arm.rounds["write"].append(stored)
        arm.rounds["read"].append(read)


def taken(arm: Arm, before: float, begun: float, count: int) -> Taken:
    """Return what each photograph took since then."""
    return Taken(each=(time.perf_counter() - begun) / count, processor=(processor(arm.pid) - before) / count)


def objects(jpeg: bytes, count: int) -> list[bytes]:
    """Return so many DICOM objects with the photograph, ten in a study."""
    found = []
    study = fresh_uid()
    for number in range(count):
        study = study if number % A_STUDY else fresh_uid()
        found.append(dicom(jpeg, study))
    return found


def dicom(jpeg: bytes, study: str) -> bytes:
    """Return a DICOM object with the photograph."""
    made, meta = Dataset(), FileMetaDataset()
    made.SOPClassUID = meta.MediaStorageSOPClassUID = VLPhotographicImageStorage
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = fresh_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID, made.PatientID, made.Modality = study, fresh_uid(), "1", "XC"
    made.Rows, made.Columns, made.SamplesPerPixel, made.PlanarConfiguration = 1200, 1600, 3, 0
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PhotometricInterpretation = "YBR_FULL_422"
    made.PixelData = encapsulate([jpeg])
    made["PixelData"].VR = "OB"
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.file_meta = meta
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def started(folder: Path, name: str) -> Iterator[Arm]:
    """Start an Orthanc of this kind; it ends with this."""
    own = folder / name.replace(", ", "-").replace(" ", "-")
    (own / "storage").mkdir(parents=True)
    http, dicom_port = free_ports(2)
    configuration: dict[str, object] = {
        "StorageDirectory": str(own / "storage"),
        "IndexDirectory": str(own),
        "HttpPort": http,
        "DicomPort": dicom_port,
        "AuthenticationEnabled": False,
        "MaximumStorageCacheSize": 0,
        "Python": {"AllowThreads": True},
    }
    environment = {**os.environ, "TCP_NODELAY": "1", "STORING_FOLDER": str(own / "storage"), "PYTHONPATH": paths()}
    if name != "Orthanc itself":
        configuration |= {"Plugins": [LIBRARY], "PythonScript": str(AREA)}
    if name == "Python, encrypted":
        environment["STORING_SETTINGS"] = str(settings(own / "consentgate"))
    (own / "orthanc.json").write_text(json.dumps(configuration))
    with (own / "out").open("wb") as output:
        command = ["Orthanc", str(own / "orthanc.json")]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        if not wait_until(lambda: not port_is_free(http), 60):
            raise SystemExit(f"Orthanc did not start: {(own / 'out').read_text()[-2000:]}")
        yield Arm(pid=process.pid, url=f"http://{HOST}:{http}")
    finally:
        process.terminate()
        process.wait(30)


def settings(folder: Path) -> Path:
    """Return the settings of a registry with nothing in it, by which files are encrypted."""
    program, script = str(Path(sys.executable).parent / "consentgate"), str(ROOT / "docker" / "consent_gate.py")
    path = folder / "settings.toml"
    folder.mkdir()
    for command in (["init", str(folder), "--script", script], ["--settings", str(path), "db", "upgrade"]):
        subprocess.run([program, *command], check=True, capture_output=True)  # noqa: S603 - our own program
    make_key(folder / "keys" / "storage.key")
    path.write_text(path.read_text() + SECTION)
    return path


def paths() -> str:
    """Return where the embedded interpreter finds us and our libraries."""
    return os.pathsep.join([str(ROOT), *(each for each in sys.path if each.endswith("site-packages"))])


if __name__ == "__main__":
    main()
