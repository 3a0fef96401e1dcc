"""Recalls: who is asked for which copies, how, and what came of it.

Knows rows. Where a copy stands is said once, in the register of disclosures (``ledger``); a recall groups the copies
in one form that one recipient is asked for because of one event, and says what has passed between us. Must not know how
a recipient is reached, nor what follows from an answer. Notices in a courier's hands are ``recallturns``' matter.

Sources: requirements 2.9 (recall until the recipient confirms), G-19 (UK GDPR 19).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from orthanc_plugin.clock import Ids
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.eventmodel import DEPOSITED, Recall, TaskKind
from orthanc_plugin.policy.eventmodel import PUBLISHED as KIND_PUBLISHED
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.policy.recalling import (
    IN_OUR_STEAD,
    KEY_DESTROYED,
    PUBLISHED,
    Cause,
    Method,
    Standing,
    answer_due,
)
from orthanc_plugin.registry import ledger
from orthanc_plugin.registry.bulk import among, pieces, put
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.recalltables import recall_copies, recalls
from orthanc_plugin.registry.stored import sealed, word
from orthanc_plugin.registry.tables import disclosures, images, tasks

SEAL: Final = "recall record "
AT_ONCE: Final = ""
TOGETHER: Final = "notes at the same moment would tell that copies in several forms are of one patient"
NOWHERE: Final = {"patient_id": "", "issuer": "", "study_instance_uid": "", "series_instance_uid": ""}
# Whoever records it has the breach assessed, also where the copy was asked for before, for another cause.
_RECALLED: Final = (
    select(recall_copies.c.disclosure_id)
    .join(recalls, recalls.c.recall_id == recall_copies.c.recall_id)
    .where(recall_copies.c.disclosure_id == disclosures.c.disclosure_id, recalls.c.cause == Cause.WRONG_RECIPIENT)
)
_ASSESSED: Final = select(tasks.c.task_id).where(
    tasks.c.kind == TaskKind.BREACH_ASSESSMENT, tasks.c.subject == disclosures.c.disclosure_id
)
_MISTAKEN: Final = select(disclosures.c.sop_instance_uid).where(
    disclosures.c.recipient == bindparam("recipient"), or_(_RECALLED.exists(), _ASSESSED.exists())
)
MISTAKEN: Final = of_those(_MISTAKEN, disclosures.c.sop_instance_uid)  # asked before the pictures of a route go


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """One recall.

    Attributes:
        subject: id of what it follows from: a consent, a disclosure, a stub.
        due_at: by when the recipient has to answer.
        how: how the end of it is known, or why nothing can be had back.
        next_try: when a notice goes out by itself, '' at once, None never.
        problem: why the last attempt failed.
    """

    recall_id: str
    recipient: str
    cause: Cause
    subject: str
    method: Method
    standing: Standing
    opened_at: str
    opened_by: str
    due_at: str
    notified_at: str | None = None
    reminders: int = 0
    reminded_at: str | None = None
    settled_at: str | None = None
    settled_by: str | None = None
    how: str = ""
    next_try: str | None = None
    attempts: int = 0
    problem: str = ""


class Apart(NamedTuple):
    """What copies in one recall have in common; ``lost`` is why they can't be had back, '' when they can."""

    recipient: str
    form: str
    profile: str
    lost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Why copies are recalled, by whose act, and how each recipient is reached."""

    cause: Cause
    subject: str
    by: str
    at: datetime
    ids: Ids
    method: Callable[[str], Method]


COLUMNS: Final = tuple(recalls.c[name] for name in Recalled.__dataclass_fields__)
# What is tried when, and why it failed, changes with every attempt and is nobody's word.
UNSEALED: Final = frozenset({"next_try", "attempts", "problem"})


def open_(
    connection: Connection, opening: Opening, back: Sequence[str], lost: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Recall copies (ids of disclosures), or write that those ``lost`` can't be had back.

    Copies with the patient's identity, and those under each anonymisation profile, are asked for apart: together they
    would tell that they are of one patient. So would notes that come at the same moment; a person writes instead.

    Returns:
        Of each recall, its id and the words that tie it to its entry in the trail.
    """
    ledger.set_recalls(connection, back, Recall.OPEN)
    ledger.set_recalls(connection, lost, Recall.NOT_RECALLABLE)
    asked, gone = _apart(connection, back), _apart(connection, lost)
    forms = Counter(key.recipient for key in asked)
    opened = [
        _asked(connection, opening, key.recipient, found, alone=forms[key.recipient] == 1)
        for key, found in sorted(asked.items())
    ]
    given_up = [_given_up(connection, opening, key.recipient, key.lost, found) for key, found in sorted(gone.items())]
    return [(each, seal(connection, each)) for each in (*opened, *given_up)]


