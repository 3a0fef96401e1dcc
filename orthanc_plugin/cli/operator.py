"""``consentgate operator add | list | end``: who may take clinical photographs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.lifecycle import devices as steps
from orthanc_plugin.registry import operators
from orthanc_plugin.registry.operators import Operator

DOOR: Final = "consentgate operator"

day = click.DateTime(["%Y-%m-%d"])
reason_option = click.option("--reason", default="", help="Why, for whoever reads it later.")


@click.group()
def operator() -> None:
    """Keep the register of who may take clinical photographs."""


@operator.command()
@click.argument("operator_id")
@click.option("--name", required=True, help="As pictures have it in OperatorsName, such as Family^Given.")
@click.option("--role", required=True, help="Such as clinical photographer.")
@click.option("--from", "active_from", type=day, help="First day [default: today].")
@click.option("--until", "active_until", type=day, help="Last day [default: no end].")
@reason_option
@by_option
@json_option
@told
def add(
    operator_id: str,
    name: str,
    role: str,
    active_from: datetime | None,
    active_until: datetime | None,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Put OPERATOR_ID, a staff number, on the register."""
    shared = services()
    act = shared.act(by, DOOR)
    new = Operator(
        operator_id=operator_id,
        name=name,
        role=role,
        active_from=active_from.date() if active_from else hospital_day(act.at),
        active_until=active_until.date() if active_until else None,
    )
    with shared.database.writing() as connection:
        found = steps.enrol(connection, act, new, reason)
    shared.sign_head()
    say(asdict(found), f"{operator_id} is on the register.", as_json=as_json)


@operator.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the operators on the register, ended ones too."""
    with services().database.reading() as connection:
        found = [asdict(each) for each in operators.listed(connection)]
    columns = ("operator_id", "name", "role", "active_from", "active_until")
    show(found, columns, as_json=as_json, empty="No operator is on the register.")


@operator.command()
@click.argument("operator_id")
@click.option("--on", "last_day", type=day, help="Their last day [default: today].")
@reason_option
@by_option
@json_option
@told
def end(operator_id: str, last_day: datetime | None, reason: str, by: str, as_json: bool) -> None:
    """Say that OPERATOR_ID takes no pictures after a day; those of earlier days are filed when they come."""
    shared = services()
    act = shared.act(by, DOOR)
    last = last_day.date() if last_day else hospital_day(act.at)
    with shared.database.writing() as connection:
        found = steps.dismiss(connection, act, operator_id, last, reason)
    shared.sign_head()
    say(asdict(found), f"Ended: {operator_id} takes no pictures after {last}.", as_json=as_json)
