"""``consentgate disclosures``: the account of what left: of a patient, to a recipient, of a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

import click
from sqlalchemy import Connection

from orthanc_plugin.cli.common import json_option, services, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.fhir.account import to_fhir
from orthanc_plugin.lifecycle import accounts
from orthanc_plugin.lifecycle.accountpages import WRITERS
from orthanc_plugin.lifecycle.accountpdf import as_pdf
from orthanc_plugin.lifecycle.accounts import Account, Narrowing
from orthanc_plugin.registry import patients
from orthanc_plugin.services import Services

DAY: Final = click.DateTime(["%Y-%m-%d"])
PDF: Final = "pdf"
FORMATS: Final = (*WRITERS, PDF, "fhir")
ONE: Final = "Say whose or which disclosures: one of --patient, --recipient and --image."


def written(shared: Services, account: Account, form: str) -> str:
    """Return an account in one of ``FORMATS`` that is text."""
    now, organization = shared.clock(), shared.policy.intake.default_issuer or "The hospital"
    if form == "fhir":
        return json.dumps(to_fhir(account, now, organization), indent=2) + "\n"
    return WRITERS[form](account, hospital_day(now))


def _asked(
    shared: Services, patient: str | None, issuer: str | None, recipient: str | None, image: str | None
) -> Callable[[Connection, Narrowing], Account]:
    """Return what reads the account that is asked for."""
    policy, named = shared.policy, [each for each in (patient, recipient, image) if each]
    if len(named) != 1 or (issuer and not patient):
        raise click.UsageError(ONE)
    if patient:
        who = patients.key(patient, issuer, policy.intake.default_issuer)
        return lambda connection, narrowing: accounts.of_patient(connection, policy, who, narrowing)
    if recipient:
        return lambda connection, narrowing: accounts.of_recipient(connection, policy, named[0], narrowing)
    return lambda connection, narrowing: accounts.of_image(connection, policy, named[0], narrowing)


@click.command()
@click.option("--patient", help="Of this patient's pictures, under whichever of their numbers.")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@click.option("--recipient", help="To this recipient: its name in policy.toml.")
@click.option("--image", help="Of this picture: its SOP Instance UID.")
@click.option("--since", type=DAY, help="From this day on.")
@click.option("--until", type=DAY, help="Up to and including this day.")
@click.option("--live", is_flag=True, help="Only what somebody may still hold.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to write it."
)
@json_option
@told
def disclosures(
    patient: str | None,
    issuer: str | None,
    recipient: str | None,
    image: str | None,
    since: datetime | None,
    until: datetime | None,
    live: bool,
    form: str,
    as_json: bool,
) -> None:
    """Say who has had which photographs, for what, when, and what they hold now.

    As text, as a page (html) and as pdf it is written for the patient; csv and json have every column, fhir is a Bundle
    of AuditEvent and Provenance (R4). A pdf goes to a file: redirect the output.
    """
    shared = services()
    if form == PDF and not as_json and sys.stdout.isatty():
        raise click.UsageError("A PDF is no text for a terminal: redirect the output to a file.")
    read = _asked(shared, patient, issuer, recipient, image)
    narrowing = Narrowing(since=since.date() if since else None, until=until.date() if until else None, live=live)
    with shared.database.reading() as connection:
        account = read(connection, narrowing)
    if form == PDF and not as_json:
        click.echo(as_pdf(account, hospital_day(shared.clock())), nl=False)
    else:
        click.echo(written(shared, account, "json" if as_json else form), nl=False)
