"""Re-identifications: who asked for which copy's attributes and why, who approved it, when it was opened.

Knows rows. Must not know keys, nor what was found. The reason may name the patient, so it is kept here; the trail has
its digest. Source: PS3.15 E.1.2; requirements 2.4 (a second person).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.tables import disclosures
from orthanc_plugin.registry.vaulttables import openings

SEAL: Final = "re-identification record "
MOMENTS: Final = ("requested_at", "approved_at", "opened_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One re-identification. ``sop_instance_uid`` is the copy's own, ``sha256`` of its file."""

    opening_id: str
    sop_instance_uid: str
    sha256: str
    reason: str
    requested_at: datetime
    requested_by: str
    approved_at: datetime | None = None
    approved_by: str | None = None
    opened_at: datetime | None = None


def _row(opening: Opening) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(opening).items()
    }


def _opening(row: object) -> Opening:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    moments = {name: datetime.fromisoformat(values[name]) if values[name] else None for name in MOMENTS}
    return Opening(**{**values, **moments})


def seal(opening: Opening) -> str:
    """Return the words that tie one as it stands to its entry in the trail."""
    return sealed(SEAL, opening.opening_id, _row(opening))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every one as it stands."""
    for row in connection.execute(select(openings), execution_options=IN_PARTS):
        yield sealed(SEAL, str(row.opening_id), dict(row._mapping))


def record(connection: Connection, opening: Opening) -> None:
    """File one that is asked for."""
    connection.execute(openings.insert().values(_row(opening)))


def change(connection: Connection, opening: Opening) -> None:
    """Write down how one stands by now."""
    known = openings.c.opening_id == opening.opening_id
    connection.execute(update(openings).where(known).values(_row(opening)))


def get(connection: Connection, opening_id: str) -> Opening:
    """Return one.

    Raises:
        UnknownRecordError: there is none.
    """
    row = connection.execute(select(openings).where(openings.c.opening_id == opening_id)).first()
    if row is None:
        raise UnknownRecordError("No re-identification has this id.", remedy="See 'consentgate reidentify list --all'.")
    return _opening(row)


def listed(connection: Connection, *, everything: bool) -> list[Opening]:
    """Return those that aren't opened yet, or all, oldest first."""
    query = select(openings).order_by(openings.c.requested_at, openings.c.opening_id)
    if not everything:
        query = query.where(openings.c.opened_at.is_(None))
    return [_opening(row) for row in connection.execute(query)]


def originals(connection: Connection, released_uid: str) -> frozenset[str]:
    """Return of which pictures a copy of this UID left, by the ledger."""
    query = select(disclosures.c.sop_instance_uid).where(disclosures.c.released_uid == released_uid)
    return frozenset(connection.execute(query).scalars())
