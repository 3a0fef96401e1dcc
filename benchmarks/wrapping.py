"""How long wrapping takes, against reading, hashing and writing the same bytes, and against img2dcm.

Run as ``python -m benchmarks.wrapping [--rounds N] [--folder DIR]``; prints the table of docs/performance.md. Arms take
turns in every round, so that what else the machine does falls on all of them; a ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from dicomwrap.cli import batch, orders
from dicomwrap.cli.details import Details
from dicomwrap.cli.papers import Papers
from dicomwrap.cli.report import Wrapped
from dicomwrap.uids import fresh_uid

WHOSE: Final = {"patient_id": "1", "patient_name": "Doe^Jane", "body_site": "hand", "laterality": "L"}
OPTIONS: Final = tuple(word for name, text in WHOSE.items() for word in (f"--{name.replace('_', '-')}", text))
# name: width, height, JPEG quality, how many photographs; about 0.6 and 4 MB each
KINDS: Final = {"0.6 MB": (1600, 1200, 78, 120), "4 MB": (4000, 3000, 80, 24)}
PROGRAM: Final = Path(sys.executable).parent / "dicomwrap"
Arm = Callable[[], None]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, kinds: dict[str, tuple[int, int, int, int]] = KINDS) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| photographs | arm | ms a photograph | ratio | goal | limit |"
    yield "|---|---|---|---|---|---|"
    for kind, (width, height, quality, count) in kinds.items():
        photos = _photographs(folder / kind, width, height, quality, count)
        times = _measured(_batch_arms(photos, folder / "out"), folder / "out", rounds)
        limit = {"0.6 MB": "2.5", "4 MB": "1.6"}.get(kind, "")
        for name, goal, bound in (("read, sha256, write", "1", ""), ("wrap", "1.25", limit), ("wrap --jobs 2", "", "")):
            yield _row(kind, name, times, "read, sha256, write", len(photos), goal, bound)
        times = _measured(_single_arms(photos[0], folder / "out"), folder / "out", rounds)
        yield _row(kind, "img2dcm, one process", times, "img2dcm, one process", 1, "1", "")
        yield _row(kind, "dicomwrap wrap, one process", times, "img2dcm, one process", 1, "2", "6")
        yield _sizes(kind, photos[0], folder / "out")


def _batch_arms(photos: tuple[Path, ...], out: Path) -> dict[str, Arm]:
    return {
        "read, sha256, write": lambda: _copied(photos, out),
        "wrap": lambda: _wrapped(photos, out, jobs=1),
        "wrap --jobs 2": lambda: _wrapped(photos, out, jobs=2),
    }


def _single_arms(photo: Path, out: Path) -> dict[str, Arm]:
    ours = (str(PROGRAM), "wrap", str(photo), "--out", str(out / "one.dcm"), *OPTIONS)
    theirs = ("img2dcm", "-i", "JPEG", "-vlp", str(photo), str(out / "theirs.dcm"))
    return {"img2dcm, one process": lambda: _run(theirs), "dicomwrap wrap, one process": lambda: _run(ours)}


def _copied(photos: tuple[Path, ...], out: Path) -> None:
    for photo in photos:
        data = photo.read_bytes()
        hashlib.sha256(data).hexdigest()
        (out / photo.name).write_bytes(data)


def _wrapped(photos: tuple[Path, ...], out: Path, *, jobs: int) -> None:
    order = orders.order(Details(**WHOSE), orders.Settings(now=datetime.now(UTC)), Papers())
    for outcome in batch.wrap_each(photos, out, order, fresh_uid, jobs=jobs):
        if not isinstance(outcome, Wrapped):
            raise SystemExit(f"{outcome.input}: {outcome.reason}")


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - fixed commands


def _measured(arms: dict[str, Arm], out: Path, rounds: int) -> dict[str, list[float]]:
    """Return seconds by arm and round; the first round only warms up. The order turns round every time."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):
        for name in list(arms) if number % 2 else reversed(arms):
            out.mkdir()
            begun = time.perf_counter()
            arms[name]()
            if number:
                times[name].append(time.perf_counter() - begun)
            shutil.rmtree(out)
    return times


def _row(kind: str, name: str, times: dict[str, list[float]], base: str, count: int, goal: str, limit: str) -> str:
    ratio = statistics.median(mine / theirs for mine, theirs in zip(times[name], times[base], strict=True))
    each = statistics.median(times[name]) / count * 1000
    return f"| {kind} | {name} | {each:.2f} | {ratio:.2f} | {goal} | {limit} |"


def _sizes(kind: str, photo: Path, out: Path) -> str:
    out.mkdir(exist_ok=True)
    _wrapped((photo,), out, jobs=1)
    more = next(out.glob("*.dcm")).stat().st_size - photo.stat().st_size
    shutil.rmtree(out)
    return f"| {kind} | bytes of the object less the photograph's | {more} | | | 8192 |"


def _photographs(folder: Path, width: int, height: int, quality: int, count: int) -> tuple[Path, ...]:
    folder.mkdir()
    data = photograph(width, height, quality)
    paths = tuple(folder / f"{number:04}.jpg" for number in range(count))
    for path in paths:
        path.write_bytes(data)
    return paths


def photograph(width: int, height: int, quality: int) -> bytes:
    """Return a noisy picture with what a camera writes beside it."""
    coarse = Image.effect_noise((width // 4, height // 4), 60).resize((width, height), Image.Resampling.BICUBIC)
    bands = [Image.blend(coarse, Image.effect_noise((width, height), 40), 0.35) for _ in range(3)]
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model], exif[Base.Orientation] = "Acme", "Lens-o-Matic 3", 1
    detail = exif.get_ifd(IFD.Exif)
    detail[Base.DateTimeOriginal], detail[Base.ExposureTime], detail[Base.FNumber] = "2026:03:01 10:15:30", 0.008, 2.8
    detail[Base.MakerNote] = bytes(4096)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    Image.merge("RGB", bands).save(buffer, "JPEG", quality=quality, exif=exif, icc_profile=profile)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
