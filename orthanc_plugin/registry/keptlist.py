"""Where copies are kept, how many, and since when: what an administrator is told of them.

Knows rows. Must not know files nor keys. Source: ADR 59.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from orthanc_plugin.registry.keptcopytables import kept_copies

_rows = kept_copies.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder in which copies are kept, of this node or another.

    Attributes:
        place: the folder's own name.
        copies: how many.
        size: of how many bytes.
        oldest: when the oldest was made.
    """

    place: str
    copies: int
    size: int
    oldest: str


def places(connection: Connection) -> tuple[Place, ...]:
    """Return every folder of which there are rows, whether or not it is there still."""
    query = select(_rows.place, func.count(), func.sum(_rows.size), func.min(_rows.made_at))
    found = connection.execute(query.group_by(_rows.place).order_by(_rows.place))
    return tuple(
        Place(place=str(place), copies=int(copies), size=int(size), oldest=str(oldest))
        for place, copies, size, oldest in found
    )
