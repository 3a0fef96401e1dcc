"""The audit notices each data key that was exchanged, put back, deleted or slipped in, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orthanc_plugin.cli.audit import _beside_the_chain
from orthanc_plugin.lifecycle import sitekeys
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.storagekeys import Kind
from orthanc_plugin.registry.trail import Trail, append
from orthanc_plugin.retention import erasing
from tests.fakes.vaulted import FILE, FIRST, OTHER, SECOND, begun, data_keys
from tests.fakes.world import World
from tests.registry.test_storage_keys import STUDY, approve, propose
from tests.registry.test_upgrade import ENTRY, row_of, tables, upgraded_to


def problem(world: World) -> str:
    """Return what 'audit verify' finds beside the chain itself."""
    return _beside_the_chain(world.services.database, {1: "signed"}, 1)


def of_all_kinds(world: World) -> None:
    """Have keys of two studies and of two files, of each of which one is destroyed, and all wrapped anew."""
    begun(world)
    keys = data_keys(world)
    for subject in ("2.25.1", "2.25.2"):
        keys.for_writing(Kind.STUDY, subject)
    for name in (FILE, OTHER):
        keys.for_writing(Kind.FILE, name)
    propose(world)
    both = data_keys(world, FIRST, SECOND)
    assert sum(sitekeys.rewrap(both, world.services.act("admin", "test"), approve(world))) == 4
    with world.services.database.writing() as connection:
        both.destroy(connection, Kind.FILE, OTHER)
        erasing._destroyed(connection, world.services.act("records clerk", "test"), Kind.STUDY, "2.25.2")
    assert problem(world) == ""


OF_ANOTHER_STUDY = (
    "INSERT INTO storage_keys SELECT 'ffffffffffffffffffffffffffffffff', kind, '2.25.3', wrapped, site_key, created_at,"
    " destroyed_at FROM storage_keys WHERE subject = '2.25.1'"
)
PUT_BACK = "UPDATE storage_keys SET wrapped = 'ab', subject = '2.25.2', destroyed_at = NULL"


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM storage_keys WHERE subject = '2.25.1'",
        "DELETE FROM storage_keys WHERE kind = 'FILE' AND destroyed_at IS NULL",
        "DELETE FROM storage_keys WHERE kind = 'FILE' AND destroyed_at IS NOT NULL",
        "UPDATE storage_keys SET wrapped = 'ab' || substr(wrapped, 3) WHERE subject = '2.25.1'",
        "UPDATE storage_keys SET created_at = '2020-01-01' WHERE subject = '2.25.1'",
        "UPDATE storage_keys SET destroyed_at = '2020-01-01' WHERE kind = 'FILE' AND subject IS NULL",
        f"{PUT_BACK} WHERE kind = 'STUDY' AND subject IS NULL",
        f"{PUT_BACK} WHERE kind = 'FILE' AND subject IS NULL",
        "UPDATE storage_keys SET wrapped = NULL, subject = NULL, destroyed_at = '2026-11-22' WHERE subject = '2.25.1'",
        OF_ANOTHER_STUDY,
    ],
)
def test_the_audit_notices_each_data_key_that_isn_t_as_it_was_written(change: str, world: World) -> None:
    of_all_kinds(world)
    world.sql(change)
    assert problem(world) == "1 data key record(s) are not as the trail has them"


def test_the_audit_notices_a_key_that_is_back_as_it_was_before_a_rotation(world: World) -> None:
    begun(world)
    data_keys(world).for_writing(Kind.STUDY, STUDY)
    (before,) = world.sql("SELECT wrapped, site_key FROM storage_keys")
    propose(world)
    both = data_keys(world, FIRST, SECOND)
    assert sum(sitekeys.rewrap(both, world.services.act("admin", "test"), approve(world))) == 1
    assert problem(world) == ""
    world.sql(f"UPDATE storage_keys SET wrapped = '{before[0]}', site_key = '{before[1]}'")  # noqa: S608
    assert problem(world) == "1 data key record(s) are not as the trail has them"


def test_nothing_of_a_key_nor_of_whose_it_is_is_in_the_trail(world: World) -> None:
    of_all_kinds(world)
    told = str(world.trail())
    for subject, wrapped in world.sql("SELECT subject, wrapped FROM storage_keys WHERE wrapped IS NOT NULL"):
        assert str(subject) not in told
        assert str(wrapped) not in told


def test_whatever_else_the_trail_says_of_storage_keys_an_upgrade_seals_those_that_are_there(bare: str) -> None:
    database = open_database(bare)
    upgraded_to(database, "0027")
    (table,) = (each for each in tables(database) if each.name == "storage_keys")
    told = replace(ENTRY, actor="the storage key officer", detail=f"storage site key record 2026 sha256 {'0' * 64}")
    with database.writing() as connection:
        connection.execute(table.insert(), [row_of(table, number) for number in (1, 2)])
        append(connection, [told])
    schema.upgrade(database)
    effects = [entry["effect"] for entry in Trail(database).tail(9)]
    assert effects.count("DATA_KEYS_SEALED_AT_UPGRADE") == 1
    database.close()


def test_a_registry_of_before_has_each_key_sealed_once_by_its_upgrade(bare: str) -> None:
    database = open_database(bare)
    upgraded_to(database, "0027")
    (table,) = (each for each in tables(database) if each.name == "storage_keys")
    with database.writing() as connection:
        connection.execute(table.insert(), [row_of(table, number) for number in (1, 2)])
    for _ in range(2):
        schema.upgrade(database)
        assert _beside_the_chain(database, {1: "signed"}, 1) == ""
    with database.writing() as connection:
        connection.execute(table.delete().where(table.c.key_id == row_of(table, 1)["key_id"]))
    schema.upgrade(database)
    assert _beside_the_chain(database, {1: "signed"}, 1) == "1 data key record(s) are not as the trail has them"
    database.close()
