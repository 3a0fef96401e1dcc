"""``consentgate hold place | lift | list``: suspend disposal, for patients by number or for a population."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import holding, people
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.lifecycle.csvfile import Line, SheetError, open_sheet
from orthanc_plugin.policy.expiryholds import Population, Words
from orthanc_plugin.policy.expirymodel import HoldKind
from orthanc_plugin.registry import holds
from orthanc_plugin.registry.holds import Order, Recorded
from orthanc_plugin.registry.patients import Key

DOOR = "consentgate hold"
HEADER: Final = ("patient_id", "issuer")
YEARS: Final = re.compile(r"(\d{4})(?:-(\d{4}))?", re.ASCII)
COLUMNS = ("hold", "state", "kind", "authority", "review_on", "patients", "population", "placed_by", "lifted_by")
day = click.DateTime(["%Y-%m-%d"])


@click.group()
def hold() -> None:
    """Suspend disposal. A hold never moves a date; it blocks until somebody else lifts it."""


def _years(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = YEARS.fullmatch(value)
    if found is None:
        raise click.BadParameter("give a year of four digits, or the first and the last such as 1970-1991.")
    return int(found[1]), int(found[2] or found[1])


def _words(values: tuple[str, ...]) -> Words | None:
    return frozenset(value.strip() for value in values) or None


def _from_file(file: Path | None, act: Act) -> Iterable[Key]:
    """Return the patients of a file: a number and, where it isn't the hospital's, its issuer on each line."""
    if file is None:
        return ()
    try:
        sheet = open_sheet(file, HEADER, HEADER[:1])
    except SheetError as error:
        if not error.problems:
            raise
        said = f"The first line of {file.name} must name its columns: patient_id, and issuer where one is given."
        raise SheetError(said) from None  # without a header it names patients
    return tuple(_patient(file, line, act) for line in sheet.lines())


def _patient(file: Path, line: Line, act: Act) -> Key:
    if line.fault is not None or "patient_id" not in line.cells:
        said = line.fault.remedy if line.fault else "patient_id is missing"
        raise SheetError(f"{file.name}, line {line.number}: {said}.", remedy="Correct it; nothing was placed.")
    return people.key(act, line.cells["patient_id"], line.cells.get("issuer"))


@hold.command()
@click.option("--kind", required=True, type=click.Choice([*HoldKind]), help="Why disposal is suspended.")
@click.option("--authority", required=True, help="On whose word, such as a court's order or an inquiry's notice.")
@click.option("--reason", required=True, help="For whoever reads it later.")
@click.option("--review-on", required=True, type=day, help="When somebody looks whether it is still needed.")
@click.option("--patient", "numbers", multiple=True, help="Patient's number; repeatable.")
@click.option("--issuer", help="Whose numbers they are [default: the hospital's].")
@click.option("--patients-file", type=click.Path(path_type=Path), help="CSV file of numbers and issuers.")
@click.option("--not-on-record", is_flag=True, help="Numbers that aren't on record are meant: records are to come.")
@click.option("--years", callback=_years, help="Years of care or of the picture, such as 1970-1991.")
@click.option("--department", "departments", multiple=True, help="One of these; repeatable.")
@click.option("--procedure", "procedures", multiple=True, help="One of these; repeatable.")
@click.option("--blood-product", "products", multiple=True, help="One of these; repeatable.")
@click.option("--category", "categories", multiple=True, help="One of these categories; repeatable.")
@by_option
@json_option
@told
def place(
    kind: str,
    authority: str,
    reason: str,
    review_on: datetime,
    numbers: tuple[str, ...],
    issuer: str | None,
    patients_file: Path | None,
    not_on_record: bool,
    years: tuple[int, int] | None,
    departments: tuple[str, ...],
    procedures: tuple[str, ...],
    products: tuple[str, ...],
    categories: tuple[str, ...],
    by: str,
    as_json: bool,
) -> None:
    """Place a hold on patients, or on everybody who meets all conditions, now or later.

    What nobody has told of a record counts as met: a hold reaches whatever can't be shown to lie outside it.
    """
    shared = services()
    act = shared.act(by, DOOR)
    named = (people.key(act, number, issuer) for number in numbers)
    order = Order(
        kind=HoldKind(kind),
        authority=authority,
        reason=reason,
        review_on=review_on.date(),
        patients=tuple(dict.fromkeys((*named, *_from_file(patients_file, act)))),
        population=Population(
            years=years,
            departments=_words(departments),
            procedures=_words(procedures),
            blood_products=_words(products),
            categories=_words(categories),
        ),
    )
    with shared.database.writing() as connection:
        found = holding.place(connection, act, order, to_come=not_on_record)
    shared.sign_head()
    with shared.database.reading() as connection:
        patients, records = holding.reached(connection, found, act)
    said = f"Placed hold {found.hold_id}; it counts from now on, for records to come too. "
    reach = {"reaches_patients": patients, "reaches_records": records}
    now = f"It reaches {records} record(s) of {patients} patient(s) now."
    say(_listed(found) | reach, said + now, as_json=as_json)


@hold.command()
@click.argument("hold_id")
@click.option("--authority", required=True, help="On whose word it is lifted.")
@click.option("--reason", required=True, help="Why it is no longer needed.")
@by_option
@json_option
@told
def lift(hold_id: str, authority: str, reason: str, by: str, as_json: bool) -> None:
    """Lift HOLD_ID; never by who placed it. Nothing is disposed of by that: dates stand as they were."""
    shared = services()
    with shared.database.writing() as connection:
        found = holding.lift(connection, shared.act(by, DOOR), hold_id, authority, reason)
    shared.sign_head()
    say(_listed(found), "Lifted: it blocks nothing from now on.", as_json=as_json)


@hold.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Lifted ones too.")
@click.option("--review-by", type=day, help="Only those that are to be reviewed by that day.")
@json_option
@told
def list_(everything: bool, review_by: datetime | None, as_json: bool) -> None:
    """List the holds that stand."""
    with services().database.reading() as connection:
        found = holds.listed(connection) if everything else holds.standing(connection)
    wanted = [each for each in found if review_by is None or each.order.review_on <= review_by.date()]
    show([_listed(each) for each in wanted], COLUMNS, as_json=as_json, empty="No hold stands.")


def _listed(found: Recorded) -> dict[str, object]:
    order = found.order
    return {
        "hold": found.hold_id,
        "state": "STANDS" if found.stands else "LIFTED",
        "kind": order.kind,
        "authority": order.authority,
        "reason": order.reason,
        "review_on": order.review_on,
        "patients": [number for number, _ in order.patients],
        "population": _conditions(order.population),
        "placed_at": found.placed_at,
        "placed_by": found.placed_by,
        "lifted_at": found.lifted_at,
        "lifted_by": found.lifted_by,
        "lift_authority": found.lift_authority,
        "lift_reason": found.lift_reason,
    }


def _conditions(population: Population) -> list[str]:
    years = [f"years {population.years[0]}-{population.years[1]}"] if population.years else []
    words = {
        "department": population.departments,
        "procedure": population.procedures,
        "blood product": population.blood_products,
        "category": population.categories,
    }
    return years + [f"{name} {' or '.join(sorted(said))}" for name, said in words.items() if said]