def _apart(connection: Connection, names: Sequence[str]) -> dict[Apart, list[str]]:
    """Return copies by what they are asked for apart by."""
    found: defaultdict[Apart, list[str]] = defaultdict(list)
    columns = ("disclosure_id", "recipient", "form", "profile", "kind", "key_destroyed")
    looked_at = select(*(disclosures.c[name] for name in columns))
    for row in connection.execute(looked_at.where(among(connection, disclosures.c.disclosure_id, names))):
        lost = _lost(row.kind, key_destroyed=bool(row.key_destroyed))
        found[Apart(row.recipient, row.form, row.profile, lost)].append(row.disclosure_id)
    return found


def _lost(kind: str, *, key_destroyed: bool) -> str:
    if kind == KIND_PUBLISHED:
        return PUBLISHED
    return IN_OUR_STEAD if kind == DEPOSITED else KEY_DESTROYED if key_destroyed else ""


def _asked(connection: Connection, opening: Opening, recipient: str, names: Sequence[str], *, alone: bool) -> str:
    method, problem = opening.method(recipient), ""
    if method is Method.KOS and not alone:
        method, problem = Method.LETTER, TOGETHER
    return _written(
        connection,
        opening,
        names,
        recipient=recipient,
        method=method,
        standing=Standing.OPEN,
        next_try=None if method is Method.LETTER else AT_ONCE,
        problem=problem,
    )


def _given_up(connection: Connection, opening: Opening, recipient: str, why: str, names: Sequence[str]) -> str:
    values = {"settled_at": opening.at.isoformat(), "settled_by": opening.by, "how": why}
    return _written(
        connection,
        opening,
        names,
        recipient=recipient,
        method=opening.method(recipient),
        standing=Standing.NOT_RECALLABLE,
        **values,
    )


def _written(connection: Connection, opening: Opening, names: Sequence[str], **values: object) -> str:
    """Write a recall and its copies."""
    recall_id = opening.ids()
    row = {
        "recall_id": recall_id,
        "cause": opening.cause,
        "subject": opening.subject,
        "opened_at": opening.at.isoformat(),
        "opened_by": opening.by,
        "due_at": answer_due(opening.at).isoformat(),
        **values,
    }
    connection.execute(recalls.insert().values(row))
    put(connection, recall_copies, {"disclosure_id": names}, recall_id=recall_id)
    return recall_id


def remember(connection: Connection, uids: Collection[str]) -> None:
    """Keep where these pictures were filed as long as a rejection note has to name it: they are about to be destroyed.

    Of a copy without the patient's identity nothing is kept.
    """
    same = (recalls.c.standing == Standing.OPEN, recalls.c.method == Method.KOS)
    query = (
        select(recall_copies.c.disclosure_id, *(images.c[name] for name in NOWHERE))
        .join(recalls, recalls.c.recall_id == recall_copies.c.recall_id)
        .join(disclosures, disclosures.c.disclosure_id == recall_copies.c.disclosure_id)
        .join(images, images.c.sop_instance_uid == disclosures.c.sop_instance_uid)
        .where(*same, disclosures.c.form != Effect.PERMIT_ANONYMISED)
    )
    for some in pieces(uids):
        for row in connection.execute(query.where(disclosures.c.sop_instance_uid.in_(some))).all():
            values = {name: getattr(row, name) for name in NOWHERE}
            kept = recall_copies.c.disclosure_id == row.disclosure_id
            connection.execute(update(recall_copies).where(kept).values(values))


def change(connection: Connection, recall_id: str, **values: object) -> str:
    """Write what has passed; return the words that tie it to its entry in the trail.

    Once no rejection note is to be made any more, nothing is kept of where the pictures were filed.
    """
    connection.execute(update(recalls).where(recalls.c.recall_id == recall_id).values(values))
    if values.get("standing", Standing.OPEN) != Standing.OPEN or values.get("method") == Method.LETTER:
        connection.execute(update(recall_copies).where(recall_copies.c.recall_id == recall_id).values(NOWHERE))
    return seal(connection, recall_id)


