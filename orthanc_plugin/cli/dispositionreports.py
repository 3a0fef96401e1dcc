"""``consentgate retention reconcile | report | destroyed``: after a restore, at the end of the year, to a patient."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from typing import Final, NoReturn

import click
from sqlalchemy import Connection

from dicomwrap.consentrecord import Withdrawal
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.cli.disposition import DOOR, InForce, shredder
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.lifecycle import withdrawal
from orthanc_plugin.registry import patients, stubs
from orthanc_plugin.retention import reconciling, reporting, withdrawals
from orthanc_plugin.retention.acting import require
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.withdrawals import TakenBack
from orthanc_plugin.services import Services

COLUMNS: Final = ("part", "name", "records", "objects", "size")
AGAIN: Final = "withdrawn before; a restored registry had forgotten it"
UNKNOWN: Final = (
    "Nobody of this number is on record, and nothing was destroyed under it. "
    "Check the number, and whose it is (--issuer)."
)
STUB: Final = ("stub_id", "objects", "acquired", "rule", "due_date", "approved_by", "executed_at", "certificate")


@click.command()
@by_option
@json_option
@told
def reconcile(by: str, as_json: bool) -> None:
    """After a backup was restored: destroy again what had been destroyed, and list what the archive has lost.

    What was withdrawn since the backup is withdrawn again first. The doors stay shut until this has run. Exit status 1
    when something could not be destroyed, or is missing.
    """
    shared = services()
    folder, key = shared.settings.path(shared.settings.trail.certificates), shared.heads.key.public_key()
    with shredder(shared) as destroys:
        withdrawn = _withdrawn_again(shared, by)
        found = reconciling.reconcile(shared.database, destroys, lambda: shared.act(by, DOOR), folder, key)
    shared.sign_head()
    sentence = (
        f"{withdrawn} withdrawal(s) done again; {found.destroyed} object(s) had come back and are destroyed again, "
        f"{found.remaining} could not be; {found.remembered} stub(s) taken from certificates; "
        f"{len(found.missing)} picture(s) are missing; {found.held} kept shut under a hold."
    )
    say({**asdict(found), "withdrawn": withdrawn}, sentence, as_json=as_json)
    sys.exit(1 if found.remaining or found.missing else 0)


def _withdrawn_again(shared: Services, by: str) -> int:
    """Withdraw again what a restored registry has forgotten; return how many withdrawals."""
    act = shared.act(by, DOOR)
    require(act, Duty.EXECUTE)
    dropped: list[str] = []

    def do(connection: Connection, told: TakenBack) -> None:
        note = Withdrawal(by=by, phase=told.phase, reason=AGAIN)
        for on, words in told.days().items():
            done = withdrawal.withdraw(connection, act, told.consent_id, words, on=on, note=note)
            dropped.extend(done.consequences.spool_names)

    folder, key = shared.settings.path(shared.settings.trail.certificates), shared.heads.key.public_key()
    with shared.database.writing() as connection:
        found = withdrawals.again(connection, folder, key, do)
    for name in dropped:
        shared.spool.drop(name)
    return found


@click.command()
@click.option("--year", type=click.IntRange(2000, 9999), required=True, help="The calendar year.")
@click.option("--month", type=click.IntRange(1, 12), help="This month of it alone.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@told
def report(year: int, month: int | None, as_csv: bool, as_json: bool) -> None:
    """Count what was destroyed, decided, dropped, held and is past due; no record or patient is named."""
    shared, records = services(), Records(schedule=InForce())
    with shared.database.reading() as connection:
        counted = reporting.report(connection, year, month)
        counted += reporting.overdue_on_stale_facts(connection, shared.act("consentgate", DOOR), records)
    found = [asdict(each) for each in counted]
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    else:
        show(found, COLUMNS, as_json=as_json, empty="Nothing to report.")


@click.command()
@click.argument("patient_id")
@click.option("--issuer", help="Whose number it is [default: the hospital's].")
@json_option
@told
def destroyed(patient_id: str, issuer: str | None, as_json: bool) -> None:
    """Tell what is left of a patient's destroyed records, under all of their numbers: for subject access.

    Exit status 1 when nobody of that number is on record and nothing was destroyed under it.
    """
    shared = services()
    who = patients.key(patient_id, issuer, shared.policy.intake.default_issuer)
    with shared.database.reading() as connection:
        found = [asdict(each) for each in stubs.of_patient(connection, patients.numbers(connection, who))]
        unknown = not found and patients.find(connection, *who) is None
    if unknown:
        _unknown(as_json=as_json)
    show(found, STUB, as_json=as_json, empty="Nothing of this patient's was destroyed under the retention schedule.")


def _unknown(*, as_json: bool) -> NoReturn:
    """Say that the number is nobody's here, which is no word on what was destroyed; JSON is a list all the same."""
    if as_json:
        show((), STUB, as_json=True, empty="")
    click.echo(f"consentgate: {UNKNOWN}", err=True)
    sys.exit(1)
