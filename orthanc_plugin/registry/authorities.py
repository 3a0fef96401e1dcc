"""Authorities that stand beside consent: court orders, approvals, the executor's and the like.

Knows rows, and when one is verified and speaks of a picture. Must not decide. Nothing is deleted: one that no longer
holds is ended. Source: requirements 2.2 (authorities), 2.6 R1, R2, R5, R9.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, Row, bindparam, select, update

from dicomwrap.consentdetails import UID
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.policy.model import Authority, AuthorityType
from orthanc_plugin.policy.persons import OnePerson, same_person
from orthanc_plugin.registry.consentfacts import Place
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import day, flag, sealed, texts, unreadable, word
from orthanc_plugin.registry.tables import authorities

LONGEST: Final = 64
SEAL: Final = "authority record "


class IncompleteAuthorityError(ConfigurationError):
    """An authority lacks what it must say."""

    remedy = "Complete it from the document, then record it again; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an authority says.

    Attributes:
        type: what kind it is.
        patient_id: whose pictures it speaks of.
        issuer: who gave the number.
        targets: study, series or SOP instance UIDs; none: all of the patient's pictures.
        document: where the order or approval itself is kept, such as a file reference.
        requested_by: who asked for it.
        approved_by: who approved it.
        notify_prohibited: the patient may not be told.
        valid_from: first day.
        valid_to: last day (inclusive); None without end.
    """

    type: AuthorityType
    patient_id: str
    issuer: str
    targets: tuple[str, ...] = ()
    document: str
    requested_by: str | None = None
    approved_by: str | None = None
    notify_prohibited: bool = False
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An authority as it stands in the registry."""

    authority_id: str
    claim: Claim
    recorded_at: str
    recorded_by: str
    verified_at: str | None
    verified_by: str | None
    ended_at: str | None
    ended_by: str | None


FACTS: Final = prepared(
    select(
        authorities.c.type,
        authorities.c.targets,
        authorities.c.requested_by,
        authorities.c.approved_by,
        authorities.c.notify_prohibited,
        authorities.c.valid_from,
        authorities.c.valid_to,
        authorities.c.verified_at,
        authorities.c.ended_at,
    )
    .where(authorities.c.patient_id == bindparam("patient_id"), authorities.c.issuer == bindparam("issuer"))
    .order_by(authorities.c.recorded_at, authorities.c.authority_id)
)


def facts(connection: Connection, who: Key, place: Place, on: date) -> Iterator[Authority]:
    """Give the patient's authorities as the policy reads them for this picture on the day ``on``.

    One that is ended or outside its dates covers nothing; it is told all the same, for it was claimed.
    """
    patient_id, issuer = who
    for row in FACTS.rows(connection, patient_id=patient_id, issuer=issuer):
        kind, targets, requested_by, approved_by, silent, valid_from, valid_to, verified_at, ended_at = row
        first, last = day(valid_from, "authorities.valid_from"), day(valid_to, "authorities.valid_to")
        in_time = first is not None and first <= on and (last is None or on <= last)
        named = texts(targets, "authorities.targets")
        yield Authority(
            type=word(AuthorityType, kind, "authorities.type"),
            verified=verified_at is not None,
            covers_image=ended_at is None and in_time and (not named or not set(named).isdisjoint(place[:3])),
            approved_by=None if approved_by is None else str(approved_by),
            requested_by=None if requested_by is None else str(requested_by),
            notify_prohibited=flag(silent, "authorities.notify_prohibited"),
        )


def gaps(claim: Claim) -> Iterator[str]:
    """Say what is missing or can't be."""
    for name in ("patient_id", "document"):
        if not getattr(claim, name).strip():
            yield f"{name}: is missing"
    for name in ("patient_id", "issuer", "requested_by", "approved_by"):
        if len(getattr(claim, name) or "") > LONGEST:
            yield f"{name}: is longer than {LONGEST} characters"
    if claim.valid_to is not None and claim.valid_to < claim.valid_from:
        yield "valid_to: is before valid_from"
    for number, uid in enumerate(claim.targets):
        if not UID.fullmatch(uid):
            yield f"targets[{number}]: must be a DICOM UID"


