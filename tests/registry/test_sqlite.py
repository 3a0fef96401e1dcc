"""What only a registry in a file can suffer: the file is corrupt, empty, or its folder is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.services import build
from tests.fakes.world import World, counted_ids, make_world

NO_DATABASE = b"this is no database" * 100


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.close()


def refused(world: World) -> str:
    with pytest.raises(RegistryError) as caught:
        build(world.folder / "settings.toml", {}, world.clock, counted_ids())
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "schema version none"), (NO_DATABASE, "can't be read (SQLITE_NOTADB)")],
    ids=["empty", "corrupt"],
)
def test_a_file_that_is_no_registry_is_refused_with_the_remedy(content: bytes, words: str, world: World) -> None:
    world.services.database.close()
    for path in world.folder.glob("registry.db*"):
        path.unlink()
    world.database_file.write_bytes(content)
    error = refused(world)
    assert words in error
    assert "consentgate db upgrade" in error


def test_a_missing_folder_is_told(world: World) -> None:
    settings = world.folder / "settings.toml"
    settings.write_text(settings.read_text().replace("sqlite:///registry.db", "sqlite:///missing/registry.db"))
    assert "folder" in refused(world)


def test_a_corrupt_file_can_t_be_upgraded(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(NO_DATABASE)
    with pytest.raises(RegistryError):
        schema.upgrade(open_database(f"sqlite:///{tmp_path}/registry.db"))
