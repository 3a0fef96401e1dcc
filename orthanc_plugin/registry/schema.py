"""Bring the registry's tables to the version this program needs, and tell whether they are there.

Knows alembic. Must not know what the tables mean.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.engine import Database


def configuration() -> Config:
    """Return what alembic needs to know; a command needs the connection besides."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def version(database: Database) -> str | None:
    """Return the schema version found, or None for an empty database.

    Raises:
        RegistryError: the database can't be opened.
    """
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> str:
    """Bring the tables to the newest version and return it; doing it again changes nothing.

    Raises:
        RegistryError: the database can't be opened or changed.
    """
    config = configuration()
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":  # an index over ten million images takes its time
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise RegistryError(
            "The registry's schema version is not one this program knows.", remedy="Update Consentgate."
        ) from error
    return version(database) or ""


def require_current(database: Database) -> None:
    """Refuse a registry whose tables aren't those this program needs.

    Raises:
        RegistryError: it is empty, older or newer.
    """
    found, needed = version(database), ScriptDirectory.from_config(configuration()).get_current_head()
    if found != needed:
        raise RegistryError(
            f"The registry has schema version {found or 'none'}, but {needed} is needed.",
            remedy="Run 'consentgate db upgrade' (make a backup first); if the registry is newer, update Consentgate.",
        )
