"""``consentgate consent``: record, show, withdraw, renew; the nightly look at what time has done to consents."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from dicomwrap.consentfile import as_mapping, consent_json, read_consent
from dicomwrap.consentrecord import ConsentRecord, Withdrawal
from dicomwrap.errors import DicomwrapError
from dicomwrap.terms import ConsentState, Purpose, PurposeGroup, WithdrawalPhase, purposes_named
from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.errors import ConsentgateError, UnknownRecordError
from orthanc_plugin.lifecycle import consenting, withdrawal
from orthanc_plugin.lifecycle import sweep as sweeping
from orthanc_plugin.lifecycle.consequences import Consequences
from orthanc_plugin.policy.consent import standing
from orthanc_plugin.policy.dates import has_died
from orthanc_plugin.policy.model import Patient
from orthanc_plugin.registry import consentfacts, consents, patients
from orthanc_plugin.services import Services

DOOR = "consentgate consent"
WORDS = [*Purpose, *PurposeGroup]
REPAIR = "Look for them with 'consentgate audit verify', and restore them from a backup."
DAY = click.DateTime(["%Y-%m-%d"])
birth_date_option = click.option("--birth-date", type=DAY, help="The patient's, when not on record yet.")


@click.group()
def consent() -> None:
    """Record, show, withdraw and renew consents."""


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
@birth_date_option
@by_option
@json_option
@told
def add(file: Path, birth_date: datetime | None, by: str, as_json: bool) -> None:
    """Record the consent or refusal in FILE (JSON)."""
    shared = services()
    act = shared.act(by, DOOR)
    named = consenting.identified(act, _read(file))
    with shared.database.writing() as connection:
        unknown = patients.find(connection, named.patient_id or "", named.issuer or "") is None
        filed = consenting.record(connection, act, named, birth_date.date() if birth_date else None)
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
        "withdrawn": [f"{each.purpose} ({each.on})" for each in record.withdrawn],
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


@consent.command(name="show")
@click.argument("consent_id")
@click.option("--version", type=click.IntRange(1), help="An earlier version [default: the newest].")
@json_option
@told
def show_(consent_id: str, version: int | None, as_json: bool) -> None:
    """Show one consent, whole: who recorded it when, and what it comes to today (the newest version)."""
    shared = services()
    with shared.database.reading() as connection:
        found = consents.versions(connection, consent_id)
        patient = _patient(connection, found[-1].record)
    chosen = [each for each in found if version in (None, each.record.version)]
    if not chosen:
        raise UnknownRecordError(
            "The consent has no such version.", remedy=f"It has 1 to {len(found)}; see 'consentgate consent history'."
        )
    shown = chosen[-1]
    mapping = {**as_mapping(shown.record), "recorded_at": shown.recorded_at, "recorded_by": shown.recorded_by}
    if shown is found[-1]:
        mapping["today"] = _today(shown.record, patient, hospital_day(shared.clock()))
    lines = (f"{key.replace('_', ' ')}: {plain(value)}" for key, value in mapping.items())
    say(mapping, "\n".join(lines), as_json=as_json)


def _patient(connection: Connection, record: ConsentRecord) -> Patient:
    patient_id = record.patient_id or ""
    return patients.find(connection, patient_id, record.issuer or "") or Patient(id=patient_id, dob=None)


def _today(record: ConsentRecord, patient: Patient, day: date) -> list[str]:
    """Say what the consent comes to for each purpose, from the dates and not from the stored state alone."""
    said = [
        f"{purpose}: {standing(scope, purpose, patient, day)}"
        for scope in consentfacts.whole(consent_json(record), consentfacts.columns(record))
        for purpose in sorted(purposes_named(frozenset(scope.purposes)))
    ]
    return [*dict.fromkeys(said), *(["the patient has died"] if has_died(patient, day) else [])]


@consent.command()
@click.argument("consent_id")
@json_option
@told
def history(consent_id: str, as_json: bool) -> None:
    """List a consent's versions, oldest first."""
    with services().database.reading() as connection:
        found = consents.versions(connection, consent_id)
    rows = [{**_listed(each), "recorded_at": each.recorded_at} for each in found]
    columns = ("version", "state", "purposes", "withdrawn", "decided_on", "recorded_at", "recorded_by")
    show(rows, columns, as_json=as_json, empty="No consent has this id.")


def _after(shared: Services, found: Consequences) -> None:
    """Drop what the committed transaction has let go of, and sign the trail."""
    shared.sign_head()
    for name in found.spool_names:
        shared.spool.drop(name)


def _in_words(found: Consequences) -> str:
    said = (
        (found.deleted, "picture(s) deleted before they were filed"),
        (found.held, "picture(s) that were never filed kept shut, for a hold is on them"),
        (found.restricted, "filed picture(s) kept, restricted"),
        (found.proposed, "proposed for disposal"),
        (found.recalls, "disclosure(s) to recall"),
        (found.not_recallable, "that can't be recalled: the patient is to be told"),
    )
    return "".join(f"\n{len(ids)} {words}." for ids, words in said if ids)


