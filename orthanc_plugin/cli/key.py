"""``consentgate key list | check | rotate``: the pseudonyms' keys, where they are used, if they are those of before.

A domain gets a new key when policy.toml names it: what is changed there is on record by the policy's digest.
"""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from orthanc_plugin.cli.common import json_option, say, services, show, told
from orthanc_plugin.config.profiles import domains
from orthanc_plugin.deid.keys import FIRST, KeyRing, make_key
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.registry import pseudonymkeys

GOOD = ("retired", "as before", "not used yet")
NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


@click.group()
def key() -> None:
    """Show, check and make the keys that pseudonyms are made with; a key itself is never shown."""


@key.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the keys of settings.toml by name, with the domains that policy.toml gives them."""
    shared = services()
    ring = shared.release.keys
    with shared.database.reading() as connection:
        used = pseudonymkeys.first_used(connection)
    rows = [
        {
            "key": name,
            "kept": type(source).__name__.removesuffix("Key").lower(),
            "retired": name in ring.retired,
            "domains": _domains(ring, name),
            "first_used_at": used.get(name),
        }
        for name, source in ring.sources.items()
    ]
    show(rows, ("key", "kept", "retired", "domains", "first_used_at"), as_json=as_json, empty="There is no key.")


def _domains(ring: KeyRing, name: str) -> list[str]:
    named = sorted(domain for domain, key in ring.domains.items() if key == name)
    return [*named, "every other"] if name == FIRST else named


@key.command()
@json_option
@told
def check(as_json: bool) -> None:
    """Read every key that is in use, and compare it with the one used under its name before; exit 1 on a fault."""
    shared = services()
    ring = shared.release.keys
    with shared.database.reading() as connection:
        names = pseudonymkeys.named(connection)
    rows = [{"key": name, "state": _state(ring, name, names)} for name in ring.sources]
    show(rows, ("key", "state"), as_json=as_json, empty="There is no key.")
    sys.exit(0 if all(row["state"] in GOOD for row in rows) else 1)


def _state(ring: KeyRing, name: str, names: dict[str, str]) -> str:
    """Return how a key stands; ``names`` are those of the keys that were used, by mark."""
    if name in ring.retired:
        return "retired"
    try:
        mark = ring.key(name).mark
    except ConfigurationError as error:
        return str(error)
    known = names.get(mark)
    if known is not None:
        return "as before" if known == name else f"the key that is known as {known}"
    if name in names.values():
        return "another key than the one that was used under this name before"
    return "not used yet"


def _name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not NAME.fullmatch(value):
        raise click.BadParameter("give at most 64 letters, digits, and the signs _ . -")
    return value


@key.command()
@click.argument("domain")
@click.option("--name", required=True, callback=_name, help="Of the new key, such as the year.")
@json_option
@told
def rotate(domain: str, name: str, as_json: bool) -> None:
    """Make a new key for a pseudonym DOMAIN, and say what to write into settings.toml and policy.toml to use it.

    Until that is done, and Orthanc started anew, nothing changes; 'consentgate key check' then says 'not used yet' of
    it. From the next copy on the domain's pseudonyms, UIDs and dates are others.
    """
    shared = services()
    if domain not in (known := domains(shared.policy.profiles)):
        raise ConfigurationError(
            "No profile has this pseudonym domain.", remedy=f"Domains are: {', '.join(sorted(known))}."
        )
    path = shared.settings.path(f"keys/{name}.key")
    if name in shared.release.keys.sources or path.exists():
        raise ConfigurationError("There is a key of this name.", remedy="Choose another name; no key is replaced.")
    make_key(path)
    lines = {
        "settings.toml": f'[keys.more]\n"{name}" = "keys/{name}.key"',
        "policy.toml": f'[pseudonym_keys]\n{domain} = "{name}"',
    }
    told_lines = "\n\n".join(f"Into {file}:\n\n{text}" for file, text in lines.items())
    sentence = f"Made {path}. Keep a copy of it where the others are.\n\n{told_lines}"
    say({"key": name, "file": str(path), "domain": domain, "lines": lines}, sentence, as_json=as_json)
