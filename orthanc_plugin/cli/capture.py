"""``consentgate capture stop``."""

from __future__ import annotations

from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, told
from orthanc_plugin.lifecycle import capture as captures
from orthanc_plugin.registry import patients
from orthanc_plugin.registry.captures import StopKind


@click.group()
def capture() -> None:
    """Stop the taking of pictures when the patient objects."""


@capture.command()
@click.argument("study_uid")
@click.option("--kind", required=True, type=click.Choice([*StopKind]), help="What happened.")
@click.option("--reason", required=True, help="In a few words; it stays in the registry.")
@click.option("--patient-id", help="Whose study it is, when nothing of it has arrived yet.")
@click.option("--issuer", help="Whose number that is [default: policy.toml's default_issuer].")
@by_option
@json_option
@told
def stop(
    study_uid: str, kind: str, reason: str, patient_id: str | None, issuer: str | None, by: str, as_json: bool
) -> None:
    """Stop the capture of STUDY_UID: unfiled pictures are deleted, later ones refused, the refusal is on record."""
    shared = services()
    whose = patients.key(patient_id, issuer, shared.policy.intake.default_issuer) if patient_id else None
    act = shared.act(by, "consentgate capture")
    with shared.database.writing() as connection:
        done = captures.stop(connection, act, study_uid, StopKind(kind), reason, patient=whose)
    for name in done.spool_names:
        shared.spool.drop(name)
    shared.sign_head()
    sentence = (
        f"Stopped. {len(done.deleted)} unfiled picture(s) deleted; {len(done.filed)} were filed before and stay, "
        f"for information governance to look at. The refusal is on record as {done.consent_id}."
    )
    say(asdict(done), sentence, as_json=as_json)
