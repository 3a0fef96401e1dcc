"""``consentgate key list | check``: the pseudonyms' keys, where they are used, and whether they are those of before."""

from __future__ import annotations

import sys

import click

from orthanc_plugin.cli.common import json_option, services, show, told
from orthanc_plugin.deid.keys import FIRST, KeyRing
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.registry import pseudonymkeys

GOOD = ("retired", "as before", "not used yet")


@click.group()
def key() -> None:
    """Show and check the keys that pseudonyms are made with; a key itself is never shown."""


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
        known = {name: pseudonymkeys.mark(connection, name) for name in ring.sources}
    rows = [{"key": name, "state": _state(ring, name, known[name])} for name in ring.sources]
    show(rows, ("key", "state"), as_json=as_json, empty="There is no key.")
    sys.exit(0 if all(row["state"] in GOOD for row in rows) else 1)


def _state(ring: KeyRing, name: str, known: str | None) -> str:
    if name in ring.retired:
        return "retired"
    try:
        mark = ring.key(name).mark
    except ConfigurationError as error:
        return str(error)
    if known is None:
        return "not used yet"
    return "as before" if mark == known else "another key than the one that was used under this name before"
