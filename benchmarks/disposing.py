"""How long a plan of disposition takes on a large registry.

Run as ``python -m benchmarks.disposing --folder DIR [--studies N]``; prints a table. The registry is made once in the
folder and used again: N studies of one picture, two a patient, of whom 8 in 100 were last seen long ago.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.schedulefile import shipped
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.model import ImageStatus
from orthanc_plugin.registry import retentionlines, schema
from orthanc_plugin.registry.disposaltables import lines, plans
from orthanc_plugin.registry.engine import Database, open_database
from orthanc_plugin.registry.retentiontables import retention_facts, retention_feeds
from orthanc_plugin.registry.tables import images, patients
from orthanc_plugin.retention import lining
from orthanc_plugin.retention.proposing import propose
from orthanc_plugin.retention.records import Records

Found = TypeVar("Found")
NOW: Final = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
AT_ONCE: Final = 10_000
DUE: Final = 8  # of a hundred
POLICY: Final = """
[decisions]
anonymised_secondary_use_of_care_photographs = "REQUIRE_CONSENT"
[intake]
personal_device = "reject"
[[disposition.officers]]
person = "clerk"
accounts = ["clerk"]
may = ["propose"]
"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the registry is, or is made")
    parser.add_argument("--studies", type=int, default=1_000_000)
    chosen = parser.parse_args()
    for line in table(chosen.folder, chosen.studies):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def table(folder: Path, studies: int) -> Iterator[str]:
    """Yield the lines of the table."""
    database = open_database(f"sqlite:///{folder / f'disposing-{studies}.db'}")
    schema.upgrade(database)
    _filled(database, studies)
    (folder / "policy.toml").write_text(POLICY)
    policy, schedule = load_policy(folder / "policy.toml"), shipped()
    records = Records(schedule=lambda _connection: schedule)
    yield f"| {studies} studies | s | s of the processor | found |"
    yield "|---|---|---|---|"
    taken, done = _timed(lambda: lining.refresh(database, _act(policy), records))
    yield f"| what isn't reckoned yet | {taken} | {done} |"
    with database.reading() as connection:
        taken, found = _timed(lambda: retentionlines.ids(connection, schedule.digest, NOW.date().isoformat()))
        yield f"| which are past their date | {taken} | {len(found)} |"
        taken, page = _timed(lambda: retentionlines.page(connection, sorted(found)[-1000:]))
        yield f"| a page of them | {taken} | {len(page)} |"
    with database.writing() as connection:
        connection.execute(plans.delete())
        connection.execute(lines.delete())
    taken, made = _timed(lambda: propose(database, _act(policy), records))
    yield f"| the whole plan, written | {taken} | {made.plan.lines} |"
    taken, made = _timed(lambda: propose(database, _act(policy), records))
    yield f"| the same once more, which is there | {taken} | {made.plan.lines} |"
    database.close()


def _act(policy: Policy) -> Act:
    ids = (f"plan-{time.monotonic_ns()}-{number}" for number in range(10))
    return Act(by="clerk", door="benchmark", at=NOW, ids=lambda: next(ids), policy=policy)


def _timed(work: Callable[[], Found]) -> tuple[str, Found]:
    """Return how long it took, by the clock and on the processor, as cells of the table; and what was found."""
    began, computed = time.perf_counter(), time.process_time()
    found = work()
    return f"{time.perf_counter() - began:.3f} | {time.process_time() - computed:.3f}", found


def _filled(database: Database, studies: int) -> None:
    with database.reading() as connection:
        if connection.execute(images.select().limit(1)).first() is not None:
            return
    for start in range(0, studies, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, studies))
        with database.writing() as connection:
            connection.execute(images.insert(), [picture(number) for number in numbers])
            people = sorted({number // 2 for number in numbers})
            connection.execute(patients.insert(), [patient(number) for number in people])
            connection.execute(retention_facts.insert(), [facts(number) for number in people])
    with database.writing() as connection:
        at = NOW.isoformat()
        connection.execute(retention_feeds.insert().values(source="pas", told_at=at, recorded_at=at, recorded_by="pas"))


def picture(number: int) -> dict[str, object]:
    """Return the row of a study's picture."""
    return {
        "sop_instance_uid": f"2.25.1{number:09}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.77.1.4",
        "series_instance_uid": f"2.25.2{number:09}",
        "study_instance_uid": f"2.25.3{number:09}",
        "patient_id": f"P{number // 2}",
        "issuer": "HOSP",
        "accession_number": "",
        **{name: f"{name}-{number}" for name in ("orthanc_instance", "orthanc_series", "orthanc_study")},
        "orthanc_patient": f"patient-{number // 2}",
        "image_type": "CLINICAL_PHOTO",
        "made_on": "2010-01-02",
        "made_for": "CARE",
        "source": "DEPARTMENT",
        "intimate": 0,
        "status": ImageStatus.ACTIVE,
        "sha256": f"{number:064}",
        "received_at": "2010-01-02T00:00:00+00:00",
        "size": 500_000,
    }


def patient(number: int) -> dict[str, object]:
    """Return the row of a patient."""
    known = {"birth_date": "1950-01-01", "capacity": "HAS", "gillick": "NA", "national_data_opt_out": 0}
    return {"patient_id": f"P{number}", "issuer": "HOSP", **known}


def facts(number: int) -> dict[str, object]:
    """Return the row of what retention has to know of a patient; of 8 in 100 that they were last seen long ago."""
    last = "2012-05-06" if number % 100 < DUE else "2024-05-06"
    told = {"open_episode": 0, "categories": "[]", "told_at": NOW.isoformat(), "recorded_at": NOW.isoformat()}
    return {
        "patient_id": f"P{number}",
        "issuer": "HOSP",
        "source": "pas",
        "trial_id": "",
        "fact_id": f"f{number}",
        "last_contact": last,
        "recorded_by": "pas",
        **told,
    }


if __name__ == "__main__":
    main()
