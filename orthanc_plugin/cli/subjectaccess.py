"""``consentgate subject-access``: a patient's request for their own copy: opened, checked, made, closed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.enforcement.owncopy import DOOR, OwnCopy
from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.lifecycle import subjectaccess as requests
from orthanc_plugin.lifecycle.accounts import pictures
from orthanc_plugin.lifecycle.ownfolder import OwnFolder, own_folder
from orthanc_plugin.lifecycle.ownzip import OwnZip, PassphraseError, own_zip, require_long
from orthanc_plugin.lifecycle.people import key
from orthanc_plugin.lifecycle.subjectaccess import Asking
from orthanc_plugin.policy.access import ASKERS, EACH_PICTURE, CheckKind, Finding, Handover, due
from orthanc_plugin.registry import access, hidings

COLUMNS = ("request", "received_on", "due", "audience", "handover", "lacks")
KINDS = {kind.lower().replace("_", "-"): kind for kind in CheckKind}


@click.group()
def subject_access() -> None:
    """Make a patient's own copy, once it is checked who asks, whom it shows and whom it might harm."""


@subject_access.command(name="open")
@click.argument("patient_id")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@click.option("--as", "audience", type=click.Choice(ASKERS), default=ASKERS[0], show_default=True, help="Who asks.")
@click.option("--received", type=click.DateTime(["%Y-%m-%d"]), help="The day it came [default: today].")
@click.option("--handover", type=click.Choice([*Handover]), required=True, help="How the copy will be handed over.")
@click.option("--note", required=True, help="How it came and what was asked for.")
@by_option
@json_option
@told
def open_(
    patient_id: str,
    issuer: str | None,
    audience: str,
    received: datetime | None,
    handover: str,
    note: str,
    by: str,
    as_json: bool,
) -> None:
    """Record that somebody asked for a copy of PATIENT_ID's pictures; it is due within a month."""
    shared = services()
    act = shared.act(by, DOOR)
    asking = Asking(
        who=key(act, patient_id, issuer),
        audience=next(each for each in ASKERS if each == audience),
        handover=Handover(handover),
        received_on=received.date() if received else act.day,
        note=note,
    )
    with shared.database.writing() as connection:
        request = requests.open_(connection, act, asking)
    shared.sign_head()
    ends = due(request.received_on)
    sentence = f"Recorded: request {request.request_id}. It must be answered by {ends}."
    say({"request": request.request_id, "due": ends}, sentence, as_json=as_json)


