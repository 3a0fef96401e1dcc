"""``consentgate profile list | show``: the anonymisation profiles, and what each does with each attribute."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from orthanc_plugin.cli.common import json_option, show, told
from orthanc_plugin.clock import now
from orthanc_plugin.config.policyfile import load_policy
from orthanc_plugin.config.profiles import SHIPPED, ProfileChoice, resolved
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.deid.profile import Profile
from orthanc_plugin.deid.vault import Vault
from orthanc_plugin.errors import ConfigurationError

DEFAULT_SETTINGS = Path("settings.toml")


def profiles() -> dict[str, ProfileChoice]:
    """Return the profiles that can be named: the shipped ones, and those of the policy where there is one.

    Raises:
        ConfigurationError: the settings that were named, or their policy, can't be used.
    """
    settings = _settings()
    if settings is None:
        return dict(SHIPPED)
    return {**SHIPPED, **load_policy(settings.path(settings.policy.file)).profiles}


def _settings() -> Settings | None:
    """Return the settings, None where there are none and none were named."""
    named = click.get_current_context().find_root().params.get("settings")
    if named is None and not DEFAULT_SETTINGS.exists():
        return None
    return load_settings(Path(named or DEFAULT_SETTINGS), os.environ)


def vault() -> Vault:
    """Return what locks attributes into copies for the settings' custodians; without settings there are none.

    Raises:
        ConfigurationError: the settings that were named can't be used.
    """
    settings = _settings()
    files = {name: settings.path(file) for name, file in settings.custodians.items()} if settings else {}
    return Vault(files, now)


def chosen(name: str) -> Profile:
    """Return the profile of this name.

    Raises:
        ConfigurationError: there is none.
    """
    known = profiles()
    found = resolved(name, known)
    if found is None:
        listed = ", ".join(sorted(known))
        raise ConfigurationError(f"There is no profile {name!r}.", remedy=f"Name one of these: {listed}.")
    return Profile(
        name=name,
        pseudonym_domain=found.pseudonym_domain,
        options=found.options,
        overrides=found.overrides,
        pixels=found.pixels,
        custodians=found.custodians,
    )


@click.group()
def profile() -> None:
    """Show the anonymisation profiles: those that are shipped, and those of policy.toml."""


@profile.command("list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the profiles that can be named."""
    found = [chosen(name) for name in sorted(profiles())]
    rows = [
        {"profile": each.name, "pseudonym_domain": each.pseudonym_domain, "options": sorted(each.options)}
        for each in found
    ]
    show(rows, ("profile", "pseudonym_domain", "options"), as_json=as_json, empty="There is no profile.")


@profile.command("show")
@click.argument("name")
@json_option
@told
def show_(name: str, as_json: bool) -> None:
    """Say in words what becomes of each attribute under the profile NAME."""
    found = chosen(name)
    said = found.describe()
    if as_json:
        about = {
            "profile": found.name,
            "pseudonym_domain": found.pseudonym_domain,
            "options": sorted(found.options),
            "pixels": found.pixels,
            "methods": [{"code": code, "meaning": meaning} for code, meaning in found.methods(confirmed=True)],
            "digest": found.digest,
            "actions": said,
        }
        click.echo(json.dumps(about, indent=2))
        return
    click.echo(f"Options: {', '.join(sorted(found.options)) or 'none'}.", err=True)
    rows = [{"attribute": attribute, "becomes": words} for attribute, words in said.items()]
    show(rows, ("attribute", "becomes"), as_json=False, empty="The profile does nothing.")
