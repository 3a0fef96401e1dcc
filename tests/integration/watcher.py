"""A watcher for the tests to kill: ``python -m tests.integration.watcher FOLDER NODE LISTEN``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from pydicom.uid import generate_uid

from dicomwrap.cli.sending import SendOrder, route
from dicomwrap.cli.watching import Courier, show, watch
from dicomwrap.outbox import Task, Uids
from dicomwrap.sending.delivery import Terms
from dicomwrap.sending.node import Caller, Node
from tests.unit.dicomwrap.sendable import photographic


def now() -> datetime:
    return datetime.now(UTC)


def wrap_one(photo: Path, task: Task, target: Path) -> None:
    """Write an object that carries the photograph's first bytes as its patient's name."""
    name = photo.read_bytes()[:16].decode()
    photographic(target, task.uids.sop_instance_uid, study=task.uids.study_instance_uid, name=name)


def assign() -> Uids:
    study, series, instance = (generate_uid(prefix=None) for _ in range(3))
    return Uids(study_instance_uid=study, series_instance_uid=series, sop_instance_uid=instance)


def main() -> int:
    folder, node, listen = Path(sys.argv[1]), Node.parse(sys.argv[2]), int(sys.argv[3])
    order = SendOrder(caller=Caller(seconds=5), node=node, service=None, voucher=node, listen=("", listen))
    with route(order, lambda: generate_uid(prefix=None)) as way:
        courier = Courier(way, Terms(moment=now, version="test"))
        return watch(
            folder, wrap_one, courier, assign=assign, details={"patient_id": "P1"}, moment=now, tell=show, stop=Event(),
            wanted=lambda name: name.endswith(".jpg"), settle=0.05, every=0.05, once=True, take_existing=True,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
