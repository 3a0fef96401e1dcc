"""``consentgate certificate verify | key | export``: certificates of destruction, checked without us."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from orthanc_plugin.cli.common import json_option, say, services, told
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry import disposals
from orthanc_plugin.retention.certificate import CertificateError, Kind, key_file, read_key_file
from orthanc_plugin.retention.certificate import verify as holds
from orthanc_plugin.retention.certifying import write_files

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def certificate() -> None:
    """Check certificates of destruction, and give the key that checks them."""


@certificate.command()
@click.argument("file", type=FILE)
@click.option("--key", required=True, type=FILE, help="The hospital's public key ('consentgate certificate key').")
@json_option
def verify(file: Path, key: Path, as_json: bool) -> None:
    """Check FILE, byte for byte, against the public key; neither settings nor a database are needed.

    Exit status 1 when it doesn't hold.
    """
    try:
        said = holds(file.read_bytes(), read_key_file(key.read_bytes()), Kind.DESTRUCTION, Kind.INTERIM)
    except CertificateError as error:
        if as_json:
            click.echo(json.dumps({"holds": False, "problem": error.args[0], "remedy": error.remedy}, indent=2))
        else:
            click.echo(f"consentgate: {error}", err=True)
        sys.exit(1)
    counts = said["counts"]
    assert isinstance(counts, dict)  # noqa: S101 - it is signed
    what = "certificate" if said["format"] == Kind.DESTRUCTION else "interim certificate of an execution that goes on"
    sentence = (
        f"The {what} holds: number {said['number']}, {counts['records']} record(s) with {counts['objects']} "
        f"picture(s) destroyed. It stands behind entry {_entry(said)} of the audit trail."
    )
    say({"holds": True, **said}, sentence, as_json=as_json)


def _entry(said: dict[str, object]) -> str:
    place = said["trail"]
    return f"{place['entry']} ({place['digest']})" if isinstance(place, dict) else ""


@certificate.command()
@told
def key() -> None:
    """Print the public key, as PEM: give it to whoever is to check certificates, by a way of its own."""
    click.echo(key_file(services().heads.key.public_key()), nl=False)


@certificate.command()
@click.argument("number")
@json_option
@told
def export(number: str, as_json: bool) -> None:
    """Write the certificate NUMBER into the folder of certificates again, for programs and for people."""
    shared = services()
    with shared.database.reading() as connection:
        text = next((each.certificate for each in disposals.ended(connection) if each.batch_id == number), "")
    if not text:
        raise UnknownRecordError("No certificate has this number.", remedy="See 'consentgate audit tail'.")
    path = write_files(shared.settings.path(shared.settings.trail.certificates), number, text)
    say({"certificate": str(path)}, f"Written: {path}, and beside it .html and .pdf", as_json=as_json)
