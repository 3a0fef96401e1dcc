"""``consentgate reidentify request | approve | open | list``: whose copy it is, for two people and one key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from cryptography import x509
from pydicom.dataset import Dataset

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.deid.vaultopen import UnopenedError, attributes_in, certificate_of, private_key, restored
from orthanc_plugin.errors import ConsentgateError, DeidentificationError, UnknownRecordError
from orthanc_plugin.lifecycle import reidentifying
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.reidentifying import Opener
from orthanc_plugin.registry import openings
from orthanc_plugin.services import Services

DOOR = "consentgate reidentify"

file_argument = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
a_file = click.Path(path_type=Path, dir_okay=False)


@click.group()
def reidentify() -> None:
    """Ask whose an anonymised copy is, approve that somebody else asks, and open it with a custodian's key."""


@reidentify.command()
@file_argument
@click.option("--reason", required=True, help="Why it must be known who it is.")
@by_option
@json_option
@told
def request(file: Path, reason: str, by: str, as_json: bool) -> None:
    """Ask for what is encrypted in FILE; somebody else must approve it."""
    shared = services()
    with shared.database.writing() as connection:
        asked = reidentifying.request(connection, shared.act(by, DOOR), file.read_bytes(), reason)
    shared.sign_head()
    sentence = f"Re-identification {asked.opening_id} is asked for; somebody else must approve it."
    say(asdict(asked), sentence, as_json=as_json)


@reidentify.command()
@click.argument("opening_id")
@by_option
@json_option
@told
def approve(opening_id: str, by: str, as_json: bool) -> None:
    """Approve OPENING_ID; never who asked for it."""
    shared = services()
    with shared.database.writing() as connection:
        approved = reidentifying.approve(connection, shared.act(by, DOOR), opening_id)
    shared.sign_head()
    say(asdict(approved), f"Approved: {approved.requested_by} may open it once, within a week.", as_json=as_json)


@reidentify.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those that were opened, too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List the re-identifications that are asked for or approved."""
    with services().database.reading() as connection:
        found = [asdict(each) for each in openings.listed(connection, everything=everything)]
    columns = ("opening_id", "sop_instance_uid", "requested_by", "requested_at", "approved_by", "opened_at", "reason")
    show(found, columns, as_json=as_json, empty="No re-identification is asked for.")


@reidentify.command(name="open")
@click.argument("opening_id")
@file_argument
@click.option("--key", required=True, type=a_file, help="The custodian's private key, in PEM.")
@click.option(
    "--certificate", type=a_file, help="Its certificate [default: that of settings.toml, or in the key file]."
)
@click.option("--passphrase-file", type=a_file, help="File with the key's passphrase.")
@click.option("--out", type=a_file, help="Write a copy with the attributes put back, instead of printing them.")
@by_option
@json_option
@told
def open_(
    opening_id: str,
    file: Path,
    key: Path,
    certificate: Path | None,
    passphrase_file: Path | None,
    out: Path | None,
    by: str,
    as_json: bool,
) -> None:
    """Open FILE as approved under OPENING_ID, and show whose it is, or write it into a copy."""
    shared, content = services(), file.read_bytes()
    act = shared.act(by, DOOR)

    def opener(copy: Dataset) -> Dataset:
        private = private_key(key, _line(passphrase_file))
        candidates = _certificates(shared, certificate or key, named=certificate is not None)
        return attributes_in(copy, private, certificate_of(private, candidates))

    with _reserved(out):
        found = _opened(shared, act, opening_id, content, opener)
        if out is not None:
            out.write_bytes(restored(content, found))
    if out is not None:
        say({"out": str(out)}, f"Written to {out}.", as_json=as_json)
    elif as_json:
        say({"opening_id": opening_id, "attributes": found.to_json_dict()}, "", as_json=True)
    else:
        rows = [{"attribute": each.keyword, "value": str(each.value)} for each in found if each.keyword]
        show(rows, ("attribute", "value"), as_json=False, empty="")


def _opened(shared: Services, act: Act, opening_id: str, content: bytes, opener: Opener) -> Dataset:
    """Return what is locked in a copy, once that is on record; where it can't be opened, that somebody tried is."""
    try:
        with shared.database.writing() as connection:
            _, found = reidentifying.opened(connection, act, opening_id, content, opener)
    except UnknownRecordError:
        raise  # nobody asked for it, so there is nothing that could have been opened
    except ConsentgateError as error:
        with shared.database.writing() as connection:
            reidentifying.refused(connection, act, opening_id, error)
        shared.sign_head()
        raise
    shared.sign_head()
    return found


@contextmanager
def _reserved(path: Path | None) -> Iterator[None]:
    """Make the file, empty and for its owner alone, before anything is opened; take it away when nothing was."""
    if path is None:
        yield
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise UnopenedError("The file of --out is there already.", remedy="Name one that isn't.") from error
    except OSError as error:
        raise UnopenedError(f"The copy can't be written ({error.strerror}).", remedy="Name another file.") from error
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def _line(path: Path | None) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() if path else None
    except (OSError, ValueError) as error:
        raise UnopenedError(f"The passphrase can't be read ({type(error).__name__}).") from error


def _certificates(shared: Services, path: Path, *, named: bool) -> list[x509.Certificate]:
    """Return the certificates in a file; where none was named, those of the settings' custodians, too."""
    try:
        data = path.read_bytes()
        found = x509.load_pem_x509_certificates(data) if named or b"BEGIN CERTIFICATE" in data else []
    except (OSError, ValueError) as error:
        raise UnopenedError(
            f"The certificate can't be read ({type(error).__name__}).", remedy="Give one in PEM."
        ) from error
    if named:
        return found
    vault = shared.release.vault
    for name in vault.files:
        try:
            found.append(vault.certificate(name))
        except DeidentificationError:
            continue  # another custodian's may be gone
    return found
