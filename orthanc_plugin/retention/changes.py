"""What has changed about a record since it was proposed, in words: then its line isn't executed.

Knows the proposal and the record as it stands. Must not know who decided what, nor the patient's dates' reasons.

Source: requirements 4, step 6 (any change drops the line).
"""

from __future__ import annotations

from typing import Final

from orthanc_plugin.policy.expirymodel import Due
from orthanc_plugin.registry import plans
from orthanc_plugin.registry.plans import Line, Plan
from orthanc_plugin.retention.reach import Reached
from orthanc_plugin.retention.records import Record

OTHER_SCHEDULE: Final = "the retention schedule is another one than the plan was made under"
OTHER_RECORD: Final = "the line doesn't name the record any more that it was made for"
OTHER_FACTS: Final = "what the proposal rests on has changed since it was made"
GONE: Final = "nothing of the record is in the archive any more"


def change(plan: Plan, line: Line, record: Record | None, reached: Reached) -> str:
    """Say why a line is not executed after all, '' when nothing has changed since it was proposed."""
    if plans.uid_sha256(line.study_instance_uid) != line.study_sha256:
        return OTHER_RECORD
    if record is None:
        return GONE
    if record.schedule_sha256 != plan.schedule_sha256:
        return OTHER_SCHEDULE
    if not record.due.proposable:
        return _now(record.due)
    looked_at = all(row.sop_instance_uid in reached.files for row in record.pictures)
    return "" if record.facts_sha256 == line.facts_sha256 and looked_at else OTHER_FACTS


def _now(due: Due) -> str:
    """Say where a record stands now, without the patient's dates."""
    if due.stale:
        return f"what {', '.join(due.stale)} tells is too old"
    held = f" ({', '.join(sorted({each.kind for each in due.holds}))})" if due.holds else ""
    return f"it is {due.status}{held} now"
