"""Entries of permits that stand are written at once on SQLite; PostgreSQL, whose lock is another, is asked as usual."""

from __future__ import annotations

from orthanc_plugin.registry.atonce import AtOnce
from tests.fakes.pictures import CARE
from tests.fakes.world import World
from tests.unit.enforcement.writingatonce import PATIENCE, append_one, nothing, permit_of


def test_only_sqlite_is_written_at_once(world: World) -> None:
    world.file(CARE)
    append_one(world)
    services, before = world.services, len(world.trail())
    writes = AtOnce(services.database, world.clock, services.ids, lambda: False)
    assert writes.write(permit_of(world), PATIENCE, nothing) is not world.on_postgresql
    assert len(world.trail()) - before == (0 if world.on_postgresql else 1)
