"""What the outbox costs: a claim among few and among many rows, and a withdrawal with many copies out.

Run as ``python -m benchmarks.outbox [--postgresql]``; prints a table. The claims of the two backlogs take turns, so
that a busy machine slows both; everything is in a folder of its own that is gone afterwards.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import update

from dicomwrap.consentrecord import Withdrawal
from dicomwrap.terms import WithdrawalPhase
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.registry import outbox
from orthanc_plugin.registry.outbox import State
from orthanc_plugin.registry.outboxtables import outbox as table_of_rows
from orthanc_plugin.registry.tables import disclosures, images
from tests.fakes import postgres
from tests.fakes.pictures import CARE, CONSENT_ID, TEACHING, UID
from tests.fakes.queued import AT, backlog, wanted
from tests.fakes.routed import ROUTED
from tests.fakes.world import SQLITE, World, make_world

FEW: Final = 1_000
MANY: Final = 100_000
EACH: Final = 10  # rows of a study
ROUNDS: Final = 100
COPIES: Final = 10_000
LEASE: Final = timedelta(minutes=5)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", action="store_true", help="on a private PostgreSQL server")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running(())) if chosen.postgresql else None

        def world() -> World:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made = make_world(folder, policy=ROUTED, database=server.database() if server else SQLITE)
            stack.callback(made.close)
            return made

        for line in table(world):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def table(world: Callable[[], World]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| what | ms | ratio |"
    yield "|---|---|---|"
    few, many, others = _filled(world(), FEW), _filled(world(), MANY), _filled(world(), MANY)
    _away(many)
    _elsewhere(others)
    took = [(_claim(few), _claim(many), _claim(others)) for _ in range(ROUNDS)]
    small, large, apart = (statistics.median(each) for each in zip(*took, strict=True))
    yield f"| a claim of {EACH} among {FEW} rows | {small * 1000:.2f} | 1 |"
    yield f"| a claim of {EACH} among {MANY} rows, a tenth of them not due | {large * 1000:.2f} | {large / small:.2f} |"
    yield f"| the same, nine tenths of them another archive's | {apart * 1000:.2f} | {apart / small:.2f} |"
    seconds, own = withdrawn(world())
    what = f"a withdrawal of a patient with {COPIES} copies out and {COPIES} sends queued"
    yield f"| {what} (of which {own * 1000:.0f} of our own processor time) | {seconds * 1000:.0f} | |"


def _filled(world: World, rows: int) -> World:
    with world.services.database.writing() as connection:
        outbox.queue(connection, backlog(rows // EACH, EACH), AT)
    return world


def _away(world: World) -> None:
    """Have a tenth of the rows, of the highest priority, wait for a peer that is away."""
    with world.services.database.writing() as connection:
        for number in range(MANY // EACH // EACH):
            for row in outbox.claim(connection, "courier", AT, AT + LEASE, EACH):
                outbox.ended(connection, row, State.WAITING, AT, next_try=AT + timedelta(days=1 + number))


def _elsewhere(world: World) -> None:
    """Have all rows but the last tenth be another archive's."""
    there = update(table_of_rows).where(table_of_rows.c.outbox_id <= MANY - MANY // 10)
    with world.services.database.writing() as connection:
        connection.execute(there.values(archive="elsewhere"))


def _claim(world: World) -> float:
    """Return how long a claim took; the rows are given back, so that the backlog stays as long as it is."""
    began = time.perf_counter()
    with world.services.database.writing() as connection:
        rows = outbox.claim(connection, "courier", AT, AT + LEASE, EACH, archive="here")
    took = time.perf_counter() - began
    with world.services.database.writing() as connection:
        for row in rows:
            outbox.ended(connection, row, State.WAITING, AT)
    return took


def withdrawn(world: World) -> tuple[float, float]:
    """Return how long the withdrawal took of a patient whose every picture is out and queued, and our share of that."""
    world.file(CARE, TEACHING)
    with world.services.database.writing() as connection:
        row = connection.execute(images.select().where(images.c.sop_instance_uid == UID)).one()._mapping
        uids = [f"2.25.{10_000 + number}" for number in range(COPIES - 1)]
        connection.execute(images.insert(), [{**row, "sop_instance_uid": uid} for uid in uids])
        connection.execute(disclosures.insert(), [_copy(uid) for uid in (UID, *uids)])
        outbox.queue(connection, (wanted(uid) for uid in (UID, *uids)), AT)
    note = Withdrawal(by="patient", phase=WithdrawalPhase.LATER, reason="no", how_received="letter")
    began, busy = time.perf_counter(), time.process_time()
    with world.services.database.writing() as connection:
        act = world.services.act("nurse", "benchmark")
        withdrawal.withdraw(connection, act, CONSENT_ID, (), on=act.day, note=note)
    took = time.perf_counter() - began, time.process_time() - busy
    with world.services.database.reading() as connection:
        left = outbox.counts(connection)
    if left[State.CANCELLED] != COPIES:
        raise RuntimeError("not everything that was queued was cancelled")
    return took


def _copy(uid: str) -> dict[str, object]:
    return {
        "disclosure_id": f"D{uid}",
        "decision_id": "decision",
        "sop_instance_uid": uid,
        "released_uid": uid,
        "recipient": "teaching-archive",
        "door": "benchmark",
        "purpose": "TEACHING",
        "form": "PERMIT_IDENTIFIABLE",
        "profile": "",
        "consents": f'["{CONSENT_ID}"]',
        "sha256": "0" * 64,
        "at": AT.isoformat(),
        "outcome": "DELIVERED",
        "requester": "lecturer",
        "consent_versions": "[1]",
    }


if __name__ == "__main__":
    main()