def get(connection: Connection, recall_id: str) -> Recalled:
    """Return one recall.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(*COLUMNS).where(recalls.c.recall_id == recall_id)).first()
    if row is None:
        raise UnknownRecordError("No recall has this id.", remedy="See 'consentgate recall list'.")
    return recalled(row)


def listed(
    connection: Connection, *, standings: Iterable[Standing] = tuple(Standing), recipient: str | None = None
) -> list[Recalled]:
    """Return recalls, oldest first."""
    query = select(*COLUMNS).where(recalls.c.standing.in_(tuple(standings)))
    if recipient is not None:
        query = query.where(recalls.c.recipient == recipient)
    return [recalled(row) for row in connection.execute(query.order_by(recalls.c.opened_at, recalls.c.recall_id))]


def of_subjects(connection: Connection, subjects: Sequence[str]) -> list[Recalled]:
    """Return the recalls that follow from these, oldest first."""
    found = []
    for some in pieces(subjects):
        query = select(*COLUMNS).where(recalls.c.subject.in_(some))
        found += [recalled(row) for row in connection.execute(query)]
    return sorted(found, key=lambda each: (each.opened_at, each.recall_id))


def recalled(row: Row[tuple[object, ...]], without: Sequence[str] = ()) -> Recalled:
    """Return a recall from its row, ``without`` the columns that are no part of it.

    Raises:
        UnreadableRowError: it has a word that this version doesn't know.
    """
    values = {name: value for name, value in row._mapping.items() if name not in without}
    kinds = {"cause": Cause, "method": Method, "standing": Standing}
    read = {name: word(kind, values[name], f"recalls.{name}") for name, kind in kinds.items()}
    return Recalled(**{**values, **read})


def of_copy(connection: Connection, disclosure_id: str) -> str | None:
    """Return the id of the recall that asks for a copy, None when none does."""
    query = select(recall_copies.c.recall_id).where(recall_copies.c.disclosure_id == disclosure_id)
    return connection.execute(query).scalar()


def mistaken(connection: Connection, recipient: str, uids: Sequence[str]) -> frozenset[str]:
    """Return which of these pictures went to this recipient by mistake, as somebody has recorded."""
    found = MISTAKEN.rows(connection, recipient=recipient, those=those(connection, uids))
    return frozenset(str(uid) for (uid,) in found)


def copies(connection: Connection, recall_id: str) -> list[ledger.Row]:
    """Return the disclosures that a recall asks for, oldest first."""
    query = (
        select(disclosures)
        .join(recall_copies, recall_copies.c.disclosure_id == disclosures.c.disclosure_id)
        .where(recall_copies.c.recall_id == recall_id)
        .order_by(disclosures.c.at, disclosures.c.disclosure_id)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[str, int]:
    """Return of how many copies each recall is."""
    query = select(recall_copies.c.recall_id, func.count()).group_by(recall_copies.c.recall_id)
    return {str(recall_id): int(count) for recall_id, count in connection.execute(query)}


def standings(connection: Connection, recall_id: str) -> dict[str, Recall]:
    """Return where each copy of a recall stands, by the id of its disclosure."""
    return {str(row["disclosure_id"]): Recall(str(row["recall"])) for row in copies(connection, recall_id)}


def seal(connection: Connection, recall_id: str) -> str:
    """Return the words that tie a recall as it stands to its entry in the trail."""
    row = connection.execute(select(*COLUMNS).where(recalls.c.recall_id == recall_id)).one()
    same = recall_copies.c.recall_id == recall_id
    names = connection.execute(select(recall_copies.c.disclosure_id).where(same)).scalars()
    return _seal(row, names)


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every recall on record."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    query = select(recall_copies.c.recall_id, recall_copies.c.disclosure_id)
    for recall_id, disclosure_id in connection.execute(query, execution_options=IN_PARTS):
        names[recall_id].append(disclosure_id)
    for row in connection.execute(select(*COLUMNS), execution_options=IN_PARTS):
        yield _seal(row, names[row.recall_id])


def _seal(row: Row[tuple[object, ...]], names: Iterable[str]) -> str:
    content = {name: value for name, value in row._mapping.items() if name not in UNSEALED}
    return sealed(SEAL, str(content["recall_id"]), {**content, "copies": sorted(names)})
