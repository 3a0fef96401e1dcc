"""How long blanking regions of a photograph takes, proven, against decoding and encoding it, and the leak check.

Run as ``python -m benchmarks.redaction [--rounds N]``; prints the tables of docs/performance.md. Arms take turns in
every round, so that what else the machine does falls on all of them; a ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final

import pydicom
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from benchmarks.wrapping import photograph
from dicomwrap.bitstream.clean import cleaned
from orthanc_plugin.deid.apply import deidentify
from orthanc_plugin.deid.leakcheck import leaks_in
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.pseudonym import Pseudonyms
from orthanc_plugin.deid.regions import Region, redacted
from tests.fakes.pictures import encoded
from tests.fakes.pictures import photograph as wrapped

SIZE: Final = (4000, 3000)
BOXES: Final = ((1203, 507, 900, 611), (300, 2000, 640, 320), (2900, 100, 400, 1200))
KINDS: Final = {"0.6 MB": (1600, 1200, 78), "4 MB": (4000, 3000, 80)}
JPEGTRAN: Final = ("jpegtran", "-copy", "none")
LIMIT: Final = "300 ms"
Arm = Callable[[], object]


def main() -> None:
    """Measure, and print the tables."""
    warnings.simplefilter("ignore", UserWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    for line in (*redaction(chosen.rounds), "", *checking(chosen.rounds)):
        sys.stdout.write(line + "\n")


def redaction(rounds: int, size: tuple[int, int] = SIZE) -> Iterator[str]:
    """Yield the lines of the table of redaction."""
    for quality in (60, 80):
        stream = cleaned(photograph(*size, quality))
        arms = _redaction_arms(stream, size)
        yield f"| 12 MP, 3 regions, {len(stream) / 1e6:.1f} MB | ms | ms of processor | ratio | limit |"
        yield "|---|---|---|---|---|"
        yield from rows(arms, rounds, {"blanked in the coefficients, proven": LIMIT})


def _redaction_arms(stream: bytes, size: tuple[int, int]) -> dict[str, Arm]:
    original = wrapped(data=stream)
    boxes = [tuple(number * size[0] // SIZE[0] for number in box) for box in BOXES]
    return {
        "decoded, blanked and encoded by Pillow (loses all over)": lambda: _by_pillow(stream, boxes),
        "written anew once by jpegtran": lambda: _run(stream),
        "jpegtran -wipe, region by region, not proven": lambda: _wiped(stream, boxes),
        "blanked in the coefficients, proven": lambda: _redacted(original, boxes),
    }


def _by_pillow(stream: bytes, boxes: list[tuple[int, ...]]) -> None:
    picture = Image.open(io.BytesIO(stream))
    draw = ImageDraw.Draw(picture)
    for left, top, width, height in boxes:
        draw.rectangle((left, top, left + width - 1, top + height - 1), fill=(128, 128, 128))
    picture.save(io.BytesIO(), "JPEG", quality=85)


def _run(stream: bytes, *options: str) -> bytes:
    return subprocess.run((*JPEGTRAN, *options), input=stream, capture_output=True, check=True).stdout  # noqa: S603


def _wiped(stream: bytes, boxes: list[tuple[int, ...]]) -> None:
    for left, top, width, height in boxes:
        stream = _run(stream, "-wipe", f"{width}x{height}+{left}+{top}")


def _redacted(original: Dataset, boxes: list[tuple[int, ...]]) -> None:
    copy = Dataset(original)
    copy.file_meta = original.file_meta
    copy["PixelData"] = deepcopy(original["PixelData"])
    redacted(copy, [Region.rectangle(*box) for box in boxes])


def checking(rounds: int, kinds: dict[str, tuple[int, int, int]] = KINDS) -> Iterator[str]:
    """Yield the lines of the table of the leak check."""
    profile, pseudonyms = Profile(name="t", pseudonym_domain="t"), Pseudonyms(key=bytes(range(32)), domain="t")
    yield "| leak check of a finished copy | ms | ms of processor | ratio | limit |"
    yield "|---|---|---|---|---|"
    for kind, (width, height, quality) in kinds.items():
        content = encoded(wrapped(data=photograph(width, height, quality)))
        original, copy = pydicom.dcmread(io.BytesIO(content)), deidentify(content, profile, pseudonyms).content
        arms: dict[str, Arm] = {
            f"{kind}: parsed by pydicom": lambda copy=copy: list(pydicom.dcmread(io.BytesIO(copy)).iterall()),
            f"{kind}: checked": lambda original=original, copy=copy: leaks_in(original, copy),
        }
        yield from rows(arms, rounds, {})


def rows(arms: dict[str, Arm], rounds: int, limits: dict[str, str]) -> Iterator[str]:
    """Have the arms take turns, and yield a row for each."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    worked: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):  # the first only warms up
        for name in list(arms) if number % 2 else reversed(arms):
            begun, used = time.perf_counter(), processor()
            arms[name]()
            if number:
                times[name].append(time.perf_counter() - begun)
                worked[name].append(processor() - used)
    base = next(iter(times.values()))
    for name, mine in times.items():
        ratio = statistics.median(each / theirs for each, theirs in zip(mine, base, strict=True))
        both = (statistics.median(each) * 1000 for each in (mine, worked[name]))
        yield "| " + " | ".join((name, *(f"{each:.1f}" for each in both), f"{ratio:.2f}", limits.get(name, ""))) + " |"


def processor() -> float:
    """Return the seconds of processor time that we and our children have used."""
    used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
