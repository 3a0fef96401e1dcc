"""Pictures that are being filed while Orthanc stores them, and what becomes of one that couldn't be.

Intake decides under the write lock and says so; only then, in that same transaction, are the row and the trail's entry
written, while Orthanc works. OnStored waits for their commit, so whoever sends hears "success" of what is on record.
Until then the registry doesn't know the picture, and no door shows it. Must not decide. See docs/adr/0055.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from orthanc_plugin.enforcement.coming import Coming, Verdict
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.sending.worker import Telling

LARGE: Final = 4 * 1024 * 1024  # bytes; what takes longer to digest isn't digested under the write lock
LONGEST: Final = 64  # characters of text in a row that every database has room for


@dataclass(frozen=True, slots=True)
class Sent:
    """An object as Orthanc was sent it: by which way, whose upload it is."""

    content: bytes
    origin: str
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A picture that is being filed: as it was sent, what Orthanc stores of it, and the work on it."""

    sent: Sent
    stored: bytes
    work: Telling[Verdict]

    @property
    def failed(self) -> bool:
        """Tell whether it is certain that it isn't on record."""
        return self.work.failed


def digested(coming: Coming, kept: bytes) -> Coming:
    """Return an object with the digests of its bytes, as they came and as they are ``kept``."""
    if coming.arrived:
        return coming
    arrived = hashlib.sha256(coming.content).hexdigest()
    return coming.with_digests(arrived, arrived if kept is coming.content else hashlib.sha256(kept).hexdigest())


def is_plain(row: ImageRow) -> bool:
    """Tell whether there is nothing in a row that a database could refuse to hold."""
    texts = (row.patient_id, row.issuer, row.accession_number, row.device_serial, row.device_station, row.account)
    return all(len(each) <= LONGEST and each.isprintable() for each in texts if each)
