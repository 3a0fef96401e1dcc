"""Keep the lines of records up to date, and say from them what may be proposed: a plan needn't reckon a million.

Knows when a line says everything: whatever a copy, a death to come or a hold on a patient could change is looked at
anew. Must not reckon dates. A line is never an authority: a record of which it doesn't count is looked at in full, and
what is executed is decided on again without any line.

Source: requirements T-9, T-12; requirements 4, steps 1 and 2; ADR 42.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.policy.expirymodel import Due
from orthanc_plugin.registry import images, patients, remnants, retentionlines
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import Subject
from orthanc_plugin.registry.retentiongather import Around
from orthanc_plugin.registry.retentionlines import Reckoned, Turn
from orthanc_plugin.retention.acting import Act
from orthanc_plugin.retention.records import Record, Records

AT_ONCE: Final = 250  # lines in one transaction: whoever else writes waits for it
PAGE: Final = 1000
EVER: Final = 1_000_000_000
REACH: Final = "the picture's own department counts"  # lines from before that are renewed


def refresh(database: Database, act: Act, records: Records) -> int:
    """Reckon anew every line that doesn't count any more, and what holds on populations say; return how many.

    What is outdated again meanwhile isn't written. Nothing but the writing has the write lock.
    """
    done = 0
    while turns := _outdated(database, records):
        _renew(database, act, records, turns)
        done += len(turns)
    for some in pieces(_held_otherwise(database, act, records), AT_ONCE):
        _renew(database, act, records, some)
        done += len(some)
    return done


def outdate(database: Database, records: Records) -> None:
    """Have every line be reckoned anew, and find the records that have none; a few at a time, for others write too."""
    with database.reading() as connection:
        basis, missing = records.schedule(connection).digest, retentionlines.missing(connection)
    for studies in pieces(missing, PAGE):
        with database.writing() as connection:
            retentionlines.expect(connection, studies)
    left = PAGE
    while left:
        with database.writing() as connection:
            left = retentionlines.outdate(connection, basis, PAGE)


def past_due(connection: Connection, act: Act, records: Records) -> Iterator[tuple[Reckoned, tuple[str, ...]]]:
    """Give every record that is past its date now, in the order of their names, with the records that keep it."""
    shared = records.around(connection, act)
    if shared.stale:
        return
    basis = shared.schedule.digest
    anew = {study for study, _ in retentionlines.outdated(connection, basis, EVER)}
    possible = anew.union(retentionlines.ids(connection, basis, shared.day.isoformat()))
    free = sorted(possible - _on_hold(connection, shared))
    for studies in pieces(free, PAGE):
        yield from _of_page(connection, act, records, shared, studies, anew)


def _of_page(
    connection: Connection, act: Act, records: Records, shared: Around, studies: Sequence[str], anew: Collection[str]
) -> Iterator[tuple[Reckoned, tuple[str, ...]]]:
    holds = _population(shared)[1]
    lines = retentionlines.page(connection, [study for study in studies if study not in anew])
    sure = {study: line for study, line in lines.items() if line.alone and line.holds == holds}
    unsure = [study for study in studies if study not in sure]
    looked_at = records.many(connection, unsure, act) if unsure else {}  # of most pages every line is sure
    for study in studies:
        if study in sure:
            if not sure[study].held:
                yield sure[study], ()
        elif (found := looked_at.get(study)) is not None and (found.due.proposable or found.kept_by):
            yield _reckoned(found, holds, alone=False), () if found.due.proposable else found.kept_by


def _on_hold(connection: Connection, shared: Around) -> set[str]:
    """Return the records with pictures of patients who are named by a hold that stands, or ask for them."""
    named = {who for each in shared.holds if each.told(shared.day).stands(shared.day) for who in each.order.patients}
    named.update(each.who for each in shared.requests)
    numbers = {number for who in named for number in patients.numbers(connection, who)}
    found: set[str] = set()
    for piece in pieces({number for number, _ in numbers}):
        rows = images.find(connection, Subject.PATIENT_ID, piece)
        found.update(row.study_instance_uid for row in rows if (row.patient_id, row.issuer) in numbers)
    return found


def _population(shared: Around) -> tuple[Around, str]:
    """Return what records share with no other holds than those on populations, and which these are, as a digest."""
    held = tuple(
        each for each in shared.holds if not each.order.population.empty and each.told(shared.day).stands(shared.day)
    )
    asked = [REACH, *(each.hold_id for each in held)]
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest() if held else ""
    return replace(shared, holds=held, requests=()), digest


def _outdated(database: Database, records: Records) -> list[Turn]:
    with database.reading() as connection:
        return retentionlines.outdated(connection, records.schedule(connection).digest, AT_ONCE)


def _held_otherwise(database: Database, act: Act, records: Records) -> list[Turn]:
    with database.reading() as connection:
        shared = records.around(connection, act)
        basis, day = shared.schedule.digest, shared.day.isoformat()
        return retentionlines.held_otherwise(connection, basis, day, _population(shared)[1])


def _renew(database: Database, act: Act, records: Records, turns: Sequence[Turn]) -> None:
    """Reckon some lines, and write those that weren't outdated again meanwhile."""
    with database.reading() as connection:
        shared, holds = _population(records.around(connection, act))
        found = records.by_dates(connection, shared, [study for study, _ in turns])
        copied = remnants.copied(connection, [row.sop_instance_uid for each in found.values() for row in each.pictures])
    lines = {study: _line(each, shared, holds, copied) for study, each in found.items()}
    with database.writing() as connection:
        retentionlines.write(connection, shared.schedule.digest, turns, lines)


