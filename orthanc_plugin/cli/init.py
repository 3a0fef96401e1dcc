"""``consentgate init``: write a safe, commented configuration into an empty folder."""

from __future__ import annotations

import json
import os
import secrets
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import click

from orthanc_plugin.cli.common import json_option, say, told
from orthanc_plugin.config.schedulefile import shipped_text
from orthanc_plugin.deid.keys import make_key
from orthanc_plugin.errors import ConfigurationError

USERS: Final = ("derm", "uploader", "teacher", "admin", "epr", "governance", "consentgate")
KEYS: Final = ("pseudonym.key", "spool.key", "trail.key")
FILES: Final = ("orthanc.json", "settings.toml", "policy.toml")
SCHEDULE: Final = "retention.toml"


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def write_defaults(folder: Path, values: dict[str, str], passwords: dict[str, str]) -> None:
    """Write the files, the keys and the folders.

    Raises:
        ConfigurationError: one of the files is there already.
    """
    taken = [name for name in (*FILES, SCHEDULE) if (folder / name).exists()]
    if taken:
        raise ConfigurationError(
            f"The folder has {', '.join(taken)} already.", remedy="Name an empty folder; nothing was changed."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("storage", "run", "keys"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for name in KEYS:
        make_key(folder / "keys" / name)
    users = ",\n".join(f"    {json.dumps(name)}: {json.dumps(password)}" for name, password in passwords.items())
    for name in FILES:
        template = Template(files("orthanc_plugin.cli").joinpath("defaults", name).read_text(encoding="utf-8"))
        _write(folder / name, template.substitute(values, users=users, folder=str(folder.resolve())))
    _write(folder / SCHEDULE, shipped_text())


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--http-port", default=8042, show_default=True, help="Orthanc's HTTP port.")
@click.option("--dicom-port", default=4242, show_default=True, help="Orthanc's DICOM port.")
@click.option("--camera-port", default=11112, show_default=True, help="Port of the example camera.")
@click.option("--workstation-port", default=11113, show_default=True, help="Port of the example workstation.")
@click.option("--teaching-port", default=11114, show_default=True, help="Port of the example teaching archive.")
@click.option("--plugins", default="/usr/share/orthanc/plugins", show_default=True, help="Folder of Orthanc's plugins.")
@click.option("--script", required=True, type=click.Path(exists=True, path_type=Path), help="Path of consent_gate.py.")
@json_option
@told
def init(folder: Path, plugins: str, script: Path, as_json: bool, **ports: int) -> None:
    """Write configuration, retention schedule and keys into FOLDER, with a password for each user."""
    passwords = {name: secrets.token_urlsafe(18) for name in USERS}
    values = {**{name: str(port) for name, port in ports.items()}, "plugins": plugins, "script": str(script.resolve())}
    try:
        write_defaults(folder, values, passwords)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} can't be written ({error.strerror}).", remedy="Name a folder that you may write to."
        ) from error
    shown = {name: password for name, password in passwords.items() if name != "consentgate"}
    lines = "\n".join(f"  {name:10} {password}" for name, password in shown.items())
    say({"folder": str(folder), "users": shown}, f"Configuration written to {folder}. Users:\n{lines}", as_json=as_json)
