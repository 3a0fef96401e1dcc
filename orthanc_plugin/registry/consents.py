"""Consents as recorded: versions are appended, never changed or deleted.

Knows rows and which step may follow which (requirements 2.4). Must not decide who gets what.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from dicomwrap.consentfile import consent_json, read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.terms import (
    SECONDARY_PURPOSES,
    ConsentState,
    Explained,
    Purpose,
    PurposeGroup,
    purposes_named,
)
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry.tables import consents

SEAL = "consent record "
EXPLAINED_AT_LEAST = frozenset({Explained.WHY, Explained.USE, Explained.STORAGE})
NOTE_NEEDED = SECONDARY_PURPOSES | {Purpose.SECOND_OPINION}


class IncompleteConsentError(ConfigurationError):
    """A consent lacks something the guidance demands before it may count as given."""

    remedy = "Complete the record with the patient, then add it again; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A consent's version as it stands in the registry."""

    record: ConsentRecord
    recorded_at: str
    recorded_by: str


def gaps(record: ConsentRecord) -> Iterator[str]:
    """Say what is missing before ``record`` may be filed (MDU 2013 items 1 and 2; PMP 2023; GMC paragraphs 8, 24)."""
    if not record.patient_id:
        yield "patient_id: whose consent is it? Give the patient's number"
    if record.state not in (ConsentState.PROPOSED, ConsentState.GIVEN, ConsentState.REFUSED):
        yield f"state: a new record starts as PROPOSED, GIVEN or REFUSED, not {record.state}"
    if record.state is not ConsentState.GIVEN:
        return
    if missing := sorted(EXPLAINED_AT_LEAST - set(record.explained)):
        yield f"explained: {', '.join(missing)} not ticked; the patient must know why, how it is used and stored"
    if record.evidence is None:
        yield "evidence: say how the decision is evidenced, such as SIGNED_FORM"
    named = purposes_named(frozenset(scope.purpose for scope in record.scopes))
    if named & NOTE_NEEDED and record.discussion is None:
        yield "discussion: a use beyond the patient's own care needs the note of the discussion and its author"


def seal(record: ConsentRecord) -> str:
    """Return the words that tie a version to its content in the trail: who, which, SHA-256 of its JSON."""
    digest = hashlib.sha256(consent_json(record).encode()).hexdigest()
    return f"{SEAL}{record.id} version {record.version} sha256 {digest}"


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version on record."""
    for row in connection.execute(select(consents).order_by(consents.c.consent_id, consents.c.version)):
        yield seal(_read(row).record)


def _read(row: object) -> Recorded:
    mapping = row._mapping  # type: ignore[attr-defined]
    return Recorded(
        record=read_consent(mapping["record"]), recorded_at=mapping["recorded_at"], recorded_by=mapping["recorded_by"]
    )


def _append(connection: Connection, record: ConsentRecord, *, by: str, at: datetime) -> ConsentRecord:
    connection.execute(
        consents.insert().values(
            consent_id=record.id,
            version=record.version,
            patient_id=record.patient_id,
            issuer=record.issuer or "",
            record=consent_json(record),
            recorded_at=at.isoformat(),
            recorded_by=by,
        )
    )
    return record


def current(connection: Connection, consent_id: str) -> ConsentRecord:
    """Return the newest version.

    Raises:
        UnknownRecordError: there is no such consent.
    """
    row = connection.execute(
        select(consents).where(consents.c.consent_id == consent_id).order_by(consents.c.version.desc()).limit(1)
    ).first()
    if row is None:
        raise UnknownRecordError("No consent has this id.", remedy="See 'consentgate consent list'.")
    return _read(row).record


def listed(connection: Connection, patient_id: str | None = None, issuer: str | None = None) -> list[Recorded]:
    """Return the newest version of every consent, or of one patient's (``issuer`` None: of any issuer)."""
    newest = (
        select(consents.c.consent_id, func.max(consents.c.version).label("version"))
        .group_by(consents.c.consent_id)
        .subquery()
    )
    query = select(consents).join(
        newest, (newest.c.consent_id == consents.c.consent_id) & (newest.c.version == consents.c.version)
    )
    if patient_id is not None:
        query = query.where(consents.c.patient_id == patient_id)
    if issuer is not None:
        query = query.where(consents.c.issuer == issuer)
    return [_read(row) for row in connection.execute(query.order_by(consents.c.recorded_at, consents.c.consent_id))]


def add(
    connection: Connection, record: ConsentRecord, *, by: str, at: datetime, default_issuer: str = ""
) -> ConsentRecord:
    """File a new consent or refusal as its version 1; a patient number without issuer is the hospital's own.

    Raises:
        IncompleteConsentError: with everything that is missing.
        IllegalTransitionError: the id is taken.
    """
    if problems := tuple(gaps(record)):
        raise IncompleteConsentError("The consent can't be recorded yet.", problems=problems)
    if connection.execute(select(consents.c.version).where(consents.c.consent_id == record.id)).first():
        raise IllegalTransitionError(
            "A consent with this id is on record already.", remedy="Give the new decision an id of its own."
        )
    issuer = (record.issuer or "").strip() or default_issuer
    patient_id = (record.patient_id or "").strip()
    return _append(connection, replace(record, version=1, patient_id=patient_id, issuer=issuer), by=by, at=at)


def withdraw(
    connection: Connection,
    consent_id: str,
    purposes: tuple[Purpose | PurposeGroup, ...] | None,
    *,
    on: date,
    by: str,
    at: datetime,
) -> ConsentRecord:
    """Append the version that ends the consent, wholly or for ``purposes``; the rest survives (requirements R6).

    Raises:
        UnknownRecordError: there is no such consent.
        IllegalTransitionError: it isn't in force, was given later, or never covered a purpose named.
    """
    known = current(connection, consent_id)
    if known.state is not ConsentState.GIVEN:
        raise IllegalTransitionError(f"A consent in state {known.state} can't be withdrawn.")
    if on < known.decided_on:
        raise IllegalTransitionError(
            "A consent can't be withdrawn before it was given.", remedy=f"It was given on {known.decided_on}."
        )
    if on > hospital_day(at):
        raise IllegalTransitionError(
            "A withdrawal can't be recorded before its day.",
            remedy="Record it on the day, or without a date for today.",
        )
    covered = purposes_named(frozenset(scope.purpose for scope in known.scopes))
    named = purposes_named(frozenset(purposes)) if purposes else covered
    if purposes and not named & covered:
        raise IllegalTransitionError(
            "The consent never covered what is withdrawn.", remedy=f"It covers: {', '.join(sorted(covered))}."
        )
    gone = (named & covered) | purposes_named(frozenset(known.withdrawn_purposes or ()))
    whole = covered <= gone
    changed = replace(
        known,
        version=known.version + 1,
        state=ConsentState.WITHDRAWN if whole else ConsentState.GIVEN,
        withdrawn_on=min(on, known.withdrawn_on or on),
        withdrawn_purposes=None if whole else tuple(sorted(gone)),
    )
    return _append(connection, changed, by=by, at=at)
