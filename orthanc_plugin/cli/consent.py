"""``consentgate consent add | list | withdraw``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from dicomwrap.consentfile import as_mapping, read_consent
from dicomwrap.consentrecord import ConsentRecord
from dicomwrap.errors import DicomwrapError
from dicomwrap.terms import Purpose, PurposeGroup
from orthanc_plugin.audit.event import AuditEvent, EventType, Outcome
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.registry import consents, patients
from orthanc_plugin.registry.trail import append
from orthanc_plugin.services import Services

WORDS = [*Purpose, *PurposeGroup]


@click.group()
def consent() -> None:
    """Record, list and withdraw consents."""


def _event(shared: Services, record: ConsentRecord, by: str, at: datetime, effect: str) -> AuditEvent:
    return AuditEvent(
        id=shared.ids(),
        at=at,
        event=EventType.OBJECT_SECURITY_ATTRIBUTES_CHANGED,
        outcome=Outcome.SUCCESS,
        actor=by,
        door="consentgate consent",
        subject=record.id,
        effect=effect,
        consents=(f"{record.id} version {record.version}",),
        detail=consents.seal(record),
        policy=shared.policy.sha256,
    )


def _read(file: Path) -> ConsentRecord:
    try:
        return read_consent(file.read_text(encoding="utf-8"))
    except DicomwrapError as error:
        raise ConsentgateError(f"{file.name}: {error.args[0]}", remedy=error.remedy) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConsentgateError(
            f"{file.name} can't be read ({type(error).__name__}).", remedy="Give the path of a readable JSON file."
        ) from error


@consent.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--birth-date", type=click.DateTime(["%Y-%m-%d"]), help="The patient's, when not on record yet.")
@by_option
@json_option
@told
def add(file: Path, birth_date: datetime | None, by: str, as_json: bool) -> None:
    """Record the consent or refusal in FILE (JSON)."""
    shared = services()
    record = _read(file)
    at = shared.clock()
    with shared.database.writing() as connection:
        issuer = shared.policy.intake.default_issuer
        filed = consents.add(connection, record, by=by, at=at, default_issuer=issuer)
        unknown = patients.find(connection, filed.patient_id or "", filed.issuer or "") is None
        born = birth_date.date() if birth_date else None
        patients.ensure(connection, filed.patient_id or "", filed.issuer or "", born)
        append(connection, [_event(shared, filed, by, at, f"RECORDED_{filed.state}")])
    shared.sign_head()
    if unknown:
        said = f"note: nothing was on record yet of patient {filed.patient_id} of {filed.issuer}; check the spelling."
        click.echo(said, err=True)
    say(as_mapping(filed), f"Recorded consent {filed.id}, version {filed.version}, {filed.state}.", as_json=as_json)


def _listed(each: consents.Recorded) -> dict[str, object]:
    record = each.record
    return {
        "consent": record.id,
        "version": record.version,
        "patient": record.patient_id,
        "issuer": record.issuer or "",
        "state": record.state,
        "level": record.level,
        "purposes": [f"{scope.purpose} ({scope.max_form})" for scope in record.scopes],
        "withdrawn": list(record.withdrawn_purposes or ()),
        "decided_on": record.decided_on,
        "recorded_by": each.recorded_by,
    }


@consent.command(name="list")
@click.option("--patient-id", help="Only this patient's.")
@json_option
@told
def list_(patient_id: str | None, as_json: bool) -> None:
    """List consents, each in its newest version."""
    with services().database.reading() as connection:
        found = [_listed(each) for each in consents.listed(connection, patient_id)]
    columns = ("consent", "version", "patient", "state", "level", "purposes", "withdrawn", "decided_on", "recorded_by")
    show(found, columns, as_json=as_json, empty="No consent is on record.")


@consent.command()
@click.argument("consent_id")
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(WORDS), help="Only this purpose; repeatable.")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Day of the withdrawal [default: today].")
@by_option
@json_option
@told
def withdraw(consent_id: str, purposes: tuple[str, ...], on: datetime | None, by: str, as_json: bool) -> None:
    """Withdraw CONSENT_ID, wholly or for some purposes; the rest of it survives."""
    shared = services()
    at = shared.clock()
    named = tuple(Purpose(word) if word in set(Purpose) else PurposeGroup(word) for word in purposes)
    day: date = on.date() if on else hospital_day(at)
    with shared.database.writing() as connection:
        changed = consents.withdraw(connection, consent_id, named or None, on=day, by=by, at=at)
        append(connection, [_event(shared, changed, by, at, "WITHDRAWN")])
    shared.sign_head()
    gone = ", ".join(changed.withdrawn_purposes or ()) or "everything"
    say(
        as_mapping(changed),
        f"Withdrawn: {gone}. No release under it begins from now on (version {changed.version}).",
        as_json=as_json,
    )
