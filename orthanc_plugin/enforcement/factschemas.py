"""The shapes of the REST call that takes facts for retention. Knows nothing else."""

from __future__ import annotations

from typing import Final

from orthanc_plugin.enforcement.schemas import DAY, FLAG, MOMENT, NUMBER, TEXT, Schema, many, or_null, record
from orthanc_plugin.lifecycle import retentionrows

TEXTS: Final = (*retentionrows.WHO, *retentionrows.TRIAL)
DAYS: Final = (*retentionrows.PATIENTS, *retentionrows.DAYS)
MOST_ROWS: Final = 100  # in one transaction, beside which releases wait
MOST_PARTS: Final = 1000

FACTS: Final[Schema] = record(
    {
        **dict.fromkeys(TEXTS, or_null(TEXT)),
        **dict.fromkeys(DAYS, or_null(DAY)),
        **dict.fromkeys(retentionrows.FLAGS, or_null(FLAG)),
        **dict.fromkeys((*retentionrows.LISTS, retentionrows.BACK), or_null(many(TEXT))),
    },
    retentionrows.REQUIRED,
)
BATCH: Final[dict[str, Schema]] = {
    "as_of": MOMENT,
    "facts": {**many(FACTS), "maxItems": MOST_ROWS},
    "part": {**NUMBER, "minimum": 1},
    "parts": {**NUMBER, "minimum": 1, "maximum": MOST_PARTS},
}
TAKEN: Final[dict[str, Schema]] = {
    "source": TEXT,
    "as_of": MOMENT,
    **dict.fromkeys(("recorded", "known", "missing_parts"), NUMBER),
    "fresh_as_of": or_null(MOMENT),
    "stale": FLAG,
}
SCHEMAS: Final[dict[str, Schema]] = {
    "RetentionFacts": record(BATCH, ("as_of", "facts")),
    "RetentionFactsTaken": record(TAKEN, TAKEN),
}
