"""Write the stub of what was destroyed, and take the record out of the registry, in one transaction.

Knows what a stub keeps. Must not destroy anything. Not kept: pixels, names, numbers of the patient, free text.

Sources: requirements 4, step 8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType
from orthanc_plugin.registry import disposals, images, plans, remnants, stubs
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.plans import Approval, Decision, Plan
from orthanc_plugin.registry.stubs import Stub
from orthanc_plugin.registry.trail import append
from orthanc_plugin.retention.acting import Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """On whose word a record was destroyed; ``certificate`` is the number of the certificate that tells of it."""

    plan: Plan
    approval: Approval
    decision: Decision
    certificate: str


def write(
    connection: Connection, act: Act, word: Word, gone: Sequence[Marked], holds: tuple[str, ...], method: str
) -> Stub:
    """Write the stub of the objects that are ``gone``, and forget the record; return the stub."""
    found = (images.get(connection, each.sop_instance_uid) for each in gone)
    rows = [row for row in found if row is not None]
    line = plans.line_of(connection, word.plan.plan_id, word.decision.line)
    stub_id = disposals.stub_of(connection, gone[0].sop_instance_uid) or act.ids()
    link_id = stubs.link(connection, (rows[0].patient_id, rows[0].issuer), act.ids())
    stub = Stub(
        stub_id=stub_id,
        link_id=link_id,
        certificate=word.certificate,
        plan_id=word.plan.plan_id,
        objects=len(rows),
        size=sum(row.size or 0 for row in rows),
        uids_sha256=uids_sha256(rows),
        acquired=_year(rows),
        rule=line.rule,
        schedule=word.plan.schedule,
        due_date=line.due_date[:4],  # a child's day would tell the birthday
        proposed_by=word.plan.proposed_by,
        proposed_at=word.plan.proposed_at,
        decided_by=word.decision.decided_by,
        decided_at=word.decision.decided_at,
        approved_by=word.approval.approved_by,
        approved_at=word.approval.approved_at,
        executed_by=act.by,
        executed_at=act.at.isoformat(),
        method=method,
        holds=holds,
    )
    seal = stubs.add(connection, stub)
    append(connection, [act.event(EventType.STUDY_DELETED, "DISPOSED", subject=stub_id, detail=seal)])
    at, note = act.at.isoformat(), f"destroyed: stub {stub_id}"
    for row in rows:
        remnants.forget(connection, row.sop_instance_uid, link_id, by=act.by, at=at, note=note)
    if not remnants.pictures(connection, line.study_instance_uid):
        remnants.forget_record(connection, line.study_instance_uid)
    return stub


def uids_sha256(rows: Sequence[ImageRow]) -> str:
    """Return the digest of the pictures' UIDs, in order, one a line."""
    return hashlib.sha256("\n".join(sorted(row.sop_instance_uid for row in rows)).encode()).hexdigest()


def _year(rows: Sequence[ImageRow]) -> str:
    """Return the year in which the last of them was made, '' when nobody knows."""
    return max((str(row.made_on.year) for row in rows if row.made_on is not None), default="")
