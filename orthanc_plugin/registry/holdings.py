"""Which archive has a picture: nodes that share a registry may each have an archive of their own.

Knows what each archive has said that it has, and has what is queued of that wait for a courier there. Must not know
what follows when one has lost it. Nothing is written of an archive that was never started under this version; what
nobody has said is any archive's.

Source: requirements 4, acceptance test (f) (what vanishes is noticed, where it was).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Column, Connection, Index, String, Table, delete, select, update

from orthanc_plugin.registry.bulk import among, pieces, put
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.outboxtables import outbox
from orthanc_plugin.registry.tables import images, metadata

AT_ONCE: Final = 10_000

archive_holdings = Table(
    "archive_holdings",
    metadata,
    Column("orthanc_instance", String(64), primary_key=True),
    Column("archive", String(64), nullable=False),
    Index("archive_holdings_by_archive", "archive"),
)
_held = archive_holdings.c


def keep(connection: Connection, archive: str, instances: Collection[str]) -> None:
    """Write down that an archive has these, by Orthanc's names; whoever said so last has it."""
    for some in pieces(instances, AT_ONCE):
        these = among(connection, _held.orthanc_instance, some)
        known = {str(name): str(had) for name, had in connection.execute(select(*_held).where(these))}
        moved = [name for name, had in known.items() if had != archive]
        new = [each for each in dict.fromkeys(some) if each not in known]
        if moved:
            to_here = update(archive_holdings).where(these, _held.archive != archive)
            connection.execute(to_here.values(archive=archive))
        if new:
            put(connection, archive_holdings, {"orthanc_instance": new}, archive=archive)
        if moved or new:
            _queued_here(connection, archive, [*moved, *new])


def forget(connection: Connection, archive: str) -> None:
    """Forget what an archive said: it isn't there any more, so it has none of it, and any courier may send it."""
    connection.execute(delete(archive_holdings).where(_held.archive == archive))
    connection.execute(update(outbox).where(outbox.c.archive == archive).values(archive=""))


def places(connection: Connection, uids: Collection[str]) -> dict[str, str]:
    """Return which archive has each of these pictures, by SOP Instance UID, as far as one has said so."""
    same = _held.orthanc_instance == images.c.orthanc_instance
    found: dict[str, str] = {}
    for some in pieces(uids, AT_ONCE):
        these = among(connection, images.c.sop_instance_uid, some)
        said = select(images.c.sop_instance_uid, _held.archive).join_from(images, archive_holdings, same).where(these)
        found.update((str(uid), str(archive)) for uid, archive in connection.execute(said))
    return found


def _queued_here(connection: Connection, archive: str, instances: Collection[str]) -> None:
    """Have what is queued of these wait for a courier that reads from this archive."""
    theirs = select(images.c.sop_instance_uid).where(among(connection, images.c.orthanc_instance, instances))
    these = update(outbox).where(outbox.c.sop_instance_uid.in_(theirs), outbox.c.archive != archive)
    connection.execute(these.values(archive=archive))


def elsewhere(connection: Connection, archive: str) -> frozenset[str]:
    """Return what other archives have said that they have."""
    others = select(_held.orthanc_instance).where(_held.archive != archive)
    return frozenset(connection.execute(others, execution_options=IN_PARTS).scalars())