def _line(record: Record, shared: Around, holds: str, copied: frozenset[str]) -> Reckoned:
    """Return the line of a record that was asked for by dates."""
    pictures = zip(record.pictures, record.asked, strict=True)
    own = [asked for row, asked in pictures if row.study_instance_uid == record.study_instance_uid]
    to_come = any(facts.death_date is not None and facts.death_date > shared.day for facts, _ in own)
    alone = len(own) == len(record.pictures) and not to_come
    line = _reckoned(record, holds, alone=alone and copied.isdisjoint(_uids(record)))
    since = shared.day if to_come else _since([answer for _, answer in own])
    held = any(hold.stands(shared.day) for facts, _ in own for hold in facts.holds)
    return line._replace(proposable_from=None if since is None else since.isoformat(), held=held)


def _since(own: Sequence[Due]) -> date | None:
    """Return the first day on which all of these may be proposed, None when there is none."""
    days = [each.proposable_from for each in own if _by_proposal(each)]
    return max((day for day in days if day is not None), default=None) if len(days) == len(own) else None


def _by_proposal(found: Due) -> bool:
    """Tell whether it ends by proposal: what goes at once goes on its last day, and for ever has no day after."""
    return found.proposable_from is not None and found.due_date is not None and found.proposable_from > found.due_date


def _uids(record: Record) -> set[str]:
    return {row.sop_instance_uid for row in record.pictures}


def _reckoned(record: Record, holds: str, *, alone: bool) -> Reckoned:
    due = record.due
    return Reckoned(
        study_instance_uid=record.study_instance_uid,
        proposable_from=None,
        alone=alone,
        held=False,
        holds=holds,
        objects=len(record.pictures),
        size=sum(row.size or 0 for row in record.pictures),
        unsized=sum(row.size is None for row in record.pictures),
        rule=due.governing_rule or "",
        due_date=str(due.due_date or ""),
        words="\n".join((*due.words, *_copies(record))),
        flags=record.flags,
        facts_sha256=record.facts_sha256,
    )


def _copies(record: Record) -> Iterator[str]:
    """Say which pictures of other records a line takes with it."""
    beside = Counter(row.study_instance_uid for row in record.pictures)
    for study, count in sorted(beside.items()):
        if study != record.study_instance_uid:
            yield f"Takes with it {count} picture(s) of the record {study}: copies of its own that were filed there."
