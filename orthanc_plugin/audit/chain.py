"""The hash chain of the audit trail: every entry's digest covers the one before it.

Knows digests. Must not know where entries are kept. A change, a gap, a swap or an insertion breaks the chain at the
entry it was made; a cut tail is found by the signed heads of ``audit.checkpoint``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

GENESIS: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One link: its number (from 1), its event's id, the digest before it, its canonical JSON, its digest."""

    seq: int
    event_id: str
    previous: str
    body: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a walk along the chain found. ``broken_at`` is the number of the first entry that doesn't hold."""

    entries: int
    head: str
    broken_at: int | None = None
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Tell whether every entry holds."""
        return self.broken_at is None


def digest_of(seq: int, event_id: str, previous: str, body: str) -> str:
    """Return the SHA-256 (hex) that links an entry to the one before it."""
    return hashlib.sha256(f"{seq}\n{event_id}\n{previous}\n{body}".encode()).hexdigest()


def link(seq: int, event_id: str, previous: str, body: str) -> Entry:
    """Return the entry that follows ``previous``."""
    digest = digest_of(seq, event_id, previous, body)
    return Entry(seq=seq, event_id=event_id, previous=previous, body=body, digest=digest)


def _fault(entry: Entry, seq: int, head: str) -> str:
    if entry.seq != seq:
        return f"entry {seq} is missing; entry {entry.seq} stands in its place"
    if entry.previous != head:
        return f"entry {seq} does not follow the entry before it"
    if entry.digest != digest_of(entry.seq, entry.event_id, entry.previous, entry.body):
        return f"entry {seq} was changed after it was written"
    return ""


def verify(entries: Iterable[Entry], heads: dict[int, str] | None = None) -> Verification:
    """Walk the chain from its start.

    Args:
        entries: all entries in order.
        heads: signed digests by entry number that must be met on the way (see ``audit.checkpoint``).
    """
    expected = dict(heads or {})
    head, count = GENESIS, 0
    for entry in entries:
        problem = _fault(entry, count + 1, head)
        signed = expected.pop(entry.seq, entry.digest)
        if not problem and signed != entry.digest:
            problem = f"entry {entry.seq} is not the one that was signed at the time"
        if problem:
            return Verification(entries=count, head=head, broken_at=count + 1, problem=problem)
        head, count = entry.digest, count + 1
    if expected:
        problem = f"the trail ends at entry {count}, but entry {max(expected)} was signed: entries were cut off"
        return Verification(entries=count, head=head, broken_at=count + 1, problem=problem)
    return Verification(entries=count, head=head)
