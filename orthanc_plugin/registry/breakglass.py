"""Grants of emergency access: one patient, one account, until one moment; what was found when each was looked at.

Knows rows. Must not know who may be granted what. The reason is a person's own words and may name the patient, so it is
kept here; the trail has its digest (``seal``).

Source: requirements 2.9 (break-glass), G-27; PS3.15 A.5 (emergency override).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, tuple_, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import merging, patients
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.patients import Key
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import break_glass

SEAL: Final = "emergency access record "


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant. It is live from ``granted_at`` until just before ``ends_at``; moments in UTC."""

    grant_id: str
    patient_id: str
    issuer: str
    account: str
    reason: str
    granted_at: datetime
    ends_at: datetime
    granted_by: str
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    finding: str | None = None

    def live(self, at: datetime) -> bool:
        """Tell whether it opens anything at ``at``."""
        return self.granted_at <= at < self.ends_at


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _grant(row: object) -> Grant:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    moments = {name: _moment(values[name]) for name in ("granted_at", "ends_at", "reviewed_at")}
    return Grant(**{**values, **moments})


def seal(grant: Grant) -> str:
    """Return the words that tie a grant as it stands to its entry in the trail: which, whose, SHA-256 of the whole."""
    return _seal(_columns(grant))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every grant as it stands."""
    for row in connection.execute(select(break_glass), execution_options=IN_PARTS):
        yield _seal(dict(row._mapping))


def _seal(row: Mapping[str, object]) -> str:
    return f"{sealed(SEAL, str(row['grant_id']), dict(row))}, of {row['account']} until {row['ends_at']}"


def _columns(grant: Grant) -> dict[str, object]:
    moments = {"granted_at": grant.granted_at, "ends_at": grant.ends_at, "reviewed_at": grant.reviewed_at}
    return {**asdict(grant), **{name: each.isoformat() if each else None for name, each in moments.items()}}


def record(connection: Connection, grant: Grant) -> None:
    """File a grant."""
    connection.execute(break_glass.insert().values(_columns(grant)))


def numbers(connection: Connection, whose: Key) -> tuple[Key, ...]:
    """Return every number (with issuer) under which the patient is known, merged ones included.

    Raises:
        UnknownRecordError: no such patient.
    """
    kept = merging.survivor(connection, whose) or whose
    return (kept, *patients.merged_into(connection, kept))


def live(connection: Connection, account: str, whose: Key, at: datetime) -> Grant | None:
    """Return the account's grant for this patient that is live, by whichever of the patient's numbers it was given.

    Raises:
        UnknownRecordError: no such patient.
    """
    known = tuple_(break_glass.c.patient_id, break_glass.c.issuer).in_(numbers(connection, whose))
    query = select(break_glass).where(break_glass.c.account == account, known)
    found = [grant for grant in map(_grant, connection.execute(query)) if grant.live(at)]
    return max(found, key=lambda grant: grant.ends_at, default=None)


def get(connection: Connection, grant_id: str) -> Grant:
    """Return one grant.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(break_glass).where(break_glass.c.grant_id == grant_id)).first()
    if row is None:
        raise UnknownRecordError("No emergency access has this id.", remedy="See 'consentgate break-glass list'.")
    return _grant(row)


def listed(connection: Connection, *, unreviewed: bool = False) -> list[Grant]:
    """Return every grant, or those nobody has reviewed yet, oldest first."""
    query = select(break_glass).order_by(break_glass.c.granted_at, break_glass.c.grant_id)
    if unreviewed:
        query = query.where(break_glass.c.reviewed_at.is_(None))
    return [_grant(row) for row in connection.execute(query)]


def end(connection: Connection, grant_id: str, at: datetime) -> None:
    """Have the grant open nothing from ``at`` on."""
    connection.execute(update(break_glass).where(break_glass.c.grant_id == grant_id).values(ends_at=at.isoformat()))


def reviewed(connection: Connection, grant_id: str, *, by: str, at: datetime, finding: str) -> None:
    """Write down what somebody found when looking at how the grant was used."""
    values = {"reviewed_at": at.isoformat(), "reviewed_by": by, "finding": finding}
    connection.execute(update(break_glass).where(break_glass.c.grant_id == grant_id).values(values))
