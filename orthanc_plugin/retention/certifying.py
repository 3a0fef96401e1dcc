"""Certify an execution: what the certificate says, its place in the trail, and its copies outside the registry.

Knows what goes into a certificate. Must not destroy. The certificate names the trail's head, and the trail names the
certificate's digest: neither can be changed without the other.

Sources: requirements 4, steps 8 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from dicomwrap.durable import Disk, reason_of
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import disposals, stubs
from orthanc_plugin.registry.disposals import State
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.stubs import Stub
from orthanc_plugin.registry.trail import append, newest
from orthanc_plugin.retention import noticing, page
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.certificate import Certificate, issue
from orthanc_plugin.retention.executors import executors
from orthanc_plugin.retention.order import Order

SEAL: Final = "disposition certificate "


def seal(number: str, text: str) -> str:
    """Return the words that tie a certificate to its entry in the trail."""
    return sealed(SEAL, number, text)


def certify(connection: Connection, act: Act, order: Order, key: Ed25519PrivateKey) -> Certificate:
    """End an execution, and certify what it came to."""
    batch = order.batch
    certificate = issue(_content(connection, act, order), key)
    disposals.end(connection, batch.batch_id, act.at.isoformat(), certificate.text)
    event = act.event(
        EventType.STUDY_DELETED,
        "DISPOSITION_CERTIFIED",
        subject=batch.batch_id,
        detail=seal(batch.batch_id, certificate.text),
    )
    append(connection, [event])
    return certificate


def _content(connection: Connection, act: Act, order: Order) -> dict[str, object]:
    plan, approval, batch = order.plan, order.approval, order.batch
    seq, digest = newest(connection)
    records = list(told_of(connection, stubs.certified(connection, batch.batch_id)))
    kept = list(_kept(connection, order))
    return {
        "number": batch.batch_id,
        "plan": {name: getattr(plan, name) for name in ("plan_id", "as_of", "proposed_by", "proposed_at", "lines")},
        "schedule": {"version": plan.schedule, "sha256": plan.schedule_sha256},
        "approved": {"by": approval.approved_by, "at": approval.approved_at},
        "executed": {
            "by": batch.begun_by,
            "people": executors(batch.begun_by, records, act.by),
            "begun_at": batch.begun_at,
            "ended_at": act.at.isoformat(),
        },
        "trail": {"entry": seq, "digest": digest},
        "records": records,
        "not_destroyed": kept,
        "counts": counted(records),
        "notices": noticing.counted(connection, [str(each["stub_id"]) for each in records]),
    }


def counted(records: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """Return how many records a certificate tells of, and how many objects."""
    return {"records": len(records), "objects": sum(int(str(each["objects"])) for each in records)}


def told_of(connection: Connection, found: Sequence[Stub]) -> Iterator[dict[str, object]]:
    """Give what a certificate tells of each stub."""
    rows = disposals.object_rows(connection, [stub.stub_id for stub in found])
    for stub in found:
        pictures = [{"uid_sha256": digest, "orthanc_instance": instance} for digest, instance in rows[stub.stub_id]]
        yield {**stubs.told(stub), "holds": list(stub.holds), "pictures": pictures}


def _kept(connection: Connection, order: Order) -> Iterator[dict[str, object]]:
    for each in disposals.outcomes_of(connection, order.plan.plan_id):
        if each.batch_id == order.batch.batch_id and each.state is not State.DESTROYED:
            yield {"line": each.line, "state": each.state, "reason": each.reason}


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every certificate on record."""
    return (seal(each.batch_id, each.certificate) for each in disposals.ended(connection))


def write_files(folder: Path, number: str, text: str) -> Path:
    """Write a certificate, for programs and for people, into a folder outside the registry; return its path.

    Raises:
        ConsentgateError: it can't be written; the registry has it.
    """
    path, disk = folder / f"{number}.json", Disk()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk.put(path, text.encode())
        disk.put(path.with_suffix(".html"), page.page(text).encode())
        disk.put(path.with_suffix(".pdf"), page.as_pdf(text))
    except OSError as error:
        raise ConsentgateError(
            f"The certificate is on record, but can't be written as a file ({reason_of(error)}).",
            remedy="Free space or mend the rights on its folder, then 'consentgate certificate export'.",
        ) from error
    return path
