"""How long a C-MOVE takes that anonymises each photograph on the way, against Orthanc's own C-MOVE of the same ones.

Run as ``python -m benchmarks.leaving [--rounds N] [--photographs N] [--folder DIR]``; prints the table of
docs/performance.md. Its servers are those of ``benchmarks.servers``, and take turns in every round. "built-in" is
Orthanc without Consentgate, "original" ours for care, "anonymised" ours for teaching: each picture was confirmed by a
named person before, is derived when it is asked for, checked, recorded and sent. "stream known" has the same ones made
once more: how their streams came out is remembered, and the copies aren't kept. "prepared" has them made ahead after
the confirmation, as the courier does, and then sent. No two photographs have the same stream. "ms of processor" is that
of Orthanc and of what it started, of the round that took least; a ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import pydicom
from PIL import Image, ImageChops
from pydicom.encaps import encapsulate, generate_frames

from benchmarks.doors import stored
from benchmarks.servers import Arm, Photograph, photographs, receiving, unguarded
from benchmarks.wrapping import KINDS, photograph
from demo.journey import Journey
from demo.peers import HOST, Caller, free_ports
from demo.server import Ports, Server
from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.archive.remote import RemoteArchive, read_credentials, read_place
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.lifecycle import reviewing
from orthanc_plugin.policy.reviewing import CHECKLIST, Shown
from orthanc_plugin.registry import keptcopies, wantedcopies
from orthanc_plugin.sending.preparing import Preparing
from orthanc_plugin.services import build

PREPARED: Final = "anonymised, prepared"
TEACHING: Final = ("anonymised", "anonymised, stream known", PREPARED)
ARMS: Final = {"built-in": ("1", ""), "original": ("", ""), **dict.fromkeys(TEACHING, ("2.2", "3"))}  # goal, limit
TICK: Final = os.sysconf("SC_CLK_TCK")


class Took(NamedTuple):
    """Seconds for each photograph, by the clock and of the processor."""

    clock: float
    processor: float


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """A guarded Orthanc, the same one without Consentgate, and a photograph that may leave for care and teaching."""

    guarded: Arm
    plain: Arm
    settings: Path
    template: Path

    def move(self, name: str, sent: tuple[Photograph, ...]) -> Took:
        """Have a series sent; no copy of it is kept, but where it is prepared."""
        arm = self.plain if name == "built-in" else self.guarded
        caller = "TEACHING" if name in TEACHING else "DERMWS"
        if name in TEACHING:
            self.prepare(sent, made=name == PREPARED)
        before, begun = processor(arm.pid), time.perf_counter()
        keys = {"StudyInstanceUID": sent[0].study, "SeriesInstanceUID": sent[0].series}
        status = Caller(aet=caller, port=arm.dicom_port).move(caller, "SERIES", **keys)
        if status != 0:
            raise SystemExit(f"C-MOVE, {name}, ended with {status:04X}")
        took = time.perf_counter() - begun
        return Took(took / len(sent), (processor(arm.pid) - before) / len(sent))

    def confirm(self, sent: tuple[Photograph, ...]) -> None:
        """Record for each picture that nothing in it identifies the patient."""
        services = build(self.settings, {}, now, new_id)
        answers = dict.fromkeys(CHECKLIST, Shown.NOT_SHOWN)
        for each in sent:
            with services.database.writing() as connection:
                on = reviewing.matter(connection, each.instance, "", services.release.under)
                reviewing.confirm(connection, services.act("A Reviewer", "benchmark"), on, answers, "")
        services.sign_head()
        services.database.close()

    def prepare(self, sent: tuple[Photograph, ...], *, made: bool) -> None:
        """Forget the copies that are kept; have them made ahead again if ``made``."""
        services = build(self.settings, {}, now, new_id)
        with services.database.writing() as connection:
            keptcopies.forget(connection, [each.instance for each in sent])
            for each in sent if made else ():
                wantedcopies.want(connection, each.instance, ("teaching",), now())
        if made:
            boot = services.settings.path(services.settings.orthanc.boot_secret)
            archive = RemoteArchive(self.guarded.url, read_credentials(boot, services.settings.orthanc.user))
            ahead = Preparing(services=services, archive=archive, place=read_place(boot).archive)
            if ahead.some(len(sent)) != len(sent):
                raise SystemExit("not every copy could be made ahead")
            archive.close()
        services.database.close()


def processor(pid: int) -> float:
    """Return the seconds that a process and its children that have ended have computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICK


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=int, default=20, help="of each round")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.photographs):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, count: int) -> Iterator[str]:
    """Yield the lines of the table; the first round only warms up."""
    times: dict[str, list[Took]] = {name: [] for name in ARMS}
    with hospital(folder) as here:
        for number in range(rounds + 1):
            sent = photographs(folder / f"round-{number}", here.template, count)
            for each in sent:
                moved(each)
            for arm in (here.guarded, here.plain):
                stored(arm, sent)
            here.confirm(sent)
            for name in order(number):
                took = here.move(name, sent)
                if number:
                    times[name].append(took)
    yield "| C-MOVE | ms each | ratio | ms of processor | ratio | goal | limit |"
    yield "|---|---|---|---|---|---|---|"
    yield from (row(name, times) for name in ARMS)