@consent.command()
@click.argument("consent_id")
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(WORDS), help="Only this purpose; repeatable.")
@click.option("--on", type=DAY, help="Day of the withdrawal [default: today].")
@click.option("--phase", type=click.Choice([*WithdrawalPhase]), default="LATER", help="When in the visit.")
@click.option("--withdrawn-by", default="", help="Who took the word back [default: whoever gave it].")
@click.option("--reason", default="", help="Why, if the patient says so.")
@click.option("--how", default="", help="How it was received, such as: by telephone.")
@by_option
@json_option
@told
def withdraw(
    consent_id: str,
    purposes: tuple[str, ...],
    on: datetime | None,
    phase: str,
    withdrawn_by: str,
    reason: str,
    how: str,
    by: str,
    as_json: bool,
) -> None:
    """Withdraw CONSENT_ID, wholly or for some purposes; the rest of it survives."""
    shared = services()
    act = shared.act(by, DOOR)
    named = tuple(Purpose(word) if word in set(Purpose) else PurposeGroup(word) for word in purposes)
    note = Withdrawal(by=withdrawn_by, phase=WithdrawalPhase(phase), reason=reason, how_received=how)
    with shared.database.writing() as connection:
        done = withdrawal.withdraw(connection, act, consent_id, named, on=on.date() if on else act.day, note=note)
    _after(shared, done.consequences)
    changed = done.record
    partly = changed.state is not ConsentState.WITHDRAWN
    gone = ", ".join(each.purpose for each in changed.withdrawn) if partly else "everything"
    said = f"Withdrawn: {gone}. No release under it begins from now on (version {changed.version})."
    say(as_mapping(changed), said + _in_words(done.consequences), as_json=as_json)


@consent.command()
@click.argument("consent_id")
@click.option("--file", type=click.Path(path_type=Path), help="The record as completed with the patient (JSON).")
@by_option
@json_option
@told
def give(consent_id: str, file: Path | None, by: str, as_json: bool) -> None:
    """Record that the proposed CONSENT_ID was given."""
    shared = services()
    with shared.database.writing() as connection:
        given = consenting.give(connection, shared.act(by, DOOR), _what(consent_id, file))
    shared.sign_head()
    say(as_mapping(given), f"Recorded: {given.id} is given (version {given.version}).", as_json=as_json)


@consent.command()
@click.argument("consent_id")
@click.option("--file", type=click.Path(path_type=Path), help="The record as completed with the patient (JSON).")
@by_option
@json_option
@told
def refuse(consent_id: str, file: Path | None, by: str, as_json: bool) -> None:
    """Record that the proposed CONSENT_ID was refused."""
    shared = services()
    with shared.database.writing() as connection:
        refused = consenting.refuse(connection, shared.act(by, DOOR), _what(consent_id, file))
    shared.sign_head()
    say(as_mapping(refused), f"Recorded: {refused.id} is refused (version {refused.version}).", as_json=as_json)


def _what(consent_id: str, file: Path | None) -> ConsentRecord | str:
    if file is None:
        return consent_id
    record = _read(file)
    if record.id != consent_id:
        raise ConsentgateError(f"{file.name} is another consent than the one named.", remedy="Check the id.")
    return record


@consent.command()
@click.argument("consent_id")
@click.argument("file", type=click.Path(path_type=Path))
@birth_date_option
@by_option
@json_option
@told
def supersede(consent_id: str, file: Path, birth_date: datetime | None, by: str, as_json: bool) -> None:
    """Replace CONSENT_ID by the renewed consent in FILE (JSON); what it no longer covers counts as withdrawn."""
    shared = services()
    born = birth_date.date() if birth_date else None
    with shared.database.writing() as connection:
        done = consenting.supersede(connection, shared.act(by, DOOR), consent_id, _read(file), born)
    _after(shared, done.consequences)
    said = f"Recorded consent {done.record.id}, which replaces {consent_id}." + _in_words(done.consequences)
    say(as_mapping(done.record), said, as_json=as_json)


@consent.command()
@click.argument("consent_id")
@click.option("--reason", required=True, help="What was wrong with it.")
@by_option
@json_option
@told
def error(consent_id: str, reason: str, by: str, as_json: bool) -> None:
    """Mark CONSENT_ID as entered in error; a second person does that, and its rows stay."""
    shared = services()
    with shared.database.writing() as connection:
        marked = consenting.enter_in_error(connection, shared.act(by, DOOR), consent_id, reason)
    shared.sign_head()
    said = f"Marked as entered in error: {marked.id} (version {marked.version}). It no longer counts, either way."
    say(as_mapping(marked), said, as_json=as_json)


@consent.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--by", default="nightly sweep", show_default=True, help="Account of the job or person who runs it.")
@json_option
@told
def sweep(dry_run: bool, by: str, as_json: bool) -> None:
    """Look at what time has done: consents that ended, patients to be asked again, deaths. Run it every night."""
    shared = services()
    swept = sweeping.sweep(shared.database, shared.act(by, "consentgate consent sweep"), dry_run=dry_run)
    if not dry_run:
        shared.sign_head()
    rows = [{**asdict(due), "tasks": [str(task) for task in due.tasks]} for due in swept.done]
    columns = ("consent_id", "happening", "ended", "tasks")
    show(rows, columns, as_json=as_json, empty="Nothing is to be done." if dry_run else "Nothing had to be done.")
    if swept.unreadable:
        click.echo(f"consentgate: the rows of {swept.unreadable} patient(s) can't be read. {REPAIR}", err=True)
        sys.exit(1)
