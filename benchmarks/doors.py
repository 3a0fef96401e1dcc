"""How long each door takes, against the same Orthanc without Consentgate, side by side and in turns.

Run as ``python -m benchmarks.doors [--rounds N] [--photographs N] [--folder DIR]``; prints the table of
docs/performance.md. Both Orthancs have the same configuration but for the Python plugin, and ``TCP_NODELAY=1``. The
clients are dcmtk's and curl, so that what is measured is the server. "ms each" is a round's time by its photographs; a
ratio is the median of the rounds'. p50 and p99 are of single requests, where there are any. "ms of processor" is
Orthanc's own, of the round that took least: it says most where other work slows everything down.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import httpx

from benchmarks.servers import Arm, Photograph, Taken, Times, at_once, both, photographs, processor
from demo.peers import CALLED_AET, HOST, STORESCU, Caller

CLIENTS: Final = 8
ARMS: Final = ("without", "with")
# door: goal and limit of the ratio
DOORS: Final = {
    "C-STORE": ("1.10", "1.25"),
    "POST /instances": ("1.10", "1.25"),
    f"GET /instances/.../file, {CLIENTS} clients": ("1.35", "1.50"),
    f"WADO-RS, {CLIENTS} clients": ("1.10", "1.20"),
    "C-MOVE": ("1.30", "1.50"),
    "C-MOVE while a client GETs": ("", ""),
    "GET while C-MOVE runs, longest": ("", ""),
}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=int, default=60, help="of each round and door")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.photographs):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, count: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| door | arm | ms each | ratio | p50 ms | p99 ms | p99 ratio | ms of processor | ratio | goal | limit |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    with both(folder) as (arms, template):
        for number in range(rounds + 1):
            sent = photographs(folder / f"round-{number}", template, count)
            for name in ARMS if number % 2 else reversed(ARMS):
                one_round(arms[name], sent, keep=number > 0)
    for door, (goal, limit) in DOORS.items():
        for name in ARMS:
            yield row(door, name, arms, goal, limit)


def row(door: str, name: str, arms: dict[str, Arm], goal: str, limit: str) -> str:
    """Return a line of the table."""
    mine, theirs = arms[name].rounds[door], arms["without"].rounds[door]
    ratio = statistics.median(a.each / b.each for a, b in zip(mine, theirs, strict=True))
    each = statistics.median(taken.each for taken in mine) * 1000
    cells = [f"{each:.1f}", f"{ratio:.2f}", *late(mine, theirs), *worked(mine, theirs)]
    cells += [goal, limit] if name == "with" else ["1", ""]
    return f"| {door} | {name} | {' | '.join(cells)} |"


def worked(mine: list[Taken], theirs: list[Taken]) -> tuple[str, str]:
    """Return the processor time of a photograph, and its ratio."""
    ours, others = (min(taken.processor for taken in arm) for arm in (mine, theirs))
    return (f"{ours * 1000:.2f}", f"{ours / others:.2f}") if others else ("", "")


def late(mine: list[Taken], theirs: list[Taken]) -> tuple[str, str, str]:
    """Return p50 and p99 of single requests, and the ratio of p99."""
    ours, others = (sorted(chain.from_iterable(taken.times for taken in arm)) for arm in (mine, theirs))
    if not ours:
        return "", "", ""
    p50, p99 = at(ours, 0.5), at(ours, 0.99)
    return f"{p50 * 1000:.1f}", f"{p99 * 1000:.1f}", f"{p99 / at(others, 0.99):.2f}"


def at(ordered: Times, part: float) -> float:
    """Return the value that this part of all is not above."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def one_round(arm: Arm, sent: tuple[Photograph, ...], *, keep: bool) -> None:
    """Take each door once; without ``keep`` it only warms up."""
    half = len(sent) // 2
    measured: dict[str, Callable[[], Taken]] = {
        "C-STORE": lambda: stored(arm, sent[:half]),
        "POST /instances": lambda: posted(arm, sent[half:]),
        f"GET /instances/.../file, {CLIENTS} clients": lambda: got(arm, [file(each) for each in sent]),
        f"WADO-RS, {CLIENTS} clients": lambda: got(arm, [wado(each) for each in sent]),
    }
    measured["C-MOVE"] = lambda: Taken(each=moved(arm, sent) / len(sent))
    handled = dict(zip(measured, (half, len(sent) - half, len(sent) * 2, len(sent) * 2, len(sent)), strict=True))
    found = {}
    for door, measure in measured.items():
        before = processor(arm.pid)
        taken = measure()
        found[door] = replace(taken, processor=(processor(arm.pid) - before) / handled[door])
    found["C-MOVE while a client GETs"], found["GET while C-MOVE runs, longest"] = moved_while_asked(arm, sent)
    if keep:
        for door, taken in found.items():
            arm.rounds[door].append(taken)


