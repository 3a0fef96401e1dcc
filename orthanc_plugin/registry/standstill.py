"""Whether anything at all was committed to the registry since one looked; if nothing was, what was found holds still.

Knows what tells: on SQLite a number that differs for a connection once another one has committed (PRAGMA data_version),
on PostgreSQL the transactions that a new snapshot sees, whoever began them. Both may differ without need, never the
other way round. A connection of SQLite's isn't told of its own commits, so one that was given back meanwhile, and may
have written for somebody, counts as another. Must not know what was found. Source: docs/adr/0058.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.registry.prepared import driver

VERSION: Final = "PRAGMA data_version"
SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"
Seen = tuple[object, object]  # by whose hold on which connection, where that counts, and what it saw


def seen(connection: Connection) -> Seen:
    """Return what is equal as long as nothing was committed; to be asked first of all in a transaction that reads."""
    here = driver(connection)
    if connection.dialect.name == "postgresql":
        return None, here.execute(SNAPSHOT, ()).fetchall()
    return connection.connection, here.execute(VERSION, ()).fetchall()