def record(connection: Connection, claim: Claim, *, authority_id: str, by: str, at: datetime) -> None:
    """File an authority, which counts for nothing until somebody else verified it.

    Raises:
        IncompleteAuthorityError: with everything that is missing.
    """
    if problems := tuple(gaps(claim)):
        raise IncompleteAuthorityError("The authority can't be recorded yet.", problems=problems)
    values = {
        **asdict(claim),
        "targets": json.dumps(claim.targets),
        "notify_prohibited": int(claim.notify_prohibited),
        "valid_from": claim.valid_from.isoformat(),
        "valid_to": claim.valid_to.isoformat() if claim.valid_to else None,
    }
    connection.execute(
        authorities.insert().values(authority_id=authority_id, recorded_at=at.isoformat(), recorded_by=by, **values)
    )


def verify(
    connection: Connection, authority_id: str, *, by: str, at: datetime, one_person: OnePerson = same_person
) -> Recorded:
    """Note that ``by`` has seen the document and found it good.

    ``one_person`` tells whether two names are one person's; by themselves they are told apart by spelling alone.

    Raises:
        UnknownRecordError: there is no such authority.
        IllegalTransitionError: it was verified or ended before, or ``by`` recorded it or asked for the pictures.
    """
    known = current(connection, authority_id)
    if known.ended_at is not None or known.verified_at is not None:
        state = "ended" if known.ended_at is not None else "verified already"
        raise IllegalTransitionError(
            f"The authority is {state}.", remedy="Record a new one if there is a new document."
        )
    if any(one_person(by, each) for each in (known.recorded_by, known.claim.requested_by or "")):
        raise IllegalTransitionError(
            "Whoever recorded an authority, or asked for it, can't verify it.", remedy="Have somebody else look at it."
        )
    return _noted(connection, authority_id, verified_at=at.isoformat(), verified_by=by)


def end(connection: Connection, authority_id: str, *, by: str, at: datetime) -> Recorded:
    """Note that the authority no longer holds; it covers nothing from now on.

    Raises:
        UnknownRecordError: there is no such authority.
        IllegalTransitionError: it was ended before.
    """
    if current(connection, authority_id).ended_at is not None:
        raise IllegalTransitionError("The authority is ended.", remedy="Nothing is to be done.")
    return _noted(connection, authority_id, ended_at=at.isoformat(), ended_by=by)


def _noted(connection: Connection, authority_id: str, **values: str) -> Recorded:
    connection.execute(update(authorities).where(authorities.c.authority_id == authority_id).values(values))
    return current(connection, authority_id)


def current(connection: Connection, authority_id: str) -> Recorded:
    """Return the authority.

    Raises:
        UnknownRecordError: there is no such authority.
    """
    row = connection.execute(select(authorities).where(authorities.c.authority_id == authority_id)).first()
    if row is None:
        raise UnknownRecordError("No authority has this id.", remedy="See 'consentgate authority list'.")
    return _recorded(row)


def listed(connection: Connection, patient_id: str | None = None, issuer: str | None = None) -> list[Recorded]:
    """Return every authority, or one patient's (``issuer`` None: of any issuer), oldest first."""
    query = select(authorities).order_by(authorities.c.recorded_at, authorities.c.authority_id)
    if patient_id is not None:
        query = query.where(authorities.c.patient_id == patient_id)
    if issuer is not None:
        query = query.where(authorities.c.issuer == issuer)
    return [_recorded(row) for row in connection.execute(query)]


def seal(connection: Connection, authority_id: str) -> str:
    """Return the words that tie an authority as it stands to its entry in the trail."""
    row = connection.execute(select(authorities).where(authorities.c.authority_id == authority_id)).one()
    return sealed(SEAL, authority_id, dict(row._mapping))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every authority as it stands."""
    for row in connection.execute(select(authorities), execution_options=IN_PARTS):
        yield sealed(SEAL, row.authority_id, dict(row._mapping))


def _recorded(row: Row[tuple[object, ...]]) -> Recorded:
    valid_from = day(row.valid_from, "authorities.valid_from")
    if valid_from is None:
        raise unreadable("authorities.valid_from")
    return Recorded(
        authority_id=row.authority_id,
        claim=Claim(
            type=word(AuthorityType, row.type, "authorities.type"),
            patient_id=row.patient_id,
            issuer=row.issuer,
            targets=texts(row.targets, "authorities.targets"),
            document=row.document,
            requested_by=row.requested_by,
            approved_by=row.approved_by,
            notify_prohibited=flag(row.notify_prohibited, "authorities.notify_prohibited"),
            valid_from=valid_from,
            valid_to=day(row.valid_to, "authorities.valid_to"),
        ),
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        verified_at=row.verified_at,
        verified_by=row.verified_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )
