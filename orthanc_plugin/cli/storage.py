"""``consentgate storage``: status, migration, verification and keys of Orthanc's encrypted files; copies that are kept.

Knows click and progress bars. Must not decide. It all runs in a process of its own, beside Orthanc.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from orthanc_plugin.archive.vault import VaultFolder
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.enforcement.migrating import State
from orthanc_plugin.enforcement.migrating import migrate as migrating
from orthanc_plugin.enforcement.migrating import verify as verifying
from orthanc_plugin.enforcement.storage import announced, notice_file
from orthanc_plugin.enforcement.vault import Vault, data_keys, site_keys, vault
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle import aheadcopies, sitekeys
from orthanc_plugin.registry import keptlist, storagekeys
from orthanc_plugin.registry.keptfolder import KeptFolder
from orthanc_plugin.registry.storagekeys import SiteKey
from orthanc_plugin.sending.keptcopies import Shelf
from orthanc_plugin.services import Services

DOOR: Final = "consentgate storage"
COLUMNS: Final = ("site_key", "state", "here", "data_keys", "proposed_by", "approved_by", "approved_at", "retired_at")
COPY_COLUMNS: Final = ("place", "here", "copies", "size", "oldest")
DROPPED: Final = (
    "{copies} kept copies are forgotten: nobody can open one any more. {files} files were deleted here; another node's "
    "go within a minute. Each copy is made anew when it is asked for."
)
DONE: Final = "Every file is encrypted: take plain_files out of settings.toml, and restart Orthanc."
CHANGED: Final = "{changed} are not as they were stored, and were left: restore these from a backup, and run it again."
ROTATED: Final = (
    "{count} data key(s) are wrapped by {name} now. Once backups of the registry from before are to be unreadable, "
    "destroy every copy of the old site key: {old}."
)


@click.group()
def storage() -> None:
    """See to the encryption of Orthanc's files, to the rotation of their site key, and to copies that are kept."""


def _vault(shared: Services) -> Vault:
    """Return the files that the running plugin encrypts.

    Raises:
        ArchiveError: none runs.
        ConfigurationError: a site key can't be had, or isn't the one on record.
    """
    files = vault(shared, os.environ, VaultFolder(announced(notice_file(shared))))
    with shared.database.reading() as connection:
        faults = sitekeys.found(connection, files.keys.site_keys.values()).faults
    if faults:
        raise ConfigurationError("The site keys can't be used.", problems=faults)
    return files


@storage.command()
@json_option
@told
def status(as_json: bool) -> None:
    """Show the site keys, and how many data keys each wraps."""
    shared = services()
    here = {each.mark for each in site_keys(shared, os.environ)}
    with shared.database.reading() as connection:
        records, counted = storagekeys.site_keys(connection), storagekeys.counted(connection)
        used = {each.name for each in storagekeys.in_use(connection)}
    rows = [
        {
            **asdict(each),
            "site_key": each.name,
            "state": "in use" if each.name in used else "retired" if each.retired_at else "proposed",
            "here": "yes" if each.mark in here else "no",
            "data_keys": counted.get((each.mark, True), 0),
            "destroyed": counted.get((each.mark, False), 0),
        }
        for each in records
    ]
    show(rows, COLUMNS, as_json=as_json, empty="Orthanc's files are not encrypted.")


@storage.command()
@json_option
@told
def migrate(as_json: bool) -> None:
    """Encrypt the files that are still plain, one by one, while Orthanc runs; cut off, the next run takes it up.

    Exit status 1 when the bytes of a picture aren't those on record; it is left as it is.
    """
    files = _vault(services())
    counted = _counted(_named(migrating(files)), files, "Encrypting")
    changed = counted[State.CHANGED]
    sentence = f"{counted[State.MIGRATED]} encrypted, {counted[State.ENCRYPTED]} were already. "
    say(_told_of(counted), sentence + (CHANGED.format(changed=changed) if changed else DONE), as_json=as_json)
    sys.exit(1 if changed else 0)


@storage.command()
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Open each so-many-th file.")
@json_option
@told
def verify(every: int, as_json: bool) -> None:
    """Open the files; exit status 1 when one is plain or unreadable, or its key is destroyed."""
    files = _vault(services())
    counted = _counted(_named(verifying(files, every=every)), files, "Opening")
    sentence = ", ".join(f"{count} {state}" for state, count in sorted(counted.items())) or "There is no file."
    say(_told_of(counted), sentence, as_json=as_json)
    sys.exit(1 if counted[State.PLAIN] + counted[State.UNREADABLE] + counted[State.KEY_DESTROYED] else 0)


def _named(found: Iterator[tuple[str, State]]) -> Iterator[tuple[str, State]]:
    """Name each file that somebody must look into, and pass all of them on."""
    for name, state in found:
        if state in (State.UNREADABLE, State.KEY_DESTROYED, State.CHANGED):
            click.echo(f"{name}: {state}", err=True)
        yield name, state


def _counted(found: Iterator[tuple[str, State]], files: Vault, what: str) -> Counter[State]:
    shown = sys.stderr.isatty()
    total = sum(1 for _ in files.folder.names()) if shown else None
    with Progress(console=Console(stderr=True), disable=not shown) as progress:
        return Counter(state for _, state in progress.track(found, total=total, description=what))


def _told_of(counted: Counter[State]) -> dict[str, object]:
    return {str(state): counted[state] for state in State}


@storage.command(name="propose-key")
@click.argument("name")
@by_option
@json_option
@told
def propose_key(name: str, by: str, as_json: bool) -> None:
    """Propose that site key NAME of settings.toml takes over; somebody else then rotates to it.

    Name it under [storage.site_keys] beside the one in use, and restart Orthanc, before it takes over.
    """
    shared = services()
    key = _key(shared, name)
    with shared.database.writing() as connection:
        record = sitekeys.propose(connection, shared.act(by, DOOR), key)
    shared.sign_head()
    say(asdict(record), f"Proposed {name}. Restart Orthanc; then somebody else rotates to it.", as_json=as_json)


@storage.command()
@click.argument("name")
@by_option
@json_option
@told
def rotate(name: str, by: str, as_json: bool) -> None:
    """Put the proposed site key NAME in force, and wrap every data key by it; no file is written anew.

    Whoever proposed it can't. Cut off, it is taken up by the next run.
    """
    shared = services()
    keys = data_keys(shared, os.environ, by)
    act = shared.act(by, DOOR)
    with shared.database.writing() as connection:
        record = sitekeys.approve(connection, act, name, keys.site_keys.values())
        old = [each.name for each in storagekeys.in_use(connection) if each.name != name]
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        count = sum(progress.track(sitekeys.rewrap(keys, act, record), total=None, description="Wrapping"))
    shared.sign_head()
    sentence = ROTATED.format(count=count, name=name, old=", ".join(old) or "there was none")
    say({"site_key": name, "data_keys": count, "retired": old}, sentence, as_json=as_json)


@storage.command()
@json_option
@told
def copies(as_json: bool) -> None:
    """Show how many anonymised copies are kept sealed, in which folders, and since when."""
    shared = services()
    here = KeptFolder(shared.spool.folder).name()
    with shared.database.reading() as connection:
        found = keptlist.places(connection)
    rows = [{**asdict(each), "here": "yes" if each.place == here else "no"} for each in found]
    show(rows, COPY_COLUMNS, as_json=as_json, empty="No copies are kept.")


@storage.command(name="drop-copies")
@by_option
@json_option
@told
def drop_copies(by: str, as_json: bool) -> None:
    """Drop every anonymised copy that is kept, on every node; each is made anew when it is asked for."""
    shared = services()
    with shared.database.writing() as connection:
        number = aheadcopies.drop_all(connection, shared.act(by, DOOR))
    shared.sign_head()
    files = Shelf(shared).sweep()
    say({"copies": number, "files": files}, DROPPED.format(copies=number, files=files), as_json=as_json)


def _key(shared: Services, name: str) -> SiteKey:
    key = next((each for each in site_keys(shared, os.environ) if each.name == name), None)
    if key is None:
        raise ConfigurationError(
            "settings.toml has no site key of this name.", remedy="Name its file under [storage.site_keys]."
        )
    return key
