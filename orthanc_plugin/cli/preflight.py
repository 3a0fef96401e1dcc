"""``consentgate preflight``: check an Orthanc from outside, its configuration and what is in effect if it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.archive.remote import RemoteControl, read_credentials
from orthanc_plugin.cli.common import json_option, show
from orthanc_plugin.cli.orthancfile import read_configuration
from orthanc_plugin.clock import Clock, hospital_day, now
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.enforcement.effective import InEffect, effective_findings
from orthanc_plugin.enforcement.finding import Finding, in_order
from orthanc_plugin.enforcement.options import Severity, Version
from orthanc_plugin.enforcement.preflight import Around, every_version, findings
from orthanc_plugin.errors import ArchiveError, ConsentgateError

REFUSED: Final = 1
NOT_CHECKED: Final = 2


@click.command()
@click.argument("configuration", type=click.Path(exists=True, path_type=Path))
@json_option
def preflight(configuration: Path, as_json: bool) -> None:
    """Check Orthanc's CONFIGURATION (file or folder) against policy.toml, and the Orthanc that runs on it, if one does.

    Exit status 1 when the plugin would not let Orthanc start, 2 when it could not be checked; warnings alone give 0.
    """
    path = click.get_current_context().find_root().params.get("settings")
    try:
        settings = load_settings(Path(path or "settings.toml"), os.environ)
        policy = load_policy(settings.path(settings.policy.file))
        found = _findings(configuration, settings, policy, now)
    except ConsentgateError as error:
        click.echo(f"consentgate: {error}", err=True)
        sys.exit(NOT_CHECKED)
    columns = ("severity", "option", "problem", "remedy")
    show([asdict(each) for each in found], columns, as_json=as_json, empty="Nothing to object to.")
    sys.exit(REFUSED if any(each.severity is Severity.REFUSE for each in found) else 0)


def _findings(configuration: Path, settings: Settings, policy: Policy, clock: Clock) -> tuple[Finding, ...]:
    running = _running(settings)
    has = _has(running.version()) if running else every_version
    around = Around(proxied=settings.proxy is not None, storage=settings.storage, today=hospital_day(clock()), has=has)
    written = findings(read_configuration(configuration, os.environ), policy, around)
    if running is None:
        click.echo("No Orthanc runs on these settings; only the files were checked.", err=True)
        return written
    effective = InEffect(modalities=running.modalities(), peers=running.peers(), plugins=running.plugins())
    return in_order(dict.fromkeys((*written, *effective_findings(effective, policy))))


def _running(settings: Settings) -> RemoteControl | None:
    """Return the guarded Orthanc that runs on these settings, or None."""
    try:
        credentials = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
        running = RemoteControl(settings.orthanc.url, credentials)
        running.version()
    except ArchiveError:
        return None
    return running


def _has(running: Version) -> Callable[[Version], bool]:
    return lambda version: running >= version