def file(each: Photograph) -> str:
    """Return the path of a whole file by REST."""
    return f"/instances/{each.orthanc_instance}/file"


def wado(each: Photograph) -> str:
    """Return the path of a whole object by DICOMweb."""
    return f"/dicom-web/studies/{each.study}/series/{each.series}/instances/{each.instance}"


def stored(arm: Arm, sent: tuple[Photograph, ...]) -> Taken:
    """Send all in one association of dcmtk's."""
    files = [str(each.file) for each in sent]
    command = [STORESCU, "-aet", "DERMCAM", "-aec", CALLED_AET, "-xy", HOST, str(arm.dicom_port), *files]
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=at_once())  # noqa: S603 - a fixed command
    return Taken(each=(time.perf_counter() - begun) / len(sent))


def posted(arm: Arm, sent: tuple[Photograph, ...]) -> Taken:
    """Post one after the other on one connection."""
    times = []
    with httpx.Client(base_url=arm.url, auth=("uploader", arm.passwords["uploader"]), trust_env=False) as client:
        for each in sent:
            content = each.file.read_bytes()
            begun = time.perf_counter()
            client.post("/instances", content=content, timeout=60).raise_for_status()
            times.append(time.perf_counter() - begun)
    return Taken(each=sum(times) / len(times), times=times)


def got(arm: Arm, paths: list[str]) -> Taken:
    """Get all by several clients at once, each twice."""
    asked = "".join(f'url = "{arm.url}{path}"\noutput = "/dev/null"\n' for path in paths * 2)
    command = ["curl", "--noproxy", "*", "-s", "-f", "-u", arm.account("derm"), "-Z", "--parallel-max", str(CLIENTS)]
    command += [
        "-H",
        'Accept: multipart/related; type="application/dicom"; transfer-syntax=*',
        "-w",
        "%{time_total}\\n",
        "-K",
        "-",
    ]
    begun = time.perf_counter()
    done = subprocess.run(command, input=asked, text=True, check=True, capture_output=True)  # noqa: S603
    each = (time.perf_counter() - begun) / len(paths) / 2
    return Taken(each=each, times=[float(line) for line in done.stdout.split()])


def moved(arm: Arm, sent: tuple[Photograph, ...]) -> float:
    """Have the whole series sent to the workstation; return the seconds."""
    begun = time.perf_counter()
    keys = {"StudyInstanceUID": sent[0].study, "SeriesInstanceUID": sent[0].series}
    status = Caller(aet="DERMWS", port=arm.dicom_port).move("DERMWS", "SERIES", **keys)
    if status != 0:
        raise SystemExit(f"C-MOVE ended with {status:04X}")
    return time.perf_counter() - begun


def moved_while_asked(arm: Arm, sent: tuple[Photograph, ...]) -> tuple[Taken, Taken]:
    """Do the same while somebody asks for pictures one after the other, and see how long each of these waits."""
    waits: Times = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=arm.url, auth=("derm", arm.passwords["derm"]), trust_env=False) as client:
            while not done.is_set() or not waits:
                begun = time.perf_counter()
                client.get(file(sent[0]), timeout=60).raise_for_status()
                waits.append(time.perf_counter() - begun)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        took = moved(arm, sent)
    finally:
        done.set()
        asking.join()
    return Taken(each=took / len(sent)), Taken(each=max(waits), times=waits)


if __name__ == "__main__":
    main()
