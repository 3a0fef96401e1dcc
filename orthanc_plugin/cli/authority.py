"""``consentgate authority add | verify | end | list``: court orders, approvals and the like, beside consent."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.lifecycle import people
from orthanc_plugin.policy.model import AuthorityType
from orthanc_plugin.registry import authorities
from orthanc_plugin.registry.authorities import Claim, Recorded

DOOR = "consentgate authority"

day = click.DateTime(["%Y-%m-%d"])


@click.group()
def authority() -> None:
    """Record what stands beside consent; it counts once somebody else has verified the document."""


def _state(found: Recorded) -> str:
    if found.ended_at is not None:
        return "ENDED"
    return "VERIFIED" if found.verified_at is not None else "UNVERIFIED"


def _listed(found: Recorded) -> dict[str, object]:
    claim = asdict(found.claim)
    return {
        "authority": found.authority_id,
        "state": _state(found),
        **claim,
        "recorded_by": found.recorded_by,
        "verified_by": found.verified_by,
        "ended_by": found.ended_by,
    }


@authority.command()
@click.argument("patient_id")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@click.option("--type", "kind", required=True, type=click.Choice([*AuthorityType]), help="What it is.")
@click.option("--document", required=True, help="Where the order or approval is kept, such as a file reference.")
@click.option("--target", "targets", multiple=True, help="UID it speaks of; repeatable [default: all their pictures].")
@click.option("--requested-by", help="Who asked for it.")
@click.option("--approved-by", help="Who approved it; in the public interest never who asked.")
@click.option("--notify-prohibited", is_flag=True, help="The patient may not be told.")
@click.option("--valid-from", type=day, help="First day [default: today].")
@click.option("--valid-to", type=day, help="Last day [default: no end].")
@by_option
@json_option
@told
def add(
    patient_id: str,
    issuer: str | None,
    kind: str,
    document: str,
    targets: tuple[str, ...],
    requested_by: str | None,
    approved_by: str | None,
    notify_prohibited: bool,
    valid_from: datetime | None,
    valid_to: datetime | None,
    by: str,
    as_json: bool,
) -> None:
    """Record an authority over the pictures of PATIENT_ID; it counts for nothing until it is verified."""
    shared = services()
    act = shared.act(by, DOOR)
    number, whose = people.key(act, patient_id, issuer)
    claim = Claim(
        type=AuthorityType(kind),
        patient_id=number,
        issuer=whose,
        targets=targets,
        document=document,
        requested_by=requested_by,
        approved_by=approved_by,
        notify_prohibited=notify_prohibited,
        valid_from=valid_from.date() if valid_from else hospital_day(act.at),
        valid_to=valid_to.date() if valid_to else None,
    )
    with shared.database.writing() as connection:
        found = people.claim(connection, act, claim)
    shared.sign_head()
    sentence = f"Recorded authority {found.authority_id}; somebody else must verify it before it counts."
    say(_listed(found), sentence, as_json=as_json)


@authority.command()
@click.argument("authority_id")
@by_option
@json_option
@told
def verify(authority_id: str, by: str, as_json: bool) -> None:
    """Confirm that you have seen the document of AUTHORITY_ID; never who recorded it."""
    shared = services()
    with shared.database.writing() as connection:
        found = people.verify(connection, shared.act(by, DOOR), authority_id)
    shared.sign_head()
    say(_listed(found), "Verified: it counts from the next decision on.", as_json=as_json)


@authority.command()
@click.argument("authority_id")
@by_option
@json_option
@told
def end(authority_id: str, by: str, as_json: bool) -> None:
    """Say that AUTHORITY_ID no longer holds; it covers nothing from now on."""
    shared = services()
    with shared.database.writing() as connection:
        found = people.end(connection, shared.act(by, DOOR), authority_id)
    shared.sign_head()
    say(_listed(found), "Ended: it covers nothing from now on.", as_json=as_json)


@authority.command(name="list")
@click.option("--patient-id", help="Only this patient's.")
@json_option
@told
def list_(patient_id: str | None, as_json: bool) -> None:
    """List the authorities on record, ended ones too."""
    with services().database.reading() as connection:
        found = [_listed(each) for each in authorities.listed(connection, patient_id)]
    columns = ("authority", "state", "type", "patient_id", "targets", "document", "valid_from", "valid_to")
    show(found, columns, as_json=as_json, empty="No authority is on record.")
