"""How long a decision takes: gathering its facts from a large registry, and deciding.

Run as ``python -m benchmarks.deciding --folder DIR [--images N] [--postgresql URL]``; prints the table of
docs/performance.md. The registry is made once in the folder (``benchmarks.hospital``) and used again; the PostgreSQL
database must exist and be empty, or hold the same made-up registry. Nothing is written to the trail. "Computing" leaves
out what this process waited for: other processes, the disk, PostgreSQL.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection

from benchmarks import hospital
from dicomwrap.terms import Audience, ConsentLevel, ConsentState, Form, Giver, GiverType, Purpose
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import (
    Anonymisable,
    Case,
    Consent,
    Image,
    ImageType,
    Patient,
    Recipient,
    Request,
    Switches,
)
from orthanc_plugin.registry import facts
from orthanc_plugin.registry.engine import open_database

Item = TypeVar("Item")
TODAY: Final = date(2026, 11, 20)
SAMPLE: Final = 20_000
BUDGET: Final = "50 / 300 (limit 150 / 1000)"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the registry is, or is made")
    parser.add_argument("--images", type=int, default=10_000_000)
    parser.add_argument("--postgresql", default=None, help="URL of an empty database to measure beside SQLite")
    chosen = parser.parse_args()
    for line in table(chosen.folder, chosen.images, chosen.postgresql):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def table(folder: Path, images: int, postgresql: str | None = None, sample: int = SAMPLE) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| what | p50 µs | p99 µs | computing p50 | computing p99 | goal µs |"
    yield "|---|---|---|---|---|---|"
    case = _five_consents()
    yield _row("decide alone, 5 consents", _times(lambda _: decide(case), range(sample)), "50 (median)")
    urls = {"SQLite": f"sqlite:///{folder / f'registry-{images}.db'}", "PostgreSQL": postgresql}
    for name, url in urls.items():
        if url is not None:
            hospital.build(url, images)
            yield from _registry(name, url, images, sample)


def _registry(name: str, url: str, images: int, sample: int) -> Iterator[str]:
    chosen = random.Random(images)  # noqa: S311 - a sample, no secret
    uids = [hospital.image_uid(chosen.randrange(images)) for _ in range(sample)]
    database = open_database(url)
    with database.reading() as connection:
        yield _row(f"{name}: facts and decision, asked first", _times(_asking(connection), uids), "")
        yield _row(f"{name}: facts and decision", _times(_asking(connection), uids), BUDGET if name == "SQLite" else "")
        yield _row(f"{name}: of it the facts", _times(_gathering(connection), uids), "")

    def alone(uid: str) -> None:
        with database.reading() as connection:
            _asking(connection)(uid)

    yield _row(f"{name}: in a transaction of its own", _times(alone, uids), "")
    database.close()


def _gathering(connection: Connection) -> Callable[[str], Case]:
    request = Request(
        as_of=TODAY,
        purpose=Purpose.TEACHING,
        recipient=Recipient(type=Audience.TRUST_STUDENTS, id="teaching", verified=True, approved_channel=True),
        identifiable=False,
    )
    switches = Switches()
    return lambda uid: facts.case(connection, uid, request, switches, "measured")


def _asking(connection: Connection) -> Callable[[str], object]:
    gather = _gathering(connection)
    return lambda uid: decide(gather(uid))


def _times(act: Callable[[Item], object], items: Sequence[Item]) -> tuple[list[float], list[float]]:
    """Return how long each took, and how long this process computed at it, in microseconds, shortest first."""
    times, computed = [], []
    for item in items:
        begun, computing = time.perf_counter(), time.thread_time()
        act(item)
        computed.append((time.thread_time() - computing) * 1e6)
        times.append((time.perf_counter() - begun) * 1e6)
    return sorted(times), sorted(computed)


def _row(name: str, measured: tuple[list[float], list[float]], goal: str) -> str:
    figures = (f"{times[len(times) * part // 100]:.0f}" for times in measured for part in (50, 99))
    return f"| {name} | {' | '.join(figures)} | {goal} |"


def _five_consents() -> Case:
    """Return a case in which five consents speak of one picture."""
    purposes = (Purpose.DIRECT_CARE, Purpose.TEACHING, Purpose.TEACHING, Purpose.RESEARCH, Purpose.PUBLICATION)
    return Case(
        id="measured",
        patient=Patient(id="1", dob=date(1980, 6, 15)),
        image=Image(
            id="2.25.1", type=ImageType.CLINICAL_PHOTO, made_on=date(2025, 3, 1), anonymisable=Anonymisable.YES
        ),
        consents=tuple(
            Consent(
                id=f"urn:consent:{number}",
                level=ConsentLevel.STUDY,
                state=ConsentState.GIVEN,
                giver=Giver(type=GiverType.PATIENT),
                decided_on=date(2025, 3, 1 + number),
                valid_from=date(2025, 3, 1 + number),
                purposes=(purpose,),
                max_form=Form.IDENTIFIABLE,
                audience=(Audience.CARE_TEAM, Audience.TRUST_STUDENTS, Audience.JOURNAL),
                evidence="SIGNED_FORM",
            )
            for number, purpose in enumerate(purposes)
        ),
        authorities=(),
        switches=Switches(),
        request=Request(
            as_of=TODAY,
            purpose=Purpose.TEACHING,
            recipient=Recipient(type=Audience.TRUST_STUDENTS, id="teaching", verified=True, approved_channel=True),
            identifiable=True,
        ),
    )


if __name__ == "__main__":
    main()
