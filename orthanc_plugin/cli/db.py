"""``consentgate db upgrade``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from orthanc_plugin.cli.common import json_option, say, told
from orthanc_plugin.config.settings import load_settings
from orthanc_plugin.registry import schema
from orthanc_plugin.registry.engine import open_database


@click.group()
def db() -> None:
    """Make or upgrade the registry's tables."""


@db.command()
@json_option
@told
def upgrade(as_json: bool) -> None:
    """Bring the registry's tables to the version this program needs; doing it again changes nothing."""
    path = click.get_current_context().find_root().params.get("settings")
    settings = load_settings(Path(path or "settings.toml"), os.environ)
    database = open_database(settings.database_url())
    found = schema.upgrade(database)
    database.close()
    say({"version": found}, f"The registry has schema version {found}.", as_json=as_json)
