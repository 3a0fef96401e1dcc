"""Until when something has been looked at, so that whoever starts again knows where to go on.

Knows rows. Must not know what was looked at.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from orthanc_plugin.registry.outboxtables import marks

STABLE: Final = "STABLE"
OPT_OUTS: Final = "OPT_OUTS"
DESCRIBED: Final = "DESCRIBED"


def mark(connection: Connection, name: str, at: datetime) -> None:
    """Say that everything up to now has been looked at."""
    same = marks.c.name == name
    if connection.execute(update(marks).where(same).values(at=at.isoformat())).rowcount == 0:
        connection.execute(marks.insert().values(name=name, at=at.isoformat()))


def marked(connection: Connection, name: str) -> datetime | None:
    """Return until when; None when nothing has been looked at yet."""
    found = connection.execute(select(marks.c.at).where(marks.c.name == name)).scalar()
    return None if found is None else datetime.fromisoformat(str(found))
