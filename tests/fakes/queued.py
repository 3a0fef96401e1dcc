"""Rows of the outbox, as tests and benchmarks put them there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from orthanc_plugin.registry.outbox import Queued

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def wanted(uid: str = "1.2.3", **said: object) -> Queued:
    """Return one row to be queued."""
    row: dict[str, object] = {
        "route": "to-teaching",
        "recipient": "teaching-archive",
        "purpose": "TEACHING",
        "sop_instance_uid": uid,
        "study_instance_uid": "1.2",
        "priority": 0,
        "cause": "STABLE",
    }
    return Queued(**{**row, **said})  # type: ignore[arg-type]


def backlog(studies: int, each: int = 10) -> Iterator[Queued]:
    """Give the rows of many studies for three routes of different priority."""
    for study in range(studies):
        for picture in range(each):
            route = study % 3
            names = {"route": f"route-{route}", "study_instance_uid": f"1.2.{study}", "priority": route}
            yield wanted(f"1.2.{study}.{picture}", **names)
