"""What named people found when they looked at a picture for anything that identifies the patient.

Knows rows. A review holds for the very bytes that were looked at and for no others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from orthanc_plugin.policy.model import Anonymisable
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.tables import reviews

SEAL: Final = "review record "

# Each must be answered (MDU advice 002, line 58: an apparently insignificant detail can identify).
CHECKLIST: Final = (
    "face",
    "tattoo",
    "jewellery",
    "birthmark or scar",
    "clothing",
    "room or background",
    "reflection",
    "text",
    "rare condition",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's finding on one picture: ``checklist`` maps each item to whether it identifies."""

    review_id: str
    sop_instance_uid: str
    sha256: str
    checklist: dict[str, bool]
    reviewer: str
    reviewed_at: datetime
    note: str = ""

    @property
    def outcome(self) -> Anonymisable:
        """Return YES only when every item was answered and none identifies."""
        if any(self.checklist.values()):
            return Anonymisable.NO
        return Anonymisable.YES if set(self.checklist) >= set(CHECKLIST) else Anonymisable.UNKNOWN


def record(connection: Connection, review: Review) -> str:
    """File the review; return the words that tie the row to its entry in the trail."""
    row = {
        **asdict(review),
        "outcome": review.outcome,
        "checklist": json.dumps(review.checklist, sort_keys=True),
        "reviewed_at": review.reviewed_at.isoformat(),
    }
    connection.execute(reviews.insert().values(row))
    return _seal(row)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every review on record."""
    for row in connection.execute(select(reviews), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: Mapping[str, object]) -> str:
    body = json.dumps(row, sort_keys=True)
    return f"{SEAL}{row['review_id']} sha256 {hashlib.sha256(body.encode()).hexdigest()}"


def outcome(connection: Connection, sop_instance_uid: str, sha256: str) -> Anonymisable:
    """Return what the newest review of exactly these bytes found; UNKNOWN when nobody looked."""
    row = connection.execute(
        select(reviews.c.outcome)
        .where(reviews.c.sop_instance_uid == sop_instance_uid, reviews.c.sha256 == sha256)
        .order_by(reviews.c.reviewed_at.desc())
        .limit(1)
    ).first()
    return Anonymisable(row.outcome) if row else Anonymisable.UNKNOWN
