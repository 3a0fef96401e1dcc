"""What whoever decides on a record has to know: copies that left, recalls that aren't confirmed, open tasks.

Knows rows. Must not decide. A dispute about a study or a consent is one about each of its pictures. Many records are
asked about at once, for a plan has thousands.

Source: requirements 4, step 2 (flags) and acceptance test (h).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, not_, select

from orthanc_plugin.policy.disposal import DisposalTask
from orthanc_plugin.policy.eventmodel import DEPOSITED, Recall
from orthanc_plugin.policy.expirymodel import Due
from orthanc_plugin.policy.model import ImageStatus, MadeFor
from orthanc_plugin.registry import remnants
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.tables import consents, disclosures, tasks


@dataclass(frozen=True, slots=True)
class Beside:
    """What is on record of pictures and their patients.

    Attributes:
        copies: of each picture, how many copies left, by where their recall stands.
        held: of each picture, the digests of what the quarantine holds of it.
        tasks: of each picture, study and consent, the kinds of task that are open.
        numbers: every number of the person behind each patient's number.
        consents: of each patient's number, the consents with their versions.
    """

    copies: Mapping[str, Counter[str]]
    held: Mapping[str, list[str]]
    tasks: Mapping[str, set[str]]
    numbers: Mapping[Key, tuple[Key, ...]]
    consents: Mapping[Key, dict[str, int]]

    def agreed(self, row: ImageRow) -> Mapping[str, int]:
        """Return the consents under every number of a picture's patient, with their versions."""
        numbers = self.numbers[(row.patient_id, row.issuer)]
        return {consent: version for who in numbers for consent, version in self.consents.get(who, {}).items()}


def beside(connection: Connection, rows: Sequence[ImageRow], numbers: Mapping[Key, tuple[Key, ...]]) -> Beside:
    """Return what is on record of these pictures, of whose patients all ``numbers`` are given."""
    uids = tuple(row.sop_instance_uid for row in rows)
    agreed = _consents(connection, {each for every in numbers.values() for each in every})
    subjects = (uids, {row.study_instance_uid for row in rows}, {each for known in agreed.values() for each in known})
    return Beside(
        copies=_copies(connection, uids),
        held=remnants.held(connection, uids),
        tasks={subject: kinds for each in subjects for subject, kinds in _tasks(connection, tuple(each)).items()},
        numbers=numbers,
        consents=agreed,
    )


def _copies(connection: Connection, uids: tuple[str, ...]) -> Mapping[str, Counter[str]]:
    """Return where the copies stand; a bag at a place of deposit is how a line is executed, and no news to it."""
    bag = and_(disclosures.c.kind == DEPOSITED, disclosures.c.recall == Recall.NONE)
    left = (disclosures.c.sop_instance_uid.in_(uids), disclosures.c.outcome != Delivery.FAILED, not_(bag))
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for uid, recall in connection.execute(select(disclosures.c.sop_instance_uid, disclosures.c.recall).where(*left)):
        found[uid][recall] += 1
    return found


def _tasks(connection: Connection, uids: tuple[str, ...]) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    kinds = tasks.c.kind.in_(select(tasks.c.kind).distinct())  # by the index
    query = select(tasks.c.subject, tasks.c.kind).where(kinds, tasks.c.subject.in_(uids), tasks.c.closed_at.is_(None))
    query = query.where(tasks.c.kind != DisposalTask.KEPT_BY_A_COPY)  # which is closed once nothing keeps the record
    for subject, kind in connection.execute(query):
        found[subject].add(kind)
    return found


def _consents(connection: Connection, wanted: Collection[Key]) -> Mapping[Key, dict[str, int]]:
    """Return the consents by patient: whatever is agreed to, withdrawn or refused changes their versions."""
    newest = func.max(consents.c.version)
    query = select(consents.c.patient_id, consents.c.issuer, consents.c.consent_id, newest).where(
        consents.c.patient_id.in_({number for number, _ in wanted})  # both columns at once miss SQLite's index
    )
    found: defaultdict[Key, dict[str, int]] = defaultdict(dict)
    grouped = query.group_by(consents.c.patient_id, consents.c.issuer, consents.c.consent_id)
    for number, issuer, consent, version in connection.execute(grouped):
        if (number, issuer) in wanted:
            found[(number, issuer)][consent] = version
    return found


def flags(rows: Sequence[ImageRow], copies: Sequence[ImageRow], found: Due, known: Beside) -> tuple[str, ...]:
    """Return the flags of a record, with ``copies`` of its pictures that lie in other records here."""
    return (
        *_of_copies(rows, known),
        *((f"COPIES_HERE: {len(copies)}",) if copies else ()),
        *_of_quarantine((*rows, *copies), known),
        *_of_tasks(rows, known),
        *_of_pictures(rows),
        *((f"REVIEW: {found.review}",) if found.review else ()),
    )


def _of_copies(rows: Sequence[ImageRow], known: Beside) -> Iterator[str]:
    copies: Counter[str] = Counter()
    for row in rows:
        copies.update(known.copies.get(row.sop_instance_uid, {}))
    if unconfirmed := copies[Recall.OPEN]:
        yield f"RECALL_NOT_CONFIRMED: {unconfirmed}"
    if live := copies.total() - copies[Recall.CONFIRMED]:
        yield f"COPIES_OUTSIDE: {live}"


def _of_quarantine(rows: Sequence[ImageRow], known: Beside) -> Iterator[str]:
    if count := sum(len(known.held.get(row.sop_instance_uid, ())) for row in rows):
        yield f"HELD_IN_QUARANTINE: {count}"


def _of_tasks(rows: Sequence[ImageRow], known: Beside) -> Iterator[str]:
    subjects = {each for row in rows for each in (row.sop_instance_uid, row.study_instance_uid, *known.agreed(row))}
    if kinds := sorted({kind for each in subjects for kind in known.tasks.get(each, ())}):
        yield f"OPEN_TASKS: {', '.join(kinds)}"


def _of_pictures(rows: Sequence[ImageRow]) -> Iterator[str]:
    statuses = [row.status for row in rows]
    for status in (ImageStatus.QUARANTINED, ImageStatus.RESTRICTED, ImageStatus.REJECTED):
        if count := statuses.count(status):
            yield f"{status}: {count}"
    if {row.made_for for row in rows} == {MadeFor.CARE, MadeFor.SECONDARY}:
        yield "MIXED: pictures for care and for other uses; kept together, by the rules of care"
