"""Disclosures: what left, to whom, for what.

Knows rows. A disclosure is written before the send, and its outcome after.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, bindparam, or_, select, update

from dicomwrap.terms import Form, Purpose
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.policy.eventmodel import DEPOSITED, GIVEN_UP, PUBLISHED, Copy, Recall
from orthanc_plugin.policy.model import Effect
from orthanc_plugin.registry.bulk import among
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import disclosures

Row = dict[str, object]

SEAL: Final = "disclosure record "
END_SEAL: Final = "disclosure end "
MARK_SEAL: Final = "disclosure mark "
# What is known when a release begins; how it ended and what became of the copy is written later.
SEALED: Final = (
    "disclosure_id",
    "decision_id",
    "sop_instance_uid",
    "released_uid",
    "recipient",
    "door",
    "purpose",
    "form",
    "profile",
    "consents",
    "sha256",
    "at",
)
# Rows from before schema 0008 have neither, and nobody can say any more who asked.
ALSO_SEALED: Final = ("requester", "consent_versions")


@unique
class Delivery(StrEnum):
    """How a release ended; only of what failed is it certain that nobody has it.

    Attributes:
        BEGUN: it may be on its way; after a crash nobody knows.
        DELIVERED: the recipient has it.
        SENT: it went out, wholly or in part, and the recipient said no, or nothing; it may have kept it.
        FAILED: nothing went out.
    """

    BEGUN = "BEGUN"
    DELIVERED = "DELIVERED"
    SENT = "SENT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One copy that left.

    Attributes:
        released_uid: the SOP Instance UID that the recipient got.
        requester: the account, person or AE title that asked.
        consents: the consents that it left under.
        consent_versions: the version of each that was in force then.
        sha256: of the copy's bytes.
    """

    disclosure_id: str
    decision_id: str
    sop_instance_uid: str
    released_uid: str
    recipient: str
    requester: str
    door: str
    purpose: str
    form: str
    profile: str
    consents: tuple[str, ...]
    consent_versions: tuple[int, ...]
    sha256: str
    at: str
    outcome: Delivery = Delivery.BEGUN


COLUMNS: Final = tuple(Disclosure.__dataclass_fields__)
BEGUN: Final = prepared(disclosures.insert().values(dict.fromkeys((*SEALED, *ALSO_SEALED, "outcome"))))
WENT: Final = of_those(select(disclosures.c.sop_instance_uid).distinct(), disclosures.c.sop_instance_uid)
ENDED: Final = prepared(
    update(disclosures)
    .where(disclosures.c.disclosure_id == bindparam("which"))
    .values({disclosures.c.outcome: bindparam("ended")})
)


def disclose(connection: Connection, disclosure: Disclosure) -> str:
    """Write down a release that is about to begin; return the words that tie the row to its entry in the trail."""
    return disclose_all(connection, (disclosure,))[0]


def disclose_all(connection: Connection, releases: Iterable[Disclosure]) -> list[str]:
    """Write down releases that are about to begin together; return the words of each."""
    rows = [_as_row(each) for each in releases]
    BEGUN.run_each(connection, rows)
    return [_seal(row) for row in rows]


def _as_row(disclosure: Disclosure) -> Row:
    listed = {name: json.dumps(getattr(disclosure, name)) for name in ("consents", "consent_versions")}
    return {**{name: getattr(disclosure, name) for name in COLUMNS}, **listed}


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every disclosure on record."""
    for row in connection.execute(select(disclosures), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: Mapping[str, object]) -> str:
    names = SEALED if row["requester"] is None else (*SEALED, *ALSO_SEALED)
    body = json.dumps({name: row[name] for name in names}, sort_keys=True)
    return f"{SEAL}{row['disclosure_id']} begun sha256 {hashlib.sha256(body.encode()).hexdigest()}"


def deliver(connection: Connection, disclosure_id: str, outcome: Delivery) -> str:
    """Write down how it ended; return the words that tie that to its entry in the trail."""
    return deliver_all(connection, ((disclosure_id, outcome),))[0]


def deliver_all(connection: Connection, ends: Sequence[tuple[str, Delivery]]) -> list[str]:
    """Write down how releases ended; return the words of each."""
    ENDED.run_each(connection, ({"ended": outcome, "which": which} for which, outcome in ends))
    return [sealed(END_SEAL, which, outcome) for which, outcome in ends]


def end_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of how each ended that did."""
    ended = select(disclosures.c.disclosure_id, disclosures.c.outcome).where(disclosures.c.outcome != Delivery.BEGUN)
    for row in connection.execute(ended, execution_options=IN_PARTS):
        yield sealed(END_SEAL, row.disclosure_id, row.outcome)


def disclosed(connection: Connection, sop_instance_uid: str | None = None) -> list[Row]:
    """Return the disclosures, oldest first."""
    query = select(disclosures).order_by(disclosures.c.at)
    if sop_instance_uid is not None:
        query = query.where(disclosures.c.sop_instance_uid == sop_instance_uid)
    return [dict(row._mapping) for row in connection.execute(query)]


def begun(connection: Connection, recipient: str) -> tuple[str, ...]:
    """Return the ids of what began to leave to this recipient and has not ended."""
    same = (disclosures.c.recipient == recipient) & (disclosures.c.outcome == Delivery.BEGUN)
    return tuple(connection.execute(select(disclosures.c.disclosure_id).where(same)).scalars())


