"""How fast routes send, against Orthanc's own autorouting of the same photographs without any consent.

Run as ``python -m benchmarks.routing [--rounds N] [--photographs N] [--folder DIR] [--workers N] [--originals]``; it
prints the table of docs/performance.md. The arms take turns at the same storescp. "autorouting" is what
``SendToModality`` of Orthanc's Lua does for a series (one job, one association), from its call to its end. "route" is
``consentgate courier``, from the insert into the outbox to the last row that is delivered: claim, decide, disclose,
send; "anonymised" makes a copy of each picture besides, "prepared" has them made, and kept, before. A ratio is of
photographs in the same time: 1 is as fast as autorouting. "ms of processor" is what Orthanc, the courier with its
children, and storescp computed for a photograph, of the round that took least; where other work slows everything down
it says most. Its ratio is autorouting's by that.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import func, select

from benchmarks.servers import STORESCP, Photograph, at_once, photographs, running, unguarded
from benchmarks.wrapping import KINDS, photograph
from demo.journey import Journey
from demo.peers import CALLED_AET, HOST, STORESCU, free_ports, wait_until
from demo.server import Ports, Server
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.policy.reviewing import CHECKLIST, Review, Shown
from orthanc_plugin.registry import images, keptcopies, outbox, reviews, wantedcopies
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.keptcopytables import wanted_copies

PREPARED: Final = "route, anonymised, prepared"
GOALS: Final = {"autorouting": "1", "route": ">= 0.7", "route, anonymised": ">= 0.4", PREPARED: ">= 0.4"}
SECONDS: Final = 1800
LETTER: Final = "B"  # who agreed to care and to teaching
ROUTES: Final = """
[[routes]]
name = "care"
recipient = "dermatology-workstation"
purpose = "DIRECT_CARE"
owner = "benchmark"
triggers = ["KEY_OBJECT"]
[[routes]]
name = "teaching"
recipient = "teaching-archive"
purpose = "TEACHING"
owner = "benchmark"
triggers = ["KEY_OBJECT"]
"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    parser.add_argument("--workers", type=int, default=1, help="of the courier")
    parser.add_argument("--originals", action="store_true", help="leave out the anonymised arm, which takes longest")
    chosen = parser.parse_args()
    goals = {name: goal for name, goal in GOALS.items() if not chosen.originals or "anonymised" not in name}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.photographs, chosen.workers, goals):
            sys.stdout.write(line + "\n")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What an arm does, the processes that compute for it, and what is done before it is measured."""

    act: Callable[[], None]
    pids: tuple[int, ...]
    ready: Callable[[], None] = lambda: None


@dataclass(kw_only=True)
class Taken:
    """What the rounds of an arm took: seconds by the clock, and of the processor by process."""

    times: list[float] = field(default_factory=list)
    computed: list[tuple[float, ...]] = field(default_factory=list)


def table(folder: Path, rounds: int, count: int, workers: int, goals: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the table."""
    taken = {name: Taken() for name in goals}
    with both(folder, count, workers) as arms:
        for number in range(rounds):
            for name in goals if number % 2 else reversed(list(goals)):
                measure(arms[name], taken[name])
    yield "| arm | ms each | ratio | ms of processor | of it Orthanc | courier | storescp | ratio | goal |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, goal in goals.items():
        yield row(name, taken["autorouting"], taken[name], count, goal)


def measure(arm: Arm, taken: Taken) -> None:
    """Have an arm act once."""
    arm.ready()
    before, begun = [computed(pid) for pid in arm.pids], time.perf_counter()
    arm.act()
    taken.times.append(time.perf_counter() - begun)
    taken.computed.append(tuple(computed(pid) - was for pid, was in zip(arm.pids, before, strict=True)))


def row(name: str, plain: Taken, taken: Taken, count: int, goal: str) -> str:
    """Return a line of the table."""
    ratio = statistics.median(a / b for a, b in zip(plain.times, taken.times, strict=True))
    least = min(taken.computed, key=sum)
    orthanc, receiver, *courier = (f"{seconds / count * 1000:.1f}" for seconds in least)
    cells = [f"{statistics.median(taken.times) / count * 1000:.1f}", f"{ratio:.2f}"]
    cells += [f"{sum(least) / count * 1000:.1f}", orthanc, *(courier or [""]), receiver]
    cells.append(f"{sum(min(plain.computed, key=sum)) / sum(least):.2f}")
    return f"| {name} | {' | '.join(cells)} | {goal} |"


