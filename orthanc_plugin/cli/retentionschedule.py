"""``consentgate retention schedule ...``: the rules, what others would move, and which version is in force."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.config.load import read_toml
from orthanc_plugin.config.schedulefile import load_schedule, shipped
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.lifecycle import scheduling
from orthanc_plugin.lifecycle.scheduling import Move
from orthanc_plugin.policy.expirymodel import DeathMode, OnDeath, Rule, Schedule
from orthanc_plugin.registry import retentionschedules
from orthanc_plugin.registry.retentionschedules import Version
from orthanc_plugin.services import Services

DOOR = "consentgate retention schedule"
RULES = ("rule", "applies_to", "from", "period", "on_death", "review", "status", "source")
MOVES = ("study", "was", "was_due", "becomes", "becomes_due")
NONE_IN_FORCE = "No schedule is in force: nothing is due until one is proposed and somebody else has activated it."


@click.group()
def schedule() -> None:
    """Show and check retention schedules, say what one would move, and put one in force."""


def _applies(rule: Rule) -> str:
    told = rule.applies
    words = (
        ", ".join(sorted(told.objects)),
        "" if told.filed else "never filed",
        told.made_for or "",
        told.category or "",
        told.regime or "",
        f"from {told.age_from}" if told.age_from is not None else "",
        f"under {told.age_below}" if told.age_below is not None else "",
        "floor under all others" if rule.floor else "",
    )
    return "; ".join(word for word in words if word)


def _period(rule: Rule) -> str:
    others = (f"{period} if last seen at {age}" for age, period in rule.periods_at_age)
    return "; ".join((str(rule.period), *others))


def _death(told: OnDeath) -> str:
    return told.mode if told.mode is DeathMode.NONE else f"{told.mode} {told.period}"


def rule_rows(found: Schedule) -> list[dict[str, object]]:
    """Return the rules of a schedule as they are listed."""
    return [
        {
            "rule": rule.id,
            "applies_to": _applies(rule),
            "from": rule.trigger,
            "period": _period(rule),
            "on_death": _death(rule.on_death),
            "review": rule.review,
            "status": rule.source.status,
            "source": rule.source.text,
        }
        for rule in found.rules
    ]


@schedule.command(name="show")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--shipped", "name", help="One that is shipped, such as england-nhs or australia.")
@json_option
@told
def show_(file: Path | None, name: str | None, as_json: bool) -> None:
    """List the rules in force, or those of FILE; and say whether retention.toml is what is in force."""
    if name is not None or file is not None:
        found = _shipped(name) if name is not None else load_schedule(file or Path())
        said = f"{found.jurisdiction}, version {found.version}, SHA-256 {found.digest}."
    else:
        found, said = _in_force(services())
    show(rule_rows(found), RULES, as_json=as_json, empty="No rules.")
    click.echo(said, err=True)


def _shipped(name: str) -> Schedule:
    try:
        return shipped(name)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"No schedule {name!r} is shipped.", remedy="Name england-nhs or australia, or give a file."
        ) from error


def _in_force(shared: Services) -> tuple[Schedule, str]:
    """Return the schedule in force, and whether the file says something else."""
    path = shared.settings.path(shared.settings.retention.file)
    with shared.database.reading() as connection:
        found, version = scheduling.in_force(connection), retentionschedules.active(connection)
    by = f" since {version.activated_at}, proposed by {version.proposed_by}" if version else ""
    said = f"In force: {found.jurisdiction}, version {found.version}, SHA-256 {found.digest}{by}."
    if not path.exists():
        return found, f"{said} There is no {path.name}."
    if load_schedule(path).digest != found.digest:
        return found, f"{said} {path.name} says something else, which counts for nothing until it is activated."
    return found, f"{said} {path.name} says the same."


@schedule.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@told
def check(file: Path, as_json: bool) -> None:
    """Check FILE and give its SHA-256."""
    found = load_schedule(file)
    said = f"{file.name} can be used: {len(found.rules)} rules. SHA-256 {found.digest}."
    say({"sha256": found.digest, "version": found.version, "rules": len(found.rules)}, said, as_json=as_json)


def _move_rows(moves: Iterable[Move]) -> list[dict[str, object]]:
    return [
        {
            "study": each.study_instance_uid,
            "was": each.before.governing_rule or each.before.status if each.before else None,
            "was_due": each.before.due_date if each.before else None,
            "becomes": each.after.governing_rule or each.after.status,
            "becomes_due": each.after.due_date,
        }
        for each in moves
    ]


@schedule.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
@told
def diff(old: Path, new: Path, as_json: bool) -> None:
    """List every record whose date NEW moves against OLD; nothing is changed."""
    shared, before, after = services(), load_schedule(old), load_schedule(new)
    with shared.database.reading() as connection:
        moved = _move_rows(scheduling.moves(connection, before, after, shared.clock()))
    show(moved, MOVES, as_json=as_json, empty="No record's date moves.")


def _told(found: Version) -> dict[str, object]:
    return {
        "sha256": found.digest,
        "version": found.version,
        "moved": dict(found.moved),
        "proposed_by": found.proposed_by,
        "activated_by": found.activated_by,
    }


@schedule.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@by_option
@json_option
@told
def propose(file: Path | None, by: str, as_json: bool) -> None:
    """Propose FILE [default: retention.toml]; every record whose date it would move is listed.

    It counts for nothing until somebody else has activated it.
    """
    shared = services()
    _, raw = read_toml(file or shared.settings.path(shared.settings.retention.file))
    found = scheduling.propose(shared.database, shared.act(by, DOOR), raw.decode("utf-8"))
    shared.sign_head()
    moved, version = _move_rows(found.moves), found.version
    if as_json:
        click.echo(json.dumps({**_told(version), "moves": moved}, indent=2, default=str))
        return
    show(moved, MOVES, as_json=False, empty="No record's date moves.")
    click.echo(f"Proposed version {version.version}, SHA-256 {version.digest}. {len(moved)} record(s) move.", err=True)


@schedule.command()
@click.argument("digest")
@by_option
@json_option
@told
def activate(digest: str, by: str, as_json: bool) -> None:
    """Put the proposed version with this SHA-256 in force; never by who proposed it."""
    shared = services()
    with shared.database.writing() as connection:
        found = scheduling.activate(connection, shared.act(by, DOOR), digest)
    shared.sign_head()
    say(_told(found), f"Version {found.version} is in force from now on.", as_json=as_json)


@schedule.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List every version that was proposed."""
    with services().database.reading() as connection:
        found = [_told(each) for each in retentionschedules.listed(connection)]
    columns = ("version", "sha256", "proposed_by", "activated_by", "moved")
    show(found, columns, as_json=as_json, empty=NONE_IN_FORCE)
