"""What an execution has destroyed so far, written outside the registry before it goes on.

Knows files. Must not destroy. An execution takes hours; were it killed before its certificate, and registry and archive
restored from an older backup, nothing would remember what it had destroyed. Each interim certificate is signed as the
certificate is, and goes once that is written.

Sources: requirements 4, steps 7 and 9, acceptance test (e).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dicomwrap.durable import Disk, reason_of
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import disposals, stubs
from orthanc_plugin.registry.disposals import Outcome
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.trail import newest
from orthanc_plugin.retention.certificate import issue
from orthanc_plugin.retention.certifying import counted, told_of
from orthanc_plugin.retention.execution import AT_ONCE
from orthanc_plugin.retention.order import Order

INTERIM: Final = "-interim-"


def kept(
    database: Database, order: Order, outcomes: Iterable[Outcome], folder: Path, key: Ed25519PrivateKey
) -> Iterator[Outcome]:
    """Give what becomes of each line; what was destroyed is written down before the next lines are seen to.

    Raises:
        ConsentgateError: it can't be written, so the execution stops; it is taken up by the next.
    """
    coming = iter(outcomes)
    while some := tuple(islice(coming, AT_ONCE)):
        _write(database, order, some, folder, key)
        yield from some


def _write(database: Database, order: Order, some: tuple[Outcome, ...], folder: Path, key: Ed25519PrivateKey) -> None:
    number = f"{order.batch.batch_id}{INTERIM}{some[0].line}"
    with database.reading() as connection:
        ids = disposals.stubs_of(connection, order.plan.plan_id, [each.line for each in some])
        found = [stub for each in ids if (stub := stubs.get(connection, each)) is not None]
        records = list(told_of(connection, found))
        seq, digest = newest(connection)
    if not records:
        return
    content = {"number": number, "trail": {"entry": seq, "digest": digest}, "records": records}
    text = issue({**content, "counts": counted(records)}, key).text
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Disk().put(folder / f"{number}.json", text.encode())
    except OSError as error:
        raise ConsentgateError(
            f"What is destroyed can't be written down outside the registry ({reason_of(error)}), so it stops here.",
            remedy="Free space or mend the rights on the folder of certificates, then run it again.",
        ) from error


def clear(folder: Path, number: str) -> None:
    """Remove the interim certificates of an execution whose certificate is written."""
    for path in folder.glob(f"{number}{INTERIM}*.json"):
        path.unlink(missing_ok=True)
