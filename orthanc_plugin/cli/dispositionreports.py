"""``consentgate retention reconcile | report | destroyed``: after a restore, at the end of the year, to a patient."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.cli.disposition import DOOR, shredder
from orthanc_plugin.registry import patients, stubs
from orthanc_plugin.retention import reconciling, reporting

COLUMNS: Final = ("part", "name", "records", "objects", "size")
STUB: Final = ("stub_id", "objects", "acquired", "rule", "due_date", "approved_by", "executed_at", "certificate")


@click.command()
@by_option
@json_option
@told
def reconcile(by: str, as_json: bool) -> None:
    """After a backup was restored: destroy again what had been destroyed, and list what the archive has lost.

    The doors stay shut until this has run. Exit status 1 when something could not be destroyed, or is missing.
    """
    shared = services()
    folder, key = shared.settings.path(shared.settings.trail.certificates), shared.heads.key.public_key()
    with shredder(shared) as destroys:
        found = reconciling.reconcile(shared.database, destroys, lambda: shared.act(by, DOOR), folder, key)
    shared.sign_head()
    sentence = (
        f"{found.destroyed} object(s) had come back and are destroyed again, {found.remaining} could not be; "
        f"{found.remembered} stub(s) taken from certificates; {len(found.missing)} picture(s) are missing."
    )
    say(asdict(found), sentence, as_json=as_json)
    sys.exit(1 if found.remaining or found.missing else 0)


@click.command()
@click.option("--year", type=click.IntRange(2000, 9999), required=True, help="The calendar year.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@told
def report(year: int, as_csv: bool, as_json: bool) -> None:
    """Count what was destroyed, decided, dropped, held and is past due; no record or patient is named."""
    with services().database.reading() as connection:
        found = [asdict(each) for each in reporting.report(connection, year)]
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
    """Tell what is left of a patient's destroyed records, under all of their numbers: for subject access."""
    shared = services()
    who = patients.key(patient_id, issuer, shared.policy.intake.default_issuer)
    with shared.database.reading() as connection:
        found = [asdict(each) for each in stubs.of_patient(connection, patients.numbers(connection, who))]
    show(found, STUB, as_json=as_json, empty="Nothing of this patient's was destroyed under the retention schedule.")
