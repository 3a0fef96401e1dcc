"""Write the stub of what was destroyed, and take the record out of the registry, in one transaction.

Knows what a stub keeps. Must not destroy anything. Not kept: pixels, names, numbers of the patient, free text.

Sources: requirements 4, step 8.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from orthanc_plugin.audit.event import AuditEvent, EventType
from orthanc_plugin.registry import disposals, images, ledger, remnants, stubs
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.registry.images import ImageRow, Subject
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.plans import Approval, Decision, Line, Plan
from orthanc_plugin.registry.stubs import Stub
from orthanc_plugin.retention import noticing
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.erasing import erase, in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """On whose word a record was destroyed; ``certificate`` is the number of the certificate that tells of it."""

    plan: Plan
    approval: Approval
    decision: Decision
    line: Line
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the registry has of pictures that are gone, of many at once, before any of them is forgotten.

    Attributes:
        rows: theirs, by SOP Instance UID.
        left: those of which anything left.
        beside: those of which the spool has anything.
    """

    rows: Mapping[str, ImageRow]
    left: frozenset[str]
    beside: frozenset[str]


def read(connection: Connection, uids: Sequence[str]) -> Read:
    """Return what the registry has of pictures."""
    found = images.find(connection, Subject.SOP_INSTANCE_UID, tuple(uids)) if uids else []
    return Read(
        rows={row.sop_instance_uid: row for row in found},
        left=ledger.have_left(connection, uids),
        beside=remnants.beside(connection, uids),
    )


def write(
    connection: Connection,
    act: Act,
    word: Word,
    gone: Sequence[Marked],
    holds: tuple[str, ...],
    method: str,
    known: Read,
) -> list[AuditEvent]:
    """Write the stubs of the objects that are ``gone``, one for each patient they were of, and forget the objects.

    Returns the stubs' entries, for the trail.
    """
    said = []
    theirs: defaultdict[Key, list[ImageRow]] = defaultdict(list)
    for row in (known.rows[each.sop_instance_uid] for each in gone if each.sop_instance_uid in known.rows):
        theirs[(row.patient_id, row.issuer)].append(row)
    first = disposals.stub_of(connection, gone[0].sop_instance_uid) or act.ids()
    for number, (who, rows) in enumerate(sorted(theirs.items())):
        stub_id = first if number == 0 else act.ids()
        link_id = stubs.link(connection, who, act.ids())
        how = in_words(method, erase(connection, act, rows))
        stub = _stub(act, word, rows, holds, how, stub_id=stub_id, link_id=link_id)
        disposals.stand_for(connection, (row.sop_instance_uid for row in rows), stub_id)
        noticing.notify(connection, act, stub_id, [uid for row in rows if (uid := row.sop_instance_uid) in known.left])
        said.append(_forgotten(connection, act, stub, rows, known))
    return said


def forget_records(connection: Connection, studies: Sequence[str]) -> None:
    """Forget those of these records, some of which was destroyed, of which nothing is left."""
    left = remnants.many(connection, studies) if studies else {}
    for study in studies:
        if study not in left:
            remnants.forget_record(connection, study)


def _stub(
    act: Act,
    word: Word,
    rows: Sequence[ImageRow],
    holds: tuple[str, ...],
    method: str,
    *,
    stub_id: str,
    link_id: str,
) -> Stub:
    return Stub(
        stub_id=stub_id,
        link_id=link_id,
        certificate=word.certificate,
        plan_id=word.plan.plan_id,
        objects=len(rows),
        size=sum(row.size or 0 for row in rows),
        uids_sha256=uids_sha256(rows),
        acquired=_year(rows),
        rule=word.line.rule,
        schedule=word.plan.schedule,
        due_date=word.line.due_date[:4],  # a child's day would tell the birthday
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


def _forgotten(connection: Connection, act: Act, stub: Stub, rows: Sequence[ImageRow], known: Read) -> AuditEvent:
    """Write a stub, and take its pictures out of the registry; return its entry."""
    seal = stubs.add(connection, stub)
    at, note = act.at.isoformat(), f"destroyed: stub {stub.stub_id}"
    for row in rows:
        uid = row.sop_instance_uid
        is_beside = uid in known.beside
        remnants.forget(connection, uid, stub.link_id, by=act.by, at=at, note=note, is_beside=is_beside)
    return act.event(EventType.STUDY_DELETED, "DISPOSED", subject=stub.stub_id, detail=seal)


def uids_sha256(rows: Sequence[ImageRow]) -> str:
    """Return the digest of the pictures' UIDs, in order, one a line."""
    return hashlib.sha256("\n".join(sorted(row.sop_instance_uid for row in rows)).encode()).hexdigest()


def _year(rows: Sequence[ImageRow]) -> str:
    """Return the year in which the last of them was made, '' when nobody knows."""
    return max((str(row.made_on.year) for row in rows if row.made_on is not None), default="")
