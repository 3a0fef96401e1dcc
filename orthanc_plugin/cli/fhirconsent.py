"""``consentgate fhir export | import``: consents as FHIR R4 resources in the shape of IHE PCF."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from dicomwrap.terms import ConsentState
from orthanc_plugin.cli.common import by_option, json_option, services, show, told
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.fhir.consent import Filing, to_fhir
from orthanc_plugin.fhir.document import LARGEST, read_document
from orthanc_plugin.fhir.reading import from_fhir
from orthanc_plugin.lifecycle.receiving import Received, receive, take_in
from orthanc_plugin.registry import consents


@click.group()
def fhir() -> None:
    """Give and take consents as FHIR R4 resources (IHE Privacy Consent on FHIR)."""


@fhir.command()
@click.argument("consent_id")
@told
def export(consent_id: str) -> None:
    """Print CONSENT_ID in its newest version as a FHIR R4 Consent."""
    shared = services()
    with shared.database.reading() as connection:
        newest = consents.versions(connection, consent_id)[-1]
    filing = Filing(
        recorded_at=newest.recorded_at,
        recorded_by=newest.recorded_by,
        organization=shared.policy.intake.default_issuer or "not named",
        policy=shared.policy.sha256,
    )
    click.echo(json.dumps(to_fhir(newest.record, filing), ensure_ascii=False, indent=2))


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise ConsentgateError(
            f"{file.name} can't be read ({type(error).__name__}).", remedy="Give the path of a readable JSON file."
        ) from error


def _listed(received: Received) -> dict[str, object]:
    record, follows = received.record, received.consequences
    return {
        "consent": record.id,
        "version": record.version,
        "state": record.state,
        "changed": received.changed,
        "lacks": list(received.gaps),
        "unknown_patient": received.unknown_patient,
        "recalls": list(follows.recalls),
        "not_recallable": list(follows.not_recallable),
    }


def _notes(received: Received) -> Iterator[str]:
    record = received.record
    said = f"{record.id} is only proposed" if record.state is ConsentState.PROPOSED else record.id
    yield from (f"{said}: {gap}" for gap in received.gaps)
    if received.unknown_patient:
        yield f"{record.id}: nothing was on record yet of its patient; check the number and its issuer"


@fhir.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@by_option
@json_option
@told
def import_(file: Path, by: str, as_json: bool) -> None:
    """Record the FHIR R4 Consent in FILE, or every one of a Bundle of type collection: all of them or none.

    A consent that is on record takes the step that FILE asks for, such as a withdrawal. One that lacks what a given
    consent must have is recorded as proposed, which permits nothing.
    """
    shared = services()
    records = [record for resource in read_document(_bytes(file)) for record in from_fhir(resource)]
    act = shared.act(by, "consentgate fhir")
    with shared.database.writing() as connection:
        received = take_in(connection, act, records, receive)
    for name in (name for each in received for name in each.consequences.spool_names):
        shared.spool.drop(name)
    shared.sign_head()
    for note in (note for each in received for note in _notes(each)):
        click.echo(f"note: {note}", err=True)
    columns = ("consent", "version", "state", "changed", "lacks", "unknown_patient", "recalls", "not_recallable")
    show([_listed(each) for each in received], columns, as_json=as_json, empty="The Bundle holds no consent.")
