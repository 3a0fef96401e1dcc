"""A registry that isn't the one this program needs is refused with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from orthanc_plugin.errors import ConsentgateError, RegistryError
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.tables import metadata
from orthanc_plugin.services import build
from tests.fakes.world import World, counted_ids


def rebuild(world: World) -> ConsentgateError:
    with pytest.raises(RegistryError) as caught:
        build(world.folder / "settings.toml", {}, world.clock, counted_ids())
    assert caught.value.remedy in str(caught.value)
    return caught.value


def replaced_by(content: bytes) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.services.database.close()
        for path in world.folder.glob("registry.db*"):
            path.unlink()
        world.database_file.write_bytes(content)

    return act


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (replaced_by(b""), "schema version none"),
        (replaced_by(b"this is no database" * 100), "can't be read"),
        (World.lose_the_database, "can't be read"),
        (lambda world: world.sql("UPDATE alembic_version SET version_num = '9999'"), "schema version 9999"),
        (lambda world: world.sql("DELETE FROM alembic_version"), "schema version none"),
    ],
    ids=["empty", "corrupt", "a folder", "newer", "no version"],
)
def test_a_registry_that_can_t_be_used_is_refused(fault: Callable[[World], None], words: str, world: World) -> None:
    fault(world)
    error = rebuild(world)
    assert words in str(error)
    assert "consentgate db upgrade" in str(error)


def test_a_missing_folder_is_told(world: World) -> None:
    settings = world.folder / "settings.toml"
    settings.write_text(settings.read_text().replace("sqlite:///registry.db", "sqlite:///missing/registry.db"))
    assert "folder" in str(rebuild(world))


@pytest.mark.parametrize("url", ["nonsense", "", "mysql-that-is-not-there://x/y", "sqlite:///{folder}/no/x.db"])
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError):
        open_database(url.format(folder=tmp_path))


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/registry.db")
    assert schema.version(database) is None
    first = schema.upgrade(database)
    assert schema.upgrade(database) == first == schema.version(database)
    schema.require_current(database)
    database.close()


def test_a_registry_from_the_future_is_not_touched(world: World) -> None:
    world.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RegistryError, match="Update Consentgate"):
        schema.upgrade(world.services.database)


def test_a_corrupt_file_can_t_be_upgraded(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(RegistryError):
        schema.upgrade(open_database(f"sqlite:///{tmp_path}/registry.db"))


def test_the_migrations_make_the_tables_that_the_program_describes(world: World) -> None:
    with world.services.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