@subject_access.command()
@click.argument("request_id")
@click.argument("kind", type=click.Choice([*KINDS]))
@click.option("--clear/--not-clear", required=True, default=None, help="Whether anything stands against it.")
@click.option("--image", "images", multiple=True, help="Of this picture (SOP Instance UID); repeatable.")
@click.option("--all", "everything", is_flag=True, help="Of each of the patient's pictures.")
@click.option("--reason", required=True, help="What was seen, or what proved who asks.")
@by_option
@json_option
@told
def check(
    request_id: str,
    kind: str,
    clear: bool,
    images: tuple[str, ...],
    everything: bool,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Record, in your name, what you found: who asks (identity), whether others are shown, whether it might harm.

    --clear: they have proven who they are; nobody else is in the picture; seeing it would do no serious harm.
    """
    chosen = KINDS[kind]
    if (chosen in EACH_PICTURE) != bool(images or everything) or (images and everything):
        raise click.UsageError("Say of which pictures with --image or --all; identity is checked once for a request.")
    shared, finding = services(), Finding.CLEAR if clear else Finding.NOT_CLEAR
    act = shared.act(by, DOOR)
    with shared.database.writing() as connection:
        if chosen is CheckKind.IDENTITY:
            found = [requests.check_identity(connection, act, request_id, finding, reason)]
        else:
            found = [*requests.check_pictures(connection, act, request_id, chosen, images, finding, reason)]
    shared.sign_head()
    say({"checks": [each.check_id for each in found]}, f"Recorded: {len(found)} check(s).", as_json=as_json)


@subject_access.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List the requests, with what each still lacks."""
    with services().database.reading() as connection:
        rows = [
            {
                "request": each.request_id,
                "received_on": each.received_on,
                "due": due(each.received_on),
                "audience": each.audience,
                "handover": each.handover,
                "outcome": each.outcome,
                "lacks": [] if each.closed_at else list(requests.lacks(connection, each)),
            }
            for each in access.listed(connection, everything=everything)
        ]
    show(rows, COLUMNS, as_json=as_json, empty="Nobody waits for a copy.")


@subject_access.command(name="show")
@click.argument("request_id")
@json_option
@told
def show_(request_id: str, as_json: bool) -> None:
    """Show the pictures of a request, each with what was found, and whether others are hidden in its copies."""
    with services().database.reading() as connection:
        request = access.get(connection, request_id)
        found = access.checks(connection, request_id)
        rows = [
            {
                "image": row.sop_instance_uid,
                "made_on": row.made_on,
                "status": row.status,
                **{kind.lower(): findings.get(kind, "") for kind in EACH_PICTURE},
                "others": hidings.standing(connection, row.sop_instance_uid, row.sha256).others,
            }
            for row in pictures(connection, request.who)
            for findings in (access.newest(found, row.sop_instance_uid, row.sha256),)
        ]
    columns = ("image", "made_on", "status", *(kind.lower() for kind in EACH_PICTURE), "others")
    show(rows, columns, as_json=as_json, empty="The patient has no pictures on record.")


@subject_access.command()
@click.argument("request")
@click.option("--issuer", help="REQUEST is a patient's number, and this is whose it is [default: the hospital's].")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; it isn't there yet.")
@click.option("--zip", "zip_", type=click.Path(path_type=Path), help="Or the encrypted file (AES-256) to make.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help="Its first line is the passphrase of the encrypted file [default: you are asked for it].",
)
@by_option
@json_option
@told
def copy(
    request: str,
    issuer: str | None,
    out: Path | None,
    zip_: Path | None,
    passphrase_file: Path | None,
    by: str,
    as_json: bool,
) -> None:
    """Make the copy: photographs as they open at home, consents, the account of disclosures, and what is left out.

    REQUEST is the request's id, or the number of a patient who has one open request.
    """
    made_in = _place(out, zip_, passphrase_file)
    shared = services()
    act = shared.act(by, DOOR)
    with shared.database.reading() as connection:
        asked = requests.ready(connection, act, requests.named(connection, act, request, issuer))
    with archive(shared) as running, made_in as folder:
        made = OwnCopy(shared, running, asked, by).fill(folder)
    shared.sign_head()
    left_out = [asdict(each) for each in made.missing]
    made_of = f"{len(made.names)} file(s) of photographs and forms"
    sentence = f"Made: {made_of}, {len(left_out)} left out. Close the request once given."
    say({"folder": str(out or zip_), "files": list(made.names), "left_out": left_out}, sentence, as_json=as_json)


def _place(
    out: Path | None, zip_: Path | None, passphrase_file: Path | None
) -> AbstractContextManager[OwnFolder] | AbstractContextManager[OwnZip]:
    """Return where the copy is made: a folder, or a file that is encrypted."""
    if (out is None) is (zip_ is None) or (passphrase_file is not None and zip_ is None):
        raise click.UsageError("Say where the copy goes: --out or --zip; a passphrase is for --zip.")
    return own_folder(out) if out is not None else own_zip(zip_ or Path(), require_long(_passphrase(passphrase_file)))


def _passphrase(file: Path | None) -> str:
    """Return the passphrase, from a file or from whoever is asked; it is never an argument, which others could see."""
    if file is None:
        return str(click.prompt("Passphrase of the encrypted file", hide_input=True, confirmation_prompt=True))
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PassphraseError("The file of the passphrase can't be read.") from error
    return lines[0].strip() if lines else ""


@subject_access.command()
@click.argument("request_id")
@click.option("--given/--not-given", required=True, default=None, help="Whether the copy was handed over.")
@click.option("--note", required=True, help="To whom and how, or why not.")
@by_option
@json_option
@told
def close(request_id: str, given: bool, note: str, by: str, as_json: bool) -> None:
    """Close a request: the copy was handed over, or it was not."""
    shared = services()
    with shared.database.writing() as connection:
        request = requests.close(connection, shared.act(by, DOOR), request_id, given=given, outcome=note)
    shared.sign_head()
    say(
        {"request": request.request_id, "outcome": request.outcome}, "Recorded: the request is closed.", as_json=as_json
    )
