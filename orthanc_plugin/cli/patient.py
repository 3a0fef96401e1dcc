"""``consentgate patient show | set | merge | unmerge``: what a decision needs to know of a patient."""

from __future__ import annotations

from datetime import date, datetime

import click

from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.lifecycle import people
from orthanc_plugin.lifecycle.people import Told
from orthanc_plugin.policy.dates import age_of
from orthanc_plugin.policy.model import Capacity, Gillick
from orthanc_plugin.registry import consents, merging, patients
from orthanc_plugin.registry.patients import Value
from orthanc_plugin.services import Services

DOOR = "consentgate patient"

issuer_option = click.option("--issuer", help="Whose number it is [default: the hospital's].")
reason_option = click.option("--reason", required=True, help="Why, for whoever reads it later.")
day = click.DateTime(["%Y-%m-%d"])


@click.group()
def patient() -> None:
    """Show and record the facts of patients; no names are kept."""


def _found(shared: Services, patient_id: str, issuer: str | None) -> dict[str, object]:
    who = patients.key(patient_id, issuer, shared.policy.intake.default_issuer)
    with shared.database.reading() as connection:
        known = patients.find(connection, *who)
        if known is None:
            raise UnknownRecordError(
                "No such patient is on record.", remedy="Check the number and its issuer; both are needed."
            )
        survivor = merging.survivor(connection, who)
        numbers = (who, *patients.merged_into(connection, who))
        return {
            "patient": who[0],
            "issuer": who[1],
            "birth_date": known.dob,
            "age": age_of(known, hospital_day(shared.clock())),
            "death_date": known.death_date,
            "capacity": known.capacity,
            "gillick": known.gillick,
            "national_data_opt_out": known.national_data_opt_out,
            "merged_into": list(survivor) if survivor else None,
            "merged_here": [list(each) for each in numbers[1:]],
            "consents": [each.record.id for number in numbers for each in consents.listed(connection, *number)],
            "changes": list(patients.changes(connection, who)),
        }


def _line(change: dict[str, object]) -> str:
    return "{changed_at} {field}: {old} -> {new}, by {changed_by}: {reason}".format(**change)


@patient.command(name="show")
@click.argument("patient_id")
@issuer_option
@json_option
@told
def show_(patient_id: str, issuer: str | None, as_json: bool) -> None:
    """Show what is on record of PATIENT_ID, with every change that was made to it."""
    found = _found(services(), patient_id, issuer)
    changes = found["changes"] if isinstance(found["changes"], list) else []
    lines = [f"{key.replace('_', ' ')}: {plain(value)}" for key, value in found.items() if key != "changes"]
    say(found, "\n".join([*lines, *map(_line, changes)]), as_json=as_json)


def _facts(
    birth_date: datetime | None,
    death_date: datetime | None,
    capacity: str | None,
    gillick: str | None,
    opt_out: bool | None,
) -> dict[str, Value]:
    said: dict[str, Value] = {
        "birth_date": _date(birth_date),
        "death_date": _date(death_date),
        "capacity": Capacity(capacity) if capacity else None,
        "gillick": Gillick(gillick) if gillick else None,
        "national_data_opt_out": opt_out,
    }
    return {name: value for name, value in said.items() if value is not None}


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@patient.command(name="set")
@click.argument("patient_id")
@issuer_option
@click.option("--birth-date", type=day, help="When it is missing; with --correct in place of a wrong one.")
@click.option("--correct", is_flag=True, help="The birth date on record is wrong.")
@click.option("--death-date", type=day, help="Day of death.")
@click.option("--not-deceased", is_flag=True, help="The day of death on record was an error.")
@click.option("--capacity", type=click.Choice([*Capacity]), help="Found by an assessment; presumed at 16.")
@click.option("--gillick", type=click.Choice([*Gillick]), help="Whether a child was found competent.")
@click.option("--opt-out/--no-opt-out", "opt_out", default=None, help="The national data opt-out.")
@click.option("--new", is_flag=True, help="Put the patient on record; without it an unknown number is an error.")
@reason_option
@by_option
@json_option
@told
def set_(
    patient_id: str,
    issuer: str | None,
    birth_date: datetime | None,
    death_date: datetime | None,
    capacity: str | None,
    gillick: str | None,
    opt_out: bool | None,
    correct: bool,
    not_deceased: bool,
    new: bool,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Record facts of PATIENT_ID; they count from the next decision on."""
    if not_deceased and death_date:
        raise click.UsageError("--death-date and --not-deceased contradict one another.")
    facts = _facts(birth_date, death_date, capacity, gillick, opt_out) | ({"death_date": None} if not_deceased else {})
    if not facts and not new:
        raise click.UsageError("Say which fact to record.")
    shared = services()
    act = shared.act(by, DOOR)
    who = people.key(act, patient_id, issuer)
    with shared.database.writing() as connection:
        record = people.feed if new else people.tell
        change = record(connection, act, Told(who=who, facts=facts, reason=reason, corrects=correct))
    shared.sign_head()
    say({"change": change, **_found(shared, *who)}, f"Recorded: {', '.join(facts) or 'the patient'}.", as_json=as_json)


@patient.command()
@click.argument("patient_id")
@issuer_option
@click.option("--into", required=True, help="The number that is kept.")
@click.option("--into-issuer", help="Whose number that is [default: the hospital's].")
@reason_option
@by_option
@json_option
@told
def merge(
    patient_id: str, issuer: str | None, into: str, into_issuer: str | None, reason: str, by: str, as_json: bool
) -> None:
    """Say that PATIENT_ID is the same person as --into: consents and refusals under either number count for both."""
    shared = services()
    act = shared.act(by, DOOR)
    kept = people.key(act, into, into_issuer)
    with shared.database.writing() as connection:
        change = people.merge(connection, act, people.key(act, patient_id, issuer), kept, reason)
    shared.sign_head()
    say({"change": change, **_found(shared, *kept)}, "Merged; the numbers are one patient now.", as_json=as_json)


@patient.command()
@click.argument("patient_id")
@issuer_option
@reason_option
@by_option
@json_option
@told
def unmerge(patient_id: str, issuer: str | None, reason: str, by: str, as_json: bool) -> None:
    """Undo the merge of PATIENT_ID: it is a patient of its own again, with its own consents."""
    shared = services()
    act = shared.act(by, DOOR)
    who = people.key(act, patient_id, issuer)
    with shared.database.writing() as connection:
        change = people.unmerge(connection, act, who, reason)
    shared.sign_head()
    say({"change": change, **_found(shared, *who)}, "Unmerged; the numbers are two patients again.", as_json=as_json)