def moved(made: Photograph) -> None:
    """Give a photograph a stream that no other one has: what is shown is moved across, by as much as its UID says."""
    dataset = pydicom.dcmread(made.file)
    picture = Image.open(io.BytesIO(next(generate_frames(dataset.PixelData, number_of_frames=1))))
    buffer = io.BytesIO()
    across = ImageChops.offset(picture, int(made.instance[-3:]), int(made.instance[-6:-3]))
    across.save(buffer, "JPEG", quality=KINDS["0.6 MB"][2])
    stream = cleaned(buffer.getvalue())
    dataset["PixelData"].value = encapsulate([stream + b"\0" * (len(stream) % 2)])
    dataset.save_as(made.file, enforce_file_format=True)


def order(number: int) -> tuple[str, ...]:
    """Return in which order the arms of a round have their turn: what is made again was made just before."""
    first = ("built-in", "original")
    return (*first, *TEACHING) if number % 2 else (*TEACHING, *reversed(first))


def row(name: str, times: dict[str, list[Took]]) -> str:
    """Return a line of the table."""
    mine, base = times[name], times["built-in"]
    ratio = statistics.median(a.clock / b.clock for a, b in zip(mine, base, strict=True))
    ours, theirs = (min(each.processor for each in arm) for arm in (mine, base))
    clock = statistics.median(each.clock for each in mine) * 1000
    worked = f"{ours / theirs:.2f}" if theirs else ""
    goal, limit = ARMS[name]
    return f"| {name} | {clock:.1f} | {ratio:.2f} | {ours * 1000:.1f} | {worked} | {goal} | {limit} |"


@contextmanager
def hospital(folder: Path) -> Iterator[Hospital]:
    """Start both Orthancs, a workstation and a teaching archive that keep nothing."""
    http, dicom, camera, workstation, teaching, plain_http, plain_dicom = free_ports(7)
    ports = Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)
    server = Server(folder=folder / "orthanc", ports=ports)
    server.start()
    try:
        template = wrapped(server, folder)
        with unguarded(folder, server.folder, plain_http, plain_dicom) as plain:
            if server.process is None:
                raise SystemExit("Orthanc isn't there")
            with receiving(workstation), receiving(teaching):
                yield Hospital(
                    guarded=Arm(pid=server.process.pid, url=server.url, dicom_port=dicom, passwords=server.passwords),
                    plain=Arm(pid=plain, url=f"http://{HOST}:{plain_http}", dicom_port=plain_dicom, passwords={}),
                    settings=server.folder / "settings.toml",
                    template=template,
                )
    finally:
        server.stop()


def wrapped(server: Server, folder: Path) -> Path:
    """Return a photograph under a consent to care and to anonymised teaching that the registry has."""
    work = folder / "work"
    work.mkdir()
    photo = work / "photograph.jpg"
    photo.write_bytes(photograph(*KINDS["0.6 MB"][:3]))
    today = date.today()  # noqa: DTZ011 - a day
    journey = Journey(server=server, work=work, today=today, photos=(photo,), show=lambda _line: None)
    journey.at_workstation.stop()
    journey.at_teaching.stop()
    journey.wrap()
    return journey.wrapped["B"].file


if __name__ == "__main__":
    main()
