"""Which rows of imported files are in the registry already, by the digest of what they said.

Knows rows. Must not know files. A row is remembered in the transaction that applies it, so an import that was cut off
goes on where it stood.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from orthanc_plugin.registry.tables import imported_rows


def known(connection: Connection, digest: str) -> bool:
    """Tell whether a row that said the same was applied before."""
    found = select(imported_rows.c.digest).where(imported_rows.c.digest == digest)
    return connection.execute(found).first() is not None


def remember(connection: Connection, digest: str, *, kind: str, outcome: str, by: str, at: datetime) -> None:
    """Write down that a row was applied; ``outcome`` is the id of what it became."""
    connection.execute(
        imported_rows.insert().values(
            digest=digest, kind=kind, outcome=outcome, imported_at=at.isoformat(), imported_by=by
        )
    )


def became(connection: Connection, outcome: str) -> bool:
    """Tell whether an imported row became this, such as a change of a patient's facts; else a person did it."""
    found = select(imported_rows.c.digest).where(imported_rows.c.outcome == outcome)
    return connection.execute(found).first() is not None
