"""The rows of consents: read, sealed, appended; never changed or deleted.

Knows the table and what ties a row to the trail. Must not know which step may follow which (``consents`` does).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select
from sqlalchemy.exc import IntegrityError

from dicomwrap.consentfile import consent_json, read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.consentstamp import permitted_purposes
from dicomwrap.errors import ConsentFileError
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError, UnknownRecordError
from orthanc_plugin.registry import consentfacts
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.stored import unreadable
from orthanc_plugin.registry.tables import consents

SEAL = "consent record "
# Asked about every picture that comes in.
CURRENT: Final = prepared(
    select(*consents.c)
    .where(consents.c.consent_id == bindparam("consent_id"))
    .order_by(consents.c.version.desc())
    .limit(literal_column("1"))
)
# Asked about every release.
NEWEST: Final = prepared(select(func.max(consents.c.version)).where(consents.c.consent_id == bindparam("consent_id")))
# Reading it takes longer than finding it, and the same text always reads the same.
read_text = lru_cache(maxsize=256)(read_consent)


class IncompleteConsentError(ConfigurationError):
    """A consent lacks something the guidance demands before it may count as given."""

    remedy = "Complete the record with the patient, then add it again; nothing was recorded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A consent's version as it stands in the registry."""

    record: ConsentRecord
    recorded_at: str
    recorded_by: str


class _Version(NamedTuple):
    consent_id: str
    version: int
    patient_id: str
    issuer: str
    record: str
    recorded_at: str
    recorded_by: str


def seal(record: ConsentRecord) -> str:
    """Return the words that tie a version to its content in the trail: who, which, SHA-256 of its JSON."""
    return _seal(record.id, record.version, consent_json(record))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every version on record, over the text as stored, whatever this program would write today."""
    every = select(consents).order_by(consents.c.consent_id, consents.c.version)
    for row in connection.execute(every, execution_options=IN_PARTS):
        yield _seal(row.consent_id, row.version, row.record) if _own(row) else _another(row)


def recorders(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give every version's seal with who recorded it, which is whoever the seal's entry in the trail names."""
    for row in connection.execute(select(consents), execution_options=IN_PARTS):
        yield _seal(row.consent_id, row.version, row.record), row.recorded_by


def _another(row: Row[tuple[object, ...]]) -> str:
    return f"{SEAL}{row.consent_id} version {row.version} sha256 of another row's record"


def _own(row: Row[tuple[object, ...]]) -> bool:
    """Tell whether the record is what its columns say it is, whichever version wrote it."""
    try:
        return consentfacts.named(json.loads(row.record)) == _columns(row)
    except (KeyError, TypeError, ValueError):
        return False


def _columns(row: Row[tuple[object, ...]] | _Version) -> consentfacts.Columns:
    return consentfacts.Columns(row.consent_id, row.version, row.patient_id, row.issuer)


def _seal(consent_id: str, version: int, text: str) -> str:
    return f"{SEAL}{consent_id} version {version} sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _read(row: Row[tuple[object, ...]] | _Version) -> Recorded:
    try:
        record = read_text(row.record)
    except ConsentFileError:
        raise consentfacts.faulty(row.record) from None
    if consentfacts.columns(record) != _columns(row):
        raise unreadable("consents.record")
    return Recorded(record=record, recorded_at=row.recorded_at, recorded_by=row.recorded_by)


def append(connection: Connection, record: ConsentRecord, *, by: str, at: datetime) -> ConsentRecord:
    """Write a version.

    Raises:
        IncompleteConsentError: it could not be read again, because a text is too long or a day contradicts another.
        IllegalTransitionError: someone else wrote this version first.
    """
    row = {
        "consent_id": record.id,
        "version": record.version,
        "patient_id": record.patient_id,
        "issuer": record.issuer or "",
        "record": _readable(record),
        "recorded_at": at.isoformat(),
        "recorded_by": by,
    }
    try:
        connection.execute(consents.insert().values(row))
    except IntegrityError as error:
        raise IllegalTransitionError(
            "Someone else changed this consent at the same moment.", remedy="Read it again, then decide anew."
        ) from error
    return record


def _readable(record: ConsentRecord) -> str:
    """Return the record's text, proven to read back as the same record: rows stay for good, and a bad one would too."""
    text = consent_json(record)
    try:
        same = read_consent(text) == record
    except ConsentFileError as error:
        raise IncompleteConsentError("The consent can't be recorded.", problems=error.problems) from error
    if not same:
        raise IncompleteConsentError("The consent can't be recorded.", problems=("it would be read back otherwise",))
    return text


def taken(connection: Connection, consent_id: str) -> bool:
    """Tell whether a consent has this id."""
    return connection.execute(select(consents.c.version).where(consents.c.consent_id == consent_id)).first() is not None


def ids(connection: Connection, patient_id: str, issuer: str) -> tuple[str, ...]:
    """Return the ids of one number's consents, those included that can't be read."""
    known = consents.c
    query = select(known.consent_id).where(known.patient_id == patient_id, known.issuer == issuer).distinct()
    return tuple(connection.execute(query.order_by(known.consent_id)).scalars())


def current(connection: Connection, consent_id: str) -> ConsentRecord:
    """Return the newest version.

    Raises:
        UnknownRecordError: there is no such consent.
    """
    rows = CURRENT.rows(connection, consent_id=consent_id)
    if not rows:
        raise _unknown()
    return _read(_Version._make(rows[0])).record


def permitting(connection: Connection, consent_ids: Iterable[str], purpose: str) -> ConsentRecord | None:
    """Return the first of these consents that permits the purpose in some form, in its newest version."""
    records = (current(connection, consent_id) for consent_id in consent_ids)
    return next((record for record in records if purpose in permitted_purposes(record)), None)


def newest_version(connection: Connection, consent_id: str) -> int:
    """Return the number of the newest version, 0 when there is no such consent."""
    ((version,),) = NEWEST.rows(connection, consent_id=consent_id)
    return 0 if version is None else int(str(version))


def versions(connection: Connection, consent_id: str) -> list[Recorded]:
    """Return every version, oldest first.

    Raises:
        UnknownRecordError: there is no such consent.
    """
    query = select(consents).where(consents.c.consent_id == consent_id).order_by(consents.c.version)
    found = [_read(row) for row in connection.execute(query)]
    if not found:
        raise _unknown()
    return found


def _unknown() -> UnknownRecordError:
    return UnknownRecordError("No consent has this id.", remedy="See 'consentgate consent list'.")


def listed(connection: Connection, patient_id: str | None = None, issuer: str | None = None) -> list[Recorded]:
    """Return the newest version of every consent, or of one patient's (``issuer`` None: of any issuer)."""
    wanted = []
    if patient_id is not None:
        wanted.append(consents.c.patient_id == patient_id)
    if issuer is not None:
        wanted.append(consents.c.issuer == issuer)
    newest = (
        select(consents.c.consent_id, func.max(consents.c.version).label("version"))
        .where(*wanted)  # here too: without it every consent of every patient would be looked at
        .group_by(consents.c.consent_id)
        .subquery()
    )
    query = select(consents).join(
        newest, (newest.c.consent_id == consents.c.consent_id) & (newest.c.version == consents.c.version)
    )
    return [_read(row) for row in connection.execute(query.order_by(consents.c.recorded_at, consents.c.consent_id))]