def of_decision(connection: Connection, recipient: str, decision_id: str) -> tuple[str, ...]:
    """Return the ids of what left to a recipient by one decision."""
    same = (disclosures.c.recipient == recipient) & (disclosures.c.decision_id == decision_id)
    return tuple(connection.execute(select(disclosures.c.disclosure_id).where(same)).scalars())


def requesters(connection: Connection, recipient: str, decision_id: str) -> frozenset[str]:
    """Return who asked for what left to a recipient by one decision."""
    same = (disclosures.c.recipient == recipient) & (disclosures.c.decision_id == decision_id)
    return frozenset(map(str, connection.execute(select(disclosures.c.requester).where(same)).scalars()))


def get(connection: Connection, disclosure_id: str) -> Row:
    """Return one disclosure.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(disclosures).where(disclosures.c.disclosure_id == disclosure_id)).first()
    if row is None:
        raise UnknownRecordError("No disclosure has this id.", remedy="See 'consentgate disclosure list'.")
    return dict(row._mapping)


def copy_of(row: Row) -> Copy:
    """Return a disclosure as the rules of the life cycle read it."""
    return Copy(
        id=str(row["disclosure_id"]),
        kind=str(row["kind"]),
        form=Form.ANONYMISED if row["form"] == Effect.PERMIT_ANONYMISED else Form.IDENTIFIABLE,
        key_destroyed=bool(row["key_destroyed"]),
        purpose=Purpose(str(row["purpose"])),
        recall=Recall(str(row["recall"])),
    )


COPY: Final = ("disclosure_id", "kind", "form", "key_destroyed", "purpose", "recall")  # what ``copy_of`` reads
AS_A_COPY: Final = tuple(disclosures.c[name] for name in COPY)


def have_left(connection: Connection, uids: Collection[str]) -> frozenset[str]:
    """Return those of these pictures of which anything ever left, or was about to."""
    return frozenset(str(uid) for (uid,) in WENT.rows(connection, those=those(connection, uids)))


def copies(connection: Connection, sop_instance_uid: str) -> dict[Copy, frozenset[str]]:
    """Return the copies of a picture with the consents that each left under; what failed to leave is none."""
    return copies_of(connection, (sop_instance_uid,)).get(sop_instance_uid, {})


def copies_of(connection: Connection, uids: Collection[str]) -> dict[str, dict[Copy, frozenset[str]]]:
    """Return the same for many pictures, by SOP Instance UID."""
    found: defaultdict[str, dict[Copy, frozenset[str]]] = defaultdict(dict)
    consents: dict[str, frozenset[str]] = {}
    live = (among(connection, disclosures.c.sop_instance_uid, uids), disclosures.c.outcome != Delivery.FAILED)
    query = select(*AS_A_COPY, disclosures.c.sop_instance_uid, disclosures.c.consents).where(*live)
    for *copy, uid, under in connection.execute(query.order_by(disclosures.c.at)):
        if under not in consents:
            consents[under] = frozenset(json.loads(under))
        found[uid][copy_of(dict(zip(COPY, copy, strict=True)))] = consents[under]
    return found


def copies_under(connection: Connection, sop_instance_uid: str, *consent_ids: str) -> tuple[Copy, ...]:
    """Return the copies of a picture that left under one of these consents."""
    found = copies(connection, sop_instance_uid)
    return tuple(copy for copy, under in found.items() if not under.isdisjoint(consent_ids))


def set_recalls(connection: Connection, disclosure_ids: Collection[str], recall: Recall) -> None:
    """Write down where the recall of copies stands."""
    if disclosure_ids:
        these = among(connection, disclosures.c.disclosure_id, disclosure_ids)
        connection.execute(update(disclosures).where(these).values(recall=recall))


def publish(connection: Connection, disclosure_id: str) -> str:
    """Write down that the copy was published; return the words that tie that to its entry in the trail."""
    return _change(connection, disclosure_id, kind=PUBLISHED)


def deposit(connection: Connection, disclosure_id: str) -> str:
    """Write the same of one that is a place of deposit's, to be kept there when the original is destroyed."""
    return _change(connection, disclosure_id, kind=DEPOSITED)


def take_back(connection: Connection, disclosure_id: str) -> str:
    """Write the same of one that a place of deposit is not to keep after all."""
    return _change(connection, disclosure_id, kind=GIVEN_UP)


def destroy_key(connection: Connection, disclosure_id: str) -> str:
    """Write the same of an anonymised one that nobody can tie to the patient any more."""
    return _change(connection, disclosure_id, key_destroyed=1)


def _change(connection: Connection, disclosure_id: str, **values: object) -> str:
    connection.execute(update(disclosures).where(disclosures.c.disclosure_id == disclosure_id).values(values))
    row = get(connection, disclosure_id)
    return sealed(MARK_SEAL, disclosure_id, (row["kind"], row["key_destroyed"]))


def mark_seals(connection: Connection) -> Iterator[str]:
    """Give the seal of what each copy was marked as that is more, or less, than a copy that is out."""
    marks = (disclosures.c.kind, disclosures.c.key_destroyed)
    marked = or_(disclosures.c.kind != Copy(id="").kind, disclosures.c.key_destroyed != 0)
    query = select(disclosures.c.disclosure_id, *marks).where(marked)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield sealed(MARK_SEAL, row.disclosure_id, (row.kind, row.key_destroyed))
