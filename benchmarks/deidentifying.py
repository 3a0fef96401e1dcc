"""How long an anonymised copy takes, file to file, against reading and writing it, and against other de-identifiers.

Run as ``python -m benchmarks.deidentifying [--rounds N] [--folder DIR]``; prints the table of docs/performance.md. The
peers are installed into an environment of their own within the folder, which needs a package index; they are no part
of the product. Arms take turns in every round, each in a process that runs already, so start-up is in none of them; a
ratio is the median of the rounds'. "left in" tells what of the camera's words in the picture the arm did not take out.
"ms of processor" is that of the arm's process and its children, which other work on the machine doesn't count into.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import isnan, nan
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from pydicom.encaps import encapsulate

from benchmarks.redaction import processor
from benchmarks.wrapping import photograph
from orthanc_plugin.config.profiles import resolved
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from tests.fakes.pictures import encoded
from tests.fakes.pictures import photograph as wrapped
from tests.integration import stock

PEERS: Final = ("dcmanon==0.3.1", "dicognito==0.19.0", "dicom-anonymizer==2.1.0", "deid==0.4.13")
PROGRAM: Final = Path(__file__).with_name("deidentifiers.py")
KINDS: Final = {"0.6 MB": (1600, 1200, 78), "4 MB": (4000, 3000, 80)}
LIMITS: Final = {"0.6 MB": "4", "4 MB": "2"}
BASE, OURS, ORTHANC = "read and write", "deidentify", "Orthanc's /anonymize"
NAMES: Final = (BASE, OURS, *(peer.split("=")[0] for peer in PEERS), ORTHANC)
WORDS: Final = b"Lens-o-Matic"  # of the camera, in the photograph's EXIF


class Took(NamedTuple):
    """Seconds by the clock, and of the processor where they are known."""

    clock: float
    processor: float = nan


Arm = Callable[[Path, Path], Took]


def main() -> None:
    """Measure, and print the table."""
    warnings.simplefilter("ignore", UserWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name, ExitStack() as running:
        folder = Path(name)
        with_peers = {**own_arms(), **running.enter_context(peers(folder / "peers"))}
        arms = {**with_peers, ORTHANC: running.enter_context(orthanc(folder / "orthanc"))}
        for line in table(folder, arms, chosen.rounds):
            sys.stdout.write(line + "\n")


def table(
    folder: Path, arms: Mapping[str, Arm], rounds: int, kinds: Mapping[str, tuple[int, int, int]] = KINDS
) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| photograph | arm | ms | ms of processor | ratio | left in | limit |"
    yield "|---|---|---|---|---|---|---|"
    for kind, (width, height, quality) in kinds.items():
        given = folder / "given.dcm"
        given.write_bytes(as_sent(photograph(width, height, quality)))
        times = measured(arms, given, folder, rounds)
        for name, mine in times.items():
            ratio = statistics.median(each.clock / base.clock for each, base in zip(mine, times[BASE], strict=True))
            left = "EXIF" if WORDS in made_by(name, folder).read_bytes() else ""
            limit = LIMITS.get(kind, "") if name == OURS else ""
            both = (statistics.median(column) * 1000 for column in zip(*mine, strict=True))
            each = " | ".join("" if isnan(number) else f"{number:.1f}" for number in both)
            yield f"| {kind} | {name} | {each} | {ratio:.1f} | {left} | {limit} |"


def made_by(name: str, folder: Path) -> Path:
    """Return where an arm writes."""
    return folder / f"{name.replace('/', ' ')}.dcm"


def as_sent(stream: bytes) -> bytes:
    """Return an object as another wrapper makes it: the camera's JPEG as it is, EXIF and all."""
    dataset = wrapped(data=stream)
    dataset["PixelData"].value = encapsulate([stream + b"\0" * (len(stream) % 2)])
    return encoded(dataset)


def measured(arms: Mapping[str, Arm], given: Path, folder: Path, rounds: int) -> dict[str, list[Took]]:
    """Return what was taken by arm and round; the first two rounds only warm up."""
    times: dict[str, list[Took]] = {name: [] for name in arms}
    for number in range(rounds + 2):
        for name in list(arms) if number % 2 else reversed(arms):
            made = made_by(name, folder)
            made.unlink(missing_ok=True)
            took = arms[name](given, made)
            if number > 1:
                times[name].append(took)
    return times


def own_arms() -> dict[str, Arm]:
    """Return what no de-identifier can be faster than, and ours, by the shipped profile ``teaching``."""
    found = resolved("teaching", {})
    if found is None:
        raise SystemExit("no profile")
    profile = Profile(name="teaching", pseudonym_domain="t", options=found.options, overrides=found.overrides)
    pseudonyms = Pseudonyms(key=bytes(range(32)), domain="t")
    return {
        BASE: timed(lambda content: content),
        OURS: timed(lambda content: deidentify(content, profile, pseudonyms, confirmed=True).content),
    }


def timed(work: Callable[[bytes], bytes]) -> Arm:
    """Return the arm that reads a file, does the work and writes what comes of it."""

    def arm(given: Path, made: Path) -> Took:
        begun, used = time.perf_counter(), processor()
        made.write_bytes(work(given.read_bytes()))
        return Took(time.perf_counter() - begun, processor() - used)

    return arm


@contextmanager
def peers(folder: Path) -> Iterator[dict[str, Arm]]:
    """Install the peers, and yield their arms, which one process of their environment works for."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)  # noqa: S603 - fixed packages
    command = (python, PROGRAM)
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process as child:
        try:
            yield {name: asked(child, name) for name in NAMES[2:-1]}
        finally:
            child.kill()


def asked(child: subprocess.Popen[str], name: str) -> Arm:
    """Return the arm of one peer."""

    def arm(given: Path, made: Path) -> Took:
        if child.stdin is None or child.stdout is None:
            raise SystemExit("no pipes")
        child.stdin.write(json.dumps([name, str(given), str(made)]) + "\n")
        child.stdin.flush()
        return Took(*json.loads(child.stdout.readline()))

    return arm


@contextmanager
def orthanc(folder: Path) -> Iterator[Arm]:
    """Yield the arm of a stock Orthanc: what it holds is anonymised by its REST interface, and written to a file."""
    folder.mkdir()
    login = (stock.USER, stock.PASSWORD)
    with (
        stock.orthanc(folder) as server,
        httpx.Client(base_url=server.url, auth=login, trust_env=False, timeout=60) as client,
    ):

        def arm(given: Path, made: Path) -> Took:
            instance = client.post("/instances", content=given.read_bytes()).json()["ID"]
            begun = time.perf_counter()
            answer = client.post(f"/instances/{instance}/anonymize", content="{}")
            made.write_bytes(answer.raise_for_status().content)
            return Took(time.perf_counter() - begun)

        yield arm


if __name__ == "__main__":
    main()
