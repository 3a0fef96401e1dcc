"""What is known of a record now, and what follows by the schedule: the same for the proposal and for the execution.

Knows how a study's pictures come together: it stays together as long as its last picture. Must not reckon dates. The
digest of all of it is kept with each proposal, so that any change is noticed. What is asked by dates alone, without any
hold, holds for later days too: that is what lines are made of.

Sources: requirements 3 (T-4, T-9), 4 (steps 1, 2 and 6).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from orthanc_plugin.policy.expiry import due
from orthanc_plugin.policy.expirymodel import Due, RetentionFacts, Schedule
from orthanc_plugin.policy.model import ImageStatus, MadeFor
from orthanc_plugin.registry import remnants, retentiongather
from orthanc_plugin.registry.disposals import Marked
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.retentiongather import Around, Person
from orthanc_plugin.retention import flagging
from orthanc_plugin.retention.acting import Act

Asked = tuple[RetentionFacts, Due]
Ask = Callable[[RetentionFacts], Due]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A study that is not destroyed.

    Attributes:
        pictures: its own, and copies of them that were filed here too.
        due: where it stands by the schedule.
        kept_by: other records, for a copy of it that lies there it isn't proposed, though it is past its own date.
        flags: what whoever decides has to know.
        holds: kinds of all holds that there ever were on it.
        facts_sha256: digest of everything above, and of what it rests on.
        asked: of each picture, what its date rests on, with what follows.
    """

    study_instance_uid: str
    pictures: tuple[ImageRow, ...]
    due: Due
    kept_by: tuple[str, ...]
    flags: tuple[str, ...]
    holds: tuple[str, ...]
    schedule_sha256: str
    facts_sha256: str
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Looks at records.

    Attributes:
        schedule: gives the schedule in force.
    """

    schedule: Callable[[Connection], Schedule]

    def of(
        self, connection: Connection, study_instance_uid: str, act: Act, *, before: Sequence[Marked] = ()
    ) -> Record | None:
        """Return a record as it stands, None when nothing of it is left; what is marked counts as it was ``before``."""
        return self.many(connection, (study_instance_uid,), act, before=before).get(study_instance_uid)

    def many(
        self, connection: Connection, studies: Sequence[str], act: Act, *, before: Sequence[Marked] = ()
    ) -> dict[str, Record]:
        """Return the same of many records, looked at together."""
        shared = self.around(connection, act)
        found = _records(connection, shared, studies, lambda facts: due(shared.schedule, facts, act.day), before)
        return {each.study_instance_uid: each for each in found}

    def by_dates(self, connection: Connection, shared: Around, studies: Sequence[str]) -> dict[str, Record]:
        """Return what follows for many records by dates alone: as if they weren't held, and all facts were fresh."""

        def ask(facts: RetentionFacts) -> Due:
            return due(shared.schedule, replace(facts, holds=(), stale=()), shared.day)

        return {each.study_instance_uid: each for each in _records(connection, shared, studies, ask)}

    def around(self, connection: Connection, act: Act) -> Around:
        """Return what all records share now: the schedule, holds, and what is too old."""
        return retentiongather.around(connection, self.schedule(connection), act.at)


def _records(
    connection: Connection, shared: Around, studies: Sequence[str], ask: Ask, before: Sequence[Marked] = ()
) -> Iterator[Record]:
    """Give each of these records of which something is left."""
    was = {each.sop_instance_uid: ImageStatus(each.status) for each in before}
    known = remnants.many(connection, studies)
    every = [row for rows in known.values() for row in rows]
    people = retentiongather.people(connection, {(row.patient_id, row.issuer) for row in every})
    beside = flagging.beside(connection, every, {who: person.numbers for who, person in people.items()})
    gathered: dict[object, Asked] = {}
    for study, found in known.items():
        rows = tuple(_before(row, was) for row in found)
        asked = tuple(_asked(connection, shared, rows, ask, people, gathered))
        answer = max((each for _, each in asked), key=_lateness)
        own = tuple(row for row in rows if row.study_instance_uid == study)
        copies = tuple(row for row in rows if row.study_instance_uid != study)
        flags = flagging.flags(own, copies, answer, beside)
        yield Record(
            study_instance_uid=study,
            pictures=rows,
            due=answer,
            kept_by=_kept_by(study, tuple(zip(rows, (each for _, each in asked), strict=True))),
            flags=flags,
            holds=tuple(sorted({str(hold.kind) for facts, _ in asked for hold in facts.holds})),
            schedule_sha256=shared.schedule.digest,
            facts_sha256=_digest(shared.schedule, rows, answer, flags, beside),
            asked=asked,
        )


def _before(row: ImageRow, was: Mapping[str, ImageStatus]) -> ImageRow:
    status = was.get(row.sop_instance_uid, row.status)
    return row if status is row.status else replace(row, status=status)


def _asked(
    connection: Connection,
    shared: Around,
    rows: Sequence[ImageRow],
    ask: Ask,
    people: Mapping[Key, Person],
    gathered: dict[object, Asked],
) -> Iterator[Asked]:
    """Give what the dates of the pictures rest on, with what follows; what differs in nothing of it is asked once."""
    for row in rows:
        care = row.made_for is MadeFor.CARE
        who, own = (row.patient_id, row.issuer), None if care else row.sop_instance_uid
        kind = (*who, row.made_for, row.made_on, row.department, own)
        if kind not in gathered:
            facts = retentiongather.facts_of(connection, row, people[who], shared)
            gathered[kind] = facts, ask(facts)
        yield gathered[kind]


def _kept_by(study: str, found: Sequence[tuple[ImageRow, Due]]) -> tuple[str, ...]:
    """Return the records that keep one which is past its own date, by a copy of it."""
    if not all(each.proposable for row, each in found if row.study_instance_uid == study):
        return ()
    others = {row.study_instance_uid for row, each in found if not each.proposable}
    return tuple(sorted(others))


def _lateness(found: Due) -> tuple[bool, str]:
    return not found.proposable, str(found.due_date or "")


def _digest(
    schedule: Schedule, rows: Sequence[ImageRow], found: Due, flags: tuple[str, ...], beside: flagging.Beside
) -> str:
    """Return the digest of what a proposal rests on; the words tell every rule and fact that was used.

    Copies that lie in other records count as the record's own pictures do, for they are destroyed with it.
    """
    pictures = sorted(
        (row.sop_instance_uid, row.study_instance_uid, row.sha256, row.made_for, row.status) for row in rows
    )
    agreed = sorted({each for row in rows for each in beside.agreed(row).items()})
    people = sorted({(row.patient_id, row.issuer, *beside.numbers[(row.patient_id, row.issuer)]) for row in rows})
    held = sorted(each for row in rows for each in beside.held.get(row.sop_instance_uid, ()))
    besides = (flags, agreed, people, held)
    content = (schedule.digest, found.governing_rule, str(found.due_date), found.words, besides, pictures)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
