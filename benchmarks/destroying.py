"""How long the execution of a plan takes, against the bare DELETEs of the same Orthanc without Consentgate, in turns.

Run as ``python -m benchmarks.destroying [--rounds N] [--records N] [--folder DIR]``; prints a table. Each round files N
records of one picture in both Orthancs. One then takes DELETE after DELETE on one connection; in the other a plan is
proposed, decided and approved, and ``retention apply``'s execution is timed, from the look at the archive to the last
stub. A ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Final

import httpx
import pydicom

from benchmarks.servers import Arm, both, processor
from dicomwrap.uids import fresh_uid
from orthanc_plugin.cli.disposition import DOOR, InForce, hand, shredder
from orthanc_plugin.clock import new_id, now
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.retention import certifying
from orthanc_plugin.retention.beside import beside
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.execution import Execution
from orthanc_plugin.retention.hand import Deleting
from orthanc_plugin.retention.interim import Memory, clear
from orthanc_plugin.retention.records import Records
from orthanc_plugin.services import Services, build

OFFICERS: Final = """
[[disposition.officers]]
person = "clerk"
accounts = ["clerk"]
may = ["propose", "decide", "execute"]
[[disposition.officers]]
person = "guardian"
accounts = ["guardian"]
may = ["approve"]
"""
FACTS: Final = "patient_id,issuer,last_contact,open_episode,categories\n{patient},HOSPITAL,2010-03-04,no,none\n"
Took = tuple[float, float]  # seconds by the clock, and of all processors that worked on it
PROGRAM: Final = str(Path(sys.executable).parent / "consentgate")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=200, help="of each round")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder when left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for line in table(Path(folder), chosen.rounds, chosen.records):
            sys.stdout.write(line + "\n")


def table(folder: Path, rounds: int, count: int) -> Iterator[str]:
    """Yield the lines of the table."""
    taken: list[tuple[Took, Took]] = []
    with both(folder) as (arms, template):
        settings = folder / "orthanc" / "settings.toml"
        prepare(settings, folder, pydicom.dcmread(template, stop_before_pixels=True).PatientID)
        for number in range(rounds + 1):
            file_all(folder / f"round-{number}", template, count, arms.values())
            ours = executed(settings, arms["with"]) if number % 2 else None
            bare = deleted(arms["without"])
            taken.append((bare, ours or executed(settings, arms["with"])))
    yield "| destruction | ms each | ratio | ms of processor | ratio |"
    yield "|---|---|---|---|---|"
    bare_each, ours_each = zip(*taken[1:], strict=True)
    for name, found in (("bare DELETEs", bare_each), ("the execution of a plan", ours_each)):
        cells = (
            f"{statistics.median(each[place] for each in found) / count * 1000:.1f} | "
            f"{statistics.median(b[place] / a[place] for a, b in zip(bare_each, found, strict=True)):.2f}"
            for place in (0, 1)
        )
        yield f"| {name} | {' | '.join(cells)} |"


def told(settings: Path, *arguments: str) -> dict[str, object]:
    """Run a command that answers in JSON."""
    command = [PROGRAM, "--settings", str(settings), *arguments, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    found: dict[str, object] = json.loads(done.stdout)
    return found


def prepare(settings: Path, folder: Path, patient: str) -> None:
    """Name officers, put the schedule in force, and tell of the patient."""
    policy = settings.with_name("policy.toml")
    policy.write_text(policy.read_text().replace("cooling_off_days = 30", "cooling_off_days = 0") + OFFICERS)
    proposed = told(settings, "retention", "schedule", "propose", "--by", "clerk")
    told(settings, "retention", "schedule", "activate", str(proposed["sha256"]), "--by", "guardian")
    facts = folder / "facts.csv"
    facts.write_text(FACTS.format(patient=patient))
    at = datetime.now(UTC).isoformat()
    told(settings, "retention", "facts", "import", str(facts), "--source", "pas", "--as-of", at, "--by", "clerk")


def file_all(folder: Path, template: Path, count: int, arms: Iterable[Arm]) -> None:
    """File new records of one picture in each Orthanc."""
    folder.mkdir()
    made, contents = pydicom.dcmread(template), []
    for _ in range(count):
        made.StudyInstanceUID, made.SeriesInstanceUID = fresh_uid(), fresh_uid()
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = fresh_uid()
        made.save_as(folder / "picture.dcm", enforce_file_format=True)
        contents.append((folder / "picture.dcm").read_bytes())
    for arm in arms:
        with httpx.Client(base_url=arm.url, auth=("uploader", arm.passwords["uploader"]), trust_env=False) as client:
            for content in contents:
                client.post("/instances", content=content, timeout=60).raise_for_status()


def deleted(arm: Arm) -> Took:
    """Delete everything, one after the other on one connection; of the processor only Orthanc's own counts."""
    with httpx.Client(base_url=arm.url, auth=("admin", arm.passwords["admin"]), trust_env=False) as client:
        names = client.get("/instances", timeout=60).raise_for_status().json()
        begun, computed = time.perf_counter(), processor(arm.pid)
        for name in names:
            client.delete(f"/instances/{name}", timeout=60).raise_for_status()
        return time.perf_counter() - begun, processor(arm.pid) - computed


def executed(settings: Path, arm: Arm) -> Took:
    """Propose, decide and approve what there is, and execute it; what the execution itself computes counts as well."""
    plan = str(told(settings, "retention", "plan", "--by", "clerk")["plan_id"])
    told(settings, "retention", "decide", plan, "ADULT_GENERAL", "DESTROY", "--reason", "due", "--by", "clerk")
    told(settings, "retention", "approve", plan, "--by", "guardian")
    shared = build(settings, {}, now, new_id)
    try:
        with shredder(shared) as destroys, beside(partial(hand, shared, destroys)) as deletes:
            return run(shared, destroys, deletes, plan, arm)
    finally:
        shared.database.close()


def run(shared: Services, destroys: Shredder, deletes: Deleting, plan: str, arm: Arm) -> Took:
    """Execute the plan."""
    folder = shared.settings.path(shared.settings.trail.certificates)
    execution = Execution(
        database=shared.database,
        shredder=destroys,
        records=Records(schedule=InForce()),
        memory=Memory(folder=folder, key=shared.heads.key),
        acting=lambda: shared.act("clerk", DOOR),
        beside=deletes,
    )
    order, due = execution.begin(plan)
    begun, computed = time.perf_counter(), computing(arm)
    outcomes = list(execution.run(order, due))
    took = time.perf_counter() - begun, computing(arm) - computed
    if any(each.state is not State.DESTROYED for each in outcomes):
        raise SystemExit("A record was not destroyed, so nothing is measured.")
    with shared.database.writing() as connection:
        certifying.certify(connection, shared.act("clerk", DOOR), order, shared.heads.key)
    clear(folder, order.batch.batch_id)
    shared.sign_head()
    return took


def computing(arm: Arm) -> float:
    """Return the seconds that Orthanc, the execution and what deletes beside it have computed."""
    beside_it = sum(processor(each.pid) for each in active_children() if each.pid is not None)
    return processor(arm.pid) + time.process_time() + beside_it


if __name__ == "__main__":
    main()
