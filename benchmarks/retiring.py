"""How long doors keep clients waiting while records are retired: while a plan is made, and while one is executed.

Run as ``python -m benchmarks.retiring [--rounds N] [--records N] [--studies N] [--folder DIR]``; prints a table. Eight
clients of ``benchmarks.doors`` ask one Orthanc for pictures by REST and by DICOMweb, with nothing else going on and,
in turns, while ``consentgate retention apply`` destroys N records, then while ``consentgate retention plan`` reckons N
studies that the registry has beside them and writes the plan, each in a process of its own. A ratio is of the 99th
percentile (the slowest of a hundred) to the one of before, of all rounds together.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pydicom

from benchmarks.destroying import PROGRAM, file_all, prepare, told
from benchmarks.disposing import AT_ONCE, facts, patient, picture
from benchmarks.doors import CLIENTS, at, file, got, stored, wado
from benchmarks.servers import Arm, Photograph, Times, both, photographs
from dicomwrap.uids import fresh_uid
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.registry.retentiontables import retention_facts
from orthanc_plugin.registry.tables import images, patients
from orthanc_plugin.services import build

DOORS: Final[dict[str, Callable[[Photograph], str]]] = {
    f"GET /instances/.../file, {CLIENTS} clients": file,
    f"WADO-RS, {CLIENTS} clients": wado,
}
WORK: Final = ("execution", "plan")
LIMIT: Final = "3"
PICTURES: Final = 30


@dataclass(kw_only=True)
class Waited:
    """How long single requests took, without anything else going on and during the work."""

    before: Times = field(default_factory=list)
    during: Times = field(default_factory=list)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=100, help="that are destroyed in each round")
    parser.add_argument("--studies", type=int, default=20_000, help="that a plan reckons in each round")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.records, chosen.studies):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, records: int, studies: int) -> Iterator[str]:
    """Yield the lines of the table."""
    waited = {(work, door): Waited() for work in WORK for door in DOORS}
    with both(folder) as (arms, template):
        arm, settings = arms["with"], folder / "orthanc" / "settings.toml"
        prepare(settings, folder, pydicom.dcmread(template, stop_before_pixels=True).PatientID)
        for number in range(rounds):
            file_all(folder / f"round-{number}", template, records, [arm])
            command = ["apply", approved(settings), "--by", "clerk"]
            sent = shown(folder / f"shown-{number}", template)
            stored(arm, sent)  # after the plan was made, so that it doesn't destroy what is asked for
            measure(arm, settings, command, sent, {door: waited["execution", door] for door in DOORS})
        sent = shown(folder / "shown", template)
        stored(arm, sent)
        for number in range(rounds):
            filled(settings, number * studies, studies)
            command = ["plan", "--by", "clerk"]
            measure(arm, settings, command, sent, {door: waited["plan", door] for door in DOORS})
    yield "| door | while | requests | p50 ms | p99 ms | longest ms | p99 before, ms | ratio | limit |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (work, door), found in waited.items():
        before, during = sorted(found.before), sorted(found.during)
        late = at(during, 0.99) / at(before, 0.99)
        cells = [f"{each * 1000:.1f}" for each in (at(during, 0.5), at(during, 0.99), during[-1], at(before, 0.99))]
        yield f"| {door} | {work} | {len(during)} | {' | '.join(cells)} | {late:.2f} | {LIMIT} |"


def shown(folder: Path, template: Path) -> tuple[Photograph, ...]:
    """Return photographs that are asked for, in a study of their own, so that no plan has changed by the next ones."""
    made, file = pydicom.dcmread(template), folder.with_suffix(".dcm")
    made.StudyInstanceUID = fresh_uid()
    made.save_as(file, enforce_file_format=True)
    return photographs(folder, file, PICTURES)


def approved(settings: Path) -> str:
    """Return a plan of what there is, decided and approved."""
    plan = str(told(settings, "retention", "plan", "--by", "clerk")["plan_id"])
    told(settings, "retention", "decide", plan, "ADULT_GENERAL", "DESTROY", "--reason", "due", "--by", "clerk")
    told(settings, "retention", "approve", plan, "--by", "guardian")
    return plan


def measure(
    arm: Arm, settings: Path, command: list[str], sent: tuple[Photograph, ...], waited: dict[str, Waited]
) -> None:
    """Ask at each door in turns: as often before the work as while it goes on, in a process of its own."""
    for door, path in DOORS.items():  # a round that only warms up
        got(arm, [path(each) for each in sent])
        waited[door].before += got(arm, [path(each) for each in sent]).times
    whole = [PROGRAM, "--settings", str(settings), "retention", *command]
    with subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as working:  # noqa: S603
        asked = dict.fromkeys(DOORS, 0)
        while working.poll() is None:
            for door, path in DOORS.items():
                times = got(arm, [path(each) for each in sent]).times
                if working.poll() is None:  # of what came after its end nothing counts
                    waited[door].during += times
                    asked[door] += 1
        _, wrong = working.communicate()
    if working.returncode != 0 or not all(asked.values()):
        raise SystemExit(f"'{' '.join(command)}' ended with {working.returncode}, asked {asked}: {wrong[-2000:]}")
    for door, path in DOORS.items():
        for _ in range(asked[door] - 1):
            waited[door].before += got(arm, [path(each) for each in sent]).times


def filled(settings: Path, start: int, count: int) -> None:
    """Put studies of one picture on record of which no line is reckoned yet; no archive has them."""
    services = build(settings, {}, now, new_id)
    at_ = services.clock().isoformat()
    for first in range(start, start + count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, start + count))
        people = sorted({number // 2 for number in numbers})
        with services.database.writing() as connection:
            connection.execute(images.insert(), [picture(number) for number in numbers])
            connection.execute(patients.insert(), [patient(number) for number in people])
            told_now = {"told_at": at_, "recorded_at": at_}
            connection.execute(retention_facts.insert(), [facts(number) | told_now for number in people])
    services.database.close()


if __name__ == "__main__":
    main()
