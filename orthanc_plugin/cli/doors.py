"""``consentgate doors``: the table of exits, as the running Orthanc's plugin has it, or else this program's.

Knows where the plugin leaves its table. Must not know what the rows mean.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import click
import httpx

from orthanc_plugin.cli.common import json_option, show, told
from orthanc_plugin.config.settings import load_settings
from orthanc_plugin.enforcement.exits import listed, table_file

COLUMNS: Final = ("method", "route", "kind", "roles", "reason")
NOT_RUNNING: Final = "No guarded Orthanc runs on these settings: this is the table of the program itself."
SECONDS: Final = 5


@click.command()
@json_option
@told
def doors(as_json: bool) -> None:
    """List every exit: what passes, which role it takes, and why it is shut if it is. What isn't listed is denied."""
    rows = _running(_settings())
    if rows is None:
        click.echo(NOT_RUNNING, err=True)
    show(listed() if rows is None else rows, COLUMNS, as_json=as_json, empty="")


def _settings() -> Path | None:
    """Return where the settings are; None where there are none, which is no fault for this command."""
    named = click.get_current_context().find_root().params.get("settings")
    path = Path(named or "settings.toml")
    return path if named or path.exists() else None


def _running(path: Path | None) -> list[dict[str, object]] | None:
    """Return the table that the running plugin left, or None when none runs."""
    if path is None:
        return None
    settings = load_settings(path, os.environ)
    try:
        httpx.get(settings.orthanc.url, timeout=SECONDS, trust_env=False)  # any answer will do
        rows: list[dict[str, object]] = json.loads(table_file(settings).read_text(encoding="utf-8"))
    except (httpx.HTTPError, OSError, ValueError):
        return None
    return rows
