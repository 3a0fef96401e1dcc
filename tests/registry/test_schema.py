"""A registry that isn't the one this program needs is refused with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from traceback import format_exception

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner

from orthanc_plugin.cli.main import main
from orthanc_plugin.errors import ConsentgateError, RegistryError
from orthanc_plugin.registry import schema, transfertables
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.tables import metadata
from orthanc_plugin.services import build
from tests.fakes.world import World, counted_ids


def rebuild(world: World) -> ConsentgateError:
    with pytest.raises(RegistryError) as caught:
        build(world.folder / "settings.toml", {}, world.clock, counted_ids())
    assert caught.value.remedy in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (World.lose_the_database, "can't be read"),
        (lambda world: world.sql("UPDATE alembic_version SET version_num = '9999'"), "schema version 9999"),
        (lambda world: world.sql("DELETE FROM alembic_version"), "schema version none"),
    ],
    ids=["gone", "newer", "no version"],
)
def test_a_registry_that_can_t_be_used_is_refused(fault: Callable[[World], None], words: str, world: World) -> None:
    fault(world)
    error = rebuild(world)
    assert words in str(error)
    assert "consentgate db upgrade" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "",
        "mysql-that-is-not-there://user:s3cret@host/y",
        "sqlite:///{folder}/no/x.db",
        "postgresql://user:s3cret@host:nowhere/x",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        open_database(url.format(folder=tmp_path))
    assert "settings.toml" in str(caught.value)
    assert "s3cret" not in "".join(format_exception(caught.value))


def test_upgrading_twice_changes_nothing(bare: str) -> None:
    database = open_database(bare)
    assert schema.version(database) is None
    first = schema.upgrade(database)
    assert schema.upgrade(database) == first == schema.version(database)
    schema.require_current(database)
    database.close()


def test_a_registry_from_the_future_is_not_touched(world: World) -> None:
    world.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RegistryError, match="Update Consentgate"):
        schema.upgrade(world.services.database)


def test_the_migrations_make_the_tables_that_the_program_describes(world: World) -> None:
    assert transfertables.transfers.metadata is metadata  # no door needs its module
    with world.services.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_command_upgrades_the_database_that_the_environment_names(world: World, bare: str) -> None:
    arguments = ["--settings", str(world.folder / "settings.toml"), "db", "upgrade"]
    result = CliRunner().invoke(main, arguments, env={"CONSENTGATE_REGISTRY_DATABASE": bare})
    assert (result.exit_code, result.stderr) == (0, "")
    database = open_database(bare)
    schema.require_current(database)
    database.close()