def computed(pid: int) -> float:
    """Return the seconds that a process and its children have computed (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(computed(int(each)) for each in living)


@contextmanager
def both(folder: Path, count: int, workers: int) -> Iterator[dict[str, Arm]]:
    """Start both Orthancs with the same photographs, a courier and the receivers; give the arms."""
    http, dicom, camera, workstation, teaching, plain_http, plain_dicom = free_ports(7)
    ports = Ports(http=http, dicom=dicom, camera=camera, workstation=workstation, teaching=teaching)
    server = Server(folder=folder / "orthanc", ports=ports)
    server.start()
    try:
        sent = photographs(folder / "photographs", wrapped(server, folder), count)
        server.stop()
        with (server.folder / "policy.toml").open("a") as policy:
            policy.write(ROUTES)
        server.start()
        plain = f"http://{HOST}:{plain_http}"
        with (
            unguarded(folder, server.folder, plain_http, plain_dicom) as stock,
            receiving(workstation) as ward,
            receiving(teaching) as school,
        ):
            for port in (dicom, plain_dicom):
                store(sent, port)
            database = open_database(f"sqlite:///{server.folder / 'registry.db'}")
            confirm(database, sent)
            guarded = server.process
            assert guarded is not None  # noqa: S101 - it was started
            care, teach = (
                lambda: route(database, sent, "care", "dermatology-workstation", "DIRECT_CARE"),
                lambda: route(database, sent, "teaching", "teaching-archive", "TEACHING"),
            )
            with courier(server, workers) as sender:
                yield {
                    "autorouting": Arm(act=lambda: autoroute(plain, server.passwords, sent), pids=(stock, ward)),
                    "route": Arm(act=care, pids=(guarded.pid, ward, sender)),
                    "route, anonymised": Arm(
                        act=teach, pids=(guarded.pid, school, sender), ready=lambda: forget(database)
                    ),
                    PREPARED: Arm(act=teach, pids=(guarded.pid, school, sender), ready=lambda: prepare(database, sent)),
                }
            database.close()
    finally:
        server.stop()


def wrapped(server: Server, folder: Path) -> Path:
    """Return a photograph of 0.6 MB under a consent to care and to teaching that the registry has."""
    work = folder / "work"
    work.mkdir()
    photo = work / "photograph.jpg"
    photo.write_bytes(photograph(*KINDS["0.6 MB"][:3]))
    today = date.today()  # noqa: DTZ011 - a day
    journey = Journey(server=server, work=work, today=today, photos=(photo,), show=lambda _line: None)
    journey.at_workstation.stop()
    journey.at_teaching.stop()
    journey.wrap()
    return journey.wrapped[LETTER].file


def store(sent: Sequence[Photograph], port: int) -> None:
    """Send all in associations of a hundred."""
    for start in range(0, len(sent), 100):
        files = [str(each.file) for each in sent[start : start + 100]]
        command = [STORESCU, "-aet", "DERMCAM", "-aec", CALLED_AET, "-xy", HOST, str(port), *files]
        subprocess.run(command, check=True, capture_output=True, env=at_once())  # noqa: S603 - a fixed command


def confirm(database: Database, sent: Sequence[Photograph]) -> None:
    """Have somebody have looked at each picture."""
    with database.writing() as connection:
        for each in sent:
            stored = images.stored_as(connection, each.instance)
            found = Review(
                review_id=new_id(),
                sop_instance_uid=each.instance,
                sha256=stored[1] if stored else "",
                outcome=Anonymisable.YES,
                checklist=dict.fromkeys(CHECKLIST, Shown.NOT_SHOWN),
                reviewer="benchmark",
                reviewed_at=now(),
            )
            reviews.record(connection, found)


def forget(database: Database) -> None:
    """Forget the copies that are kept."""
    with database.writing() as connection:
        keptcopies.forget_all(connection)


def prepare(database: Database, sent: Sequence[Photograph]) -> None:
    """Have the courier, which has nothing else to do, make those copies that aren't kept."""
    with database.writing() as connection:
        for each in sent:
            wantedcopies.want(connection, each.instance, ("teaching",), now())
    if not wait_until(lambda: not wanted(database), SECONDS, pause=0.05):
        raise SystemExit("not every copy could be made ahead")


def wanted(database: Database) -> int:
    """Return how many copies are still to be made."""
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(wanted_copies)).scalar_one())


@contextmanager
def receiving(port: int) -> Iterator[int]:
    """Start dcmtk's receiver, which keeps nothing; give its process id."""
    with running([STORESCP, "--ignore", "+xy", str(port)], port) as process:
        yield process


@contextmanager
def courier(server: Server, workers: int) -> Iterator[int]:
    """Run a courier; give its process id."""
    program = Path(sys.executable).parent / "consentgate"
    command = [str(program), "--settings", str(server.folder / "settings.toml"), "courier"]
    command += ["--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def autoroute(url: str, passwords: dict[str, str], sent: Sequence[Photograph]) -> None:
    """Do what SendToModality does."""
    with httpx.Client(base_url=url, auth=("admin", passwords["admin"]), trust_env=False, timeout=SECONDS) as client:
        found = client.post("/tools/lookup", content=sent[0].series).json()
        body = json.dumps({"Resources": [each["ID"] for each in found], "Synchronous": True})
        done = client.post("/modalities/dermatology/store", content=body).raise_for_status().json()
    if (done["InstancesCount"], done["FailedInstancesCount"]) != (len(sent), 0):
        raise SystemExit(f"autorouting sent {done['InstancesCount']} of {len(sent)}")


def route(database: Database, sent: Sequence[Photograph], name: str, recipient: str, purpose: str) -> None:
    """Queue all, and wait until the last one is delivered."""
    rows = [
        outbox.Queued(
            route=name,
            recipient=recipient,
            purpose=purpose,
            sop_instance_uid=each.instance,
            study_instance_uid=each.study,
            priority=0,
            cause="KEY_OBJECT",
        )
        for each in sent
    ]
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM outbox")
        outbox.queue(connection, rows, now())
    if not wait_until(lambda: delivered(database) == len(rows), SECONDS, pause=0.02):
        raise SystemExit(f"only {delivered(database)} of {len(rows)} were delivered")


def delivered(database: Database) -> int:
    """Return how many rows are."""
    with database.reading() as connection:
        return outbox.counts(connection)[outbox.State.DELIVERED]


if __name__ == "__main__":
    main()
