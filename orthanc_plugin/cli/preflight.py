"""``consentgate preflight``: check an Orthanc configuration from outside, before it is started."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

import click

from orthanc_plugin.cli.common import json_option, show, told
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.settings import load_settings
from orthanc_plugin.enforcement.preflight import Severity, findings
from orthanc_plugin.errors import ConfigurationError

_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def without_comments(text: str) -> str:
    """Return Orthanc's JSON without the comments it allows; strings are left alone."""
    return _STRING_OR_COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)


def read_configuration(path: Path) -> dict[str, object]:
    """Return Orthanc's configuration: one file, or a folder whose JSON files Orthanc merges.

    Raises:
        ConfigurationError: a file can't be read or isn't JSON.
    """
    merged: dict[str, object] = {}
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        try:
            value = json.loads(without_comments(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file.name} can't be read as Orthanc's configuration: {error}.") from error
        merged.update(value if isinstance(value, dict) else {})
    return merged


@click.command()
@click.argument("configuration", type=click.Path(exists=True, path_type=Path))
@json_option
@told
def preflight(configuration: Path, as_json: bool) -> None:
    """Check Orthanc's CONFIGURATION (file or folder) against policy.toml.

    Exit status 1 when the plugin would not let Orthanc start.
    """
    path = click.get_current_context().find_root().params.get("settings")
    settings = load_settings(Path(path or "settings.toml"), os.environ)
    policy = load_policy(settings.path(settings.policy.file))
    found = findings(read_configuration(configuration), policy)
    columns = ("severity", "option", "problem", "remedy")
    show([asdict(each) for each in found], columns, as_json=as_json, empty="Nothing to object to.")
    sys.exit(1 if any(each.severity is Severity.REFUSE for each in found) else 0)
