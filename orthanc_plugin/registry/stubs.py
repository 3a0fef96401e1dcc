"""Stubs: what is kept of a destroyed record, so that its destruction can be proven and its patient be told.

Knows rows. A stub has no pixels, no name, no number of the patient and no free text: who it was of is known by a link
id, for as long as the registry knows the patient.

Sources: requirements 4, step 8; NHS Records Management Code (a metadata stub).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, select

from orthanc_plugin.registry.disposaltables import links, stubs
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.named import of_those, those
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import sealed

SEAL: Final = "disposition stub "
COLUMNS: Final = tuple(column.name for column in stubs.c)
# Asked and written for every record that is destroyed.
ADDED: Final = prepared(stubs.insert())
SOME: Final = of_those(select(*stubs.c), stubs.c.stub_id)
LINK: Final = prepared(
    select(links.c.link_id).where(links.c.patient_id == bindparam("number"), links.c.issuer == bindparam("issued_by"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """What is left of one record.

    Attributes:
        stub_id: a pseudonym of the record.
        link_id: a pseudonym of the patient.
        certificate: number of the certificate.
        uids_sha256: digest of the SOP Instance UIDs, in order.
        acquired: the year, '' when that isn't known.
        holds: kinds of the holds that were once on it.
    """

    stub_id: str
    link_id: str
    certificate: str
    plan_id: str
    objects: int
    size: int
    uids_sha256: str
    acquired: str
    rule: str
    schedule: str
    due_date: str
    proposed_by: str
    proposed_at: str
    decided_by: str
    decided_at: str
    approved_by: str
    approved_at: str
    executed_by: str
    executed_at: str
    method: str
    holds: tuple[str, ...]


def add(connection: Connection, stub: Stub) -> str:
    """Write a stub; return the words that tie it to its entry in the trail."""
    ADDED.run(connection, **{**told(stub), "holds": json.dumps(stub.holds)})
    return _seal(stub)


def _seal(stub: Stub) -> str:
    return sealed(SEAL, stub.stub_id, told(stub))


def told(stub: Stub) -> dict[str, object]:
    """Return what a stub says, by column."""
    return {name: getattr(stub, name) for name in COLUMNS}


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every stub."""
    for row in connection.execute(select(stubs), execution_options=IN_PARTS):
        yield _seal(_stub(dict(row._mapping)))


def _stub(row: dict[str, object]) -> Stub:
    return Stub(**{**row, "holds": tuple(json.loads(str(row["holds"])))})  # type: ignore[arg-type]


def get(connection: Connection, stub_id: str) -> Stub | None:
    """Return a stub, or None."""
    return next(iter(some(connection, (stub_id,))), None)


def some(connection: Connection, stub_ids: Collection[str]) -> list[Stub]:
    """Return those of these stubs that there are, in order."""
    rows = SOME.rows(connection, those=those(connection, stub_ids))
    return sorted((_stub(dict(zip(COLUMNS, row, strict=True))) for row in rows), key=lambda each: each.stub_id)


def certified(connection: Connection, certificate: str) -> list[Stub]:
    """Return the stubs that a certificate tells of."""
    query = select(stubs).where(stubs.c.certificate == certificate).order_by(stubs.c.stub_id)
    return [_stub(dict(row._mapping)) for row in connection.execute(query)]


def of_patient(connection: Connection, numbers: Sequence[Key]) -> list[Stub]:
    """Return what is left of a patient's destroyed records, under all of their numbers: what subject access tells."""
    found: list[Stub] = []
    for number in numbers:
        if (link := _link(connection, number)) is not None:
            query = select(stubs).where(stubs.c.link_id == link).order_by(stubs.c.executed_at, stubs.c.stub_id)
            found += [_stub(dict(row._mapping)) for row in connection.execute(query)]
    return found


def link_ids(connection: Connection, numbers: Sequence[Key]) -> tuple[str, ...]:
    """Return the link ids of a patient's numbers: under these the rows of destroyed pictures are kept."""
    return tuple(link for number in numbers if (link := _link(connection, number)) is not None)


def link(connection: Connection, who: Key, fresh: str) -> str:
    """Return the patient's link id, which is ``fresh`` when there was none."""
    known = _link(connection, who)
    if known is None:
        connection.execute(links.insert().values(patient_id=who[0], issuer=who[1], link_id=fresh))
    return known or fresh


def numbers(connection: Connection, link_id: str) -> tuple[Key, ...]:
    """Return the numbers of the patient whom a link id stands for, none when nobody knows them any more."""
    query = select(links.c.patient_id, links.c.issuer).where(links.c.link_id == link_id)
    return tuple((str(number), str(issuer)) for number, issuer in connection.execute(query))


def _link(connection: Connection, who: Key) -> str | None:
    return next((str(link_id) for (link_id,) in LINK.rows(connection, number=who[0], issued_by=who[1])), None)


def certificates(connection: Connection) -> set[str]:
    """Return the numbers of the certificates that there are stubs of."""
    return set(connection.execute(select(stubs.c.certificate).distinct()).scalars())


def years(connection: Connection, year: str) -> Iterator[Stub]:
    """Give the stubs of what was destroyed in a year."""
    query = select(stubs).where(stubs.c.executed_at.startswith(year)).order_by(stubs.c.executed_at, stubs.c.stub_id)
    for row in connection.execute(query, execution_options=IN_PARTS):
        yield _stub(dict(row._mapping))
