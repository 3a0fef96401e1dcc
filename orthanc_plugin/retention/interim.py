"""What an execution has destroyed so far, written outside the registry before the registry says so.

Knows files. Must not destroy. An execution takes hours; were it killed before its certificate, and registry and archive
restored from an older backup, nothing would remember what it had destroyed. Each interim certificate is signed as the
certificate is, and goes once that is written. It is on disk before the stubs it tells of are committed: of two that a
crash parts, reconciling and the next execution take the word of the one outside.

Sources: requirements 4, steps 7 and 9, acceptance test (e).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from dicomwrap.durable import Disk, reason_of
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import disposals, stubs
from orthanc_plugin.registry.disposals import Batch
from orthanc_plugin.retention.certificate import Kind, issue
from orthanc_plugin.retention.certifying import counted, told_of

INTERIM: Final = "-interim-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The folder of certificates, and what signs them."""

    folder: Path
    key: Ed25519PrivateKey

    def keep(self, connection: Connection, batch: Batch, head: tuple[int, str], lines: Sequence[int]) -> None:
        """Write down what was destroyed of these lines, before that is committed; ``head`` is the trail's before it.

        Raises:
            ConsentgateError: it can't be written, so the execution stops; it is taken up by the next.
        """
        found = stubs.some(connection, disposals.stubs_of(connection, batch.plan_id, lines))
        records = list(told_of(connection, found))
        if not records:
            return
        seq, digest = head
        name = f"{batch.batch_id}{INTERIM}{seq}"
        content = {"number": name, "trail": {"entry": seq, "digest": digest}, "records": records}
        text = issue({**content, "counts": counted(records)}, self.key, Kind.INTERIM).text
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            Disk().put(self.folder / f"{name}.json", text.encode())
        except OSError as error:
            raise ConsentgateError(
                f"What is destroyed can't be written down outside the registry ({reason_of(error)}), so it stops here.",
                remedy="Free space or mend the rights on the folder of certificates, then run it again.",
            ) from error


def clear(folder: Path, number: str) -> None:
    """Remove the interim certificates of an execution whose certificate is written."""
    for path in folder.glob(f"{number}{INTERIM}*.json"):
        path.unlink(missing_ok=True)
