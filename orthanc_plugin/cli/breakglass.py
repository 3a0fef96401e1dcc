"""``consentgate break-glass grant | list | end | review``."""

from __future__ import annotations

from dataclasses import asdict

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import emergency
from orthanc_plugin.registry import breakglass, patients

DOOR = "consentgate break-glass"


@click.group(name="break-glass")
def break_glass() -> None:
    """Give, end and review emergency access to a patient's pictures."""


@break_glass.command()
@click.option("--account", required=True, help="The clinician's account; it needs the role break-glass.")
@click.option("--patient-id", required=True, help="The patient's number.")
@click.option("--issuer", help="Whose number it is [default: policy.toml's default_issuer].")
@click.option("--minutes", type=int, help="For how long [default: as long as policy.toml allows].")
@click.option("--reason", required=True, help="Why the pictures are needed at once.")
@by_option
@json_option
@told
def grant(
    account: str, patient_id: str, issuer: str | None, minutes: int | None, reason: str, by: str, as_json: bool
) -> None:
    """Open one patient's pictures to one account for a short while; others are told, and somebody else reviews it."""
    shared = services()
    whose = patients.key(patient_id, issuer, shared.policy.intake.default_issuer)
    with shared.database.writing() as connection:
        given = emergency.grant(connection, shared.act(by, DOOR), account, whose, minutes=minutes, reason=reason)
    shared.sign_head()
    sentence = f"Emergency access {given.grant_id} for {account} until {given.ends_at:%Y-%m-%d %H:%M:%S} UTC."
    say(asdict(given), sentence, as_json=as_json)


@break_glass.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Reviewed ones too.")
@json_option
@told
def list_(everything: bool, as_json: bool) -> None:
    """List the grants that nobody has reviewed yet."""
    shared = services()
    with shared.database.reading() as connection:
        found = breakglass.listed(connection, unreviewed=not everything)
    rows = [{**asdict(each), "live": each.live(shared.clock())} for each in found]
    columns = ("grant_id", "account", "granted_at", "ends_at", "live", "reason", "reviewed_by", "finding")
    show(rows, columns, as_json=as_json, empty="No emergency access waits for a review.")


@break_glass.command()
@click.argument("grant_id")
@by_option
@json_option
@told
def end(grant_id: str, by: str, as_json: bool) -> None:
    """Shut the pictures again before the time is up."""
    shared = services()
    with shared.database.writing() as connection:
        ended = emergency.end(connection, shared.act(by, DOOR), grant_id)
    shared.sign_head()
    say(asdict(ended), "Ended: it opens nothing from now on.", as_json=as_json)


@break_glass.command()
@click.argument("grant_id")
@click.option("--finding", required=True, help="What was found, such as 'justified: seen in resus'.")
@by_option
@json_option
@told
def review(grant_id: str, finding: str, by: str, as_json: bool) -> None:
    """Record what you found when you looked at how the access was used; it can't be your own."""
    shared = services()
    with shared.database.writing() as connection:
        reviewed = emergency.review(connection, shared.act(by, DOOR), grant_id, finding)
    shared.sign_head()
    say(asdict(reviewed), "Reviewed.", as_json=as_json)
