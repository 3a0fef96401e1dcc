"""``consentgate route list | test``: the routes in force, and what they would do with a picture or a case.

The policy is the one that the courier takes: what was activated, policy.toml as long as nothing was. Where the running
Orthanc has another, so that the courier waits, it is said.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Final

import click
from sqlalchemy import make_url

from orthanc_plugin.archive.remote import RemoteControl, read_credentials
from orthanc_plugin.cli import outbox
from orthanc_plugin.cli.common import json_option, services, show, told
from orthanc_plugin.clock import LONDON, hospital_day
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.settings import Settings, load_settings
from orthanc_plugin.enforcement.routetrial import Channels, Trial, chosen, of_case, of_image
from orthanc_plugin.errors import ArchiveError, ConsentgateError, RegistryError
from orthanc_plugin.lifecycle import policies
from orthanc_plugin.policy.casefields import CaseError
from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.explain import OBLIGATION_WORDS
from orthanc_plugin.policy.routing import DAYS, Route, Window
from orthanc_plugin.policy.routingcases import parse_routed
from orthanc_plugin.registry.engine import Database, open_database

UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
COLUMNS: Final = ("route", "recipient", "purpose", "standing", "conditions", "triggers", "window", "priority", "owner")
DRY_RUN: Final = "A dry run: nothing was recorded and nothing was sent."
NO_ROUTE: Final = "policy.toml has no route."
ANOTHER: Final = "Orthanc runs on another policy than this one; the courier sends nothing until it is restarted."
UNKNOWN: Final = "The registry can't be asked which policy was activated, so these are the routes of policy.toml."
Trials = tuple[Trial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The policy whose routes are shown.

    Attributes:
        known: whether the registry has said that no other was activated.
        orthanc_agrees: whether the running Orthanc has the same; None when none runs.
    """

    policy: Policy
    known: bool = True
    orthanc_agrees: bool | None = None


class RouteCaseError(ConsentgateError):
    """What routes are to be tried with can't be read."""

    remedy = "Give the SOP Instance UID of a picture, or a file of cases as 'consentgate decide --case' takes it."


@click.group()
def route() -> None:
    """Show the routes of policy.toml, and say what they would do."""


route.add_command(outbox.queue)
route.add_command(outbox.retry)


@route.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the routes, with what each asks of a picture and whether it sends anything."""
    shared = services()
    if not as_json:
        _tell(_basis(shared.settings, shared.policy))
    routes = sorted(shared.policy.routes, key=lambda each: (-each.priority, each.name))
    rows = [_listed(shared.policy, each, shared.clock()) for each in routes]
    show(rows, COLUMNS, as_json=as_json, empty=NO_ROUTE)


@route.command()
@click.argument("what", metavar="IMAGE|CASE")
@click.option("--route", "name", help="This route alone.")
@json_option
@told
def test(what: str, name: str | None, as_json: bool) -> None:
    """Say which routes would match, what would be decided for each and why, and when it would be sent.

    IMAGE is the SOP Instance UID of a picture in the registry, CASE a file of one case or a list of cases (JSON), or -
    for stdin; an object "routing" in a case says what routes look at. It changes nothing and sends nothing.
    """
    if UID.fullmatch(what):
        shared = services()
        basis, routes = _basis(shared.settings, shared.policy), chosen(shared.policy, name)
        found, many = [(what, of_image(shared, what, routes, _channels(shared.settings)))], False
    else:
        value, (settings, basis) = _read(what), _configured()
        listed, many = (value, True) if isinstance(value, list) else ([value], False)
        found = _cases(settings, basis.policy, listed, name)
    if as_json:
        answers = [_answer(subject, trials, basis) for subject, trials in found]
        click.echo(json.dumps(answers if many else answers[0], indent=2, ensure_ascii=False))
        return
    click.echo(DRY_RUN)
    _tell(basis)
    for subject, trials in found:
        click.echo("\n".join(_sentences(subject, trials)))


def _cases(settings: Settings, policy: Policy, values: list[object], name: str | None) -> list[tuple[str, Trials]]:
    """Return what the routes would do with each case."""
    routes, channels = chosen(policy, name), _channels(settings)
    found: list[tuple[str, Trials]] = []
    for at, each in enumerate(values):
        place = f"case[{at}]"
        try:
            case = parse_case(each, place)
            picture = parse_routed(each, case, place)
        except CaseError as error:
            raise RouteCaseError(error.args[0], remedy=error.remedy) from error
        noon = datetime.combine(case.request.as_of, time(12), LONDON)
        found.append((case.id, of_case(policy, case, picture, routes, noon, channels)))
    return found


def _read(source: str) -> object:
    try:
        with click.open_file(source, encoding="utf-8-sig") as file:
            value: object = json.load(file)
    except (OSError, ValueError) as error:
        raise RouteCaseError(f"There is no such picture or case: {error}.") from error
    return value


def _configured() -> tuple[Settings, Basis]:
    """Return settings and the policy in force; neither a database nor Orthanc is needed for them."""
    path = click.get_current_context().find_root().params.get("settings")
    settings = load_settings(Path(path or "settings.toml"), os.environ)
    written = load_policy(settings.path(settings.policy.file))
    try:
        return settings, _basis(settings, policies.in_force(_registry(settings.database_url()), written))
    except RegistryError:
        return settings, replace(_basis(settings, written), known=False)


def _registry(url: str) -> Database:
    """Return the registry if it is there; a dry run makes none.

    Raises:
        RegistryError: it isn't.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise RegistryError("There is no registry yet.")
    return open_database(url)


def _basis(settings: Settings, policy: Policy) -> Basis:
    """Hold a policy against that of the running Orthanc."""
    try:
        credentials = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
        in_orthanc = RemoteControl(settings.orthanc.url, credentials).policy()
    except ArchiveError:  # none runs here, or its doors are shut
        return Basis(policy=policy)
    return Basis(policy=policy, orthanc_agrees=in_orthanc == policy.sha256)


def _tell(basis: Basis) -> None:
    """Say what a reader of the routes can't see."""
    if not basis.known:
        click.echo(UNKNOWN)
    if basis.orthanc_agrees is False:
        click.echo(ANOTHER)


def _channels(settings: Settings) -> Channels:
    """Return how the running Orthanc sends to its modalities."""
    try:
        credentials = read_credentials(settings.path(settings.orthanc.boot_secret), settings.orthanc.user)
        modalities = RemoteControl(settings.orthanc.url, credentials).modalities().values()
    except ArchiveError:
        return Channels(titles=None)
    by_tls = (each for each in modalities if isinstance(each, dict) and each.get("UseDicomTls") is True)
    return Channels(titles=frozenset(str(each.get("AET")) for each in by_tls))


def _listed(policy: Policy, found: Route, at: datetime) -> dict[str, object]:
    recipient = policy.recipient(found.recipient)
    return {
        "route": found.name,
        "recipient": found.recipient,
        "alternates": list(found.alternates),
        "purpose": found.purpose,
        "form": recipient.form if recipient else "",
        "profile": (recipient.profile if recipient else "") or "",
        "standing": _standing(policy, found, at),
        "conditions": list(_conditions(found)),
        "triggers": sorted(found.triggers),
        "window": _hours(found.window),
        "priority": found.priority,
        "expires": found.expires.isoformat() if found.expires else None,
        "owner": found.owner,
    }


def _standing(policy: Policy, found: Route, at: datetime) -> str:
    if not found.enabled:
        return "off"
    if found.expired(at):
        return "expired"
    recipient = policy.recipient(found.recipient)
    return "recipient expired" if recipient is None or recipient.expired(hospital_day(at)) else "on"


def _conditions(found: Route) -> Iterator[str]:
    asked = found.conditions
    names: Mapping[str, frozenset[str]] = {
        "SOP class": asked.sop_classes,
        "body site": asked.body_sites,
        "department": asked.departments,
        "made for": frozenset(map(str, asked.made_for)),
    }
    yield from (f"{name} {' or '.join(sorted(wanted))}" for name, wanted in names.items() if wanted)


def _hours(window: Window | None) -> str:
    if window is None:
        return "always"
    days = ", ".join(day for day in DAYS if day in window.days)
    return f"{days} {window.since:%H:%M} to {window.until:%H:%M}"


def _answer(subject: str, trials: Trials, basis: Basis) -> dict[str, object]:
    return {
        "id": subject,
        "dry_run": True,
        "policy": basis.policy.sha256,
        "policy_known_to_be_in_force": basis.known,
        "orthanc_agrees": basis.orthanc_agrees,
        "routes": [_row(each) for each in trials],
    }


def _row(trial: Trial) -> dict[str, object]:
    tried, decision, to = trial.matched.route, trial.decision, trial.destination
    return {
        "route": tried.name,
        "recipient": to.name,
        "alternates": list(tried.alternates),
        "purpose": tried.purpose,
        "form": to.form,
        "profile": to.profile or "",
        "matches": trial.matched.matches,
        "conditions": list(trial.matched.reasons),
        "triggers": sorted(tried.triggers),
        "decision": decision.effect,
        "reasons": list(decision.reasons),
        "rules": list(decision.rules),
        "obligations": list(decision.obligations),
        "unmet": None if trial.unmet is None else list(trial.unmet),
        "recipient_refused": trial.against,
        "remedy": trial.remedy,
        "sends": trial.sends,
        "sends_at": _when(trial) if trial.sends else None,
    }


def _when(trial: Trial) -> str:
    return trial.opens.astimezone(LONDON).isoformat(timespec="minutes") if trial.opens else "never"


def _sentences(subject: str, trials: Trials) -> Iterator[str]:
    """Tell what each route would do."""
    yield f"{subject}:" if trials else f"{subject}: {NO_ROUTE}"
    for trial in trials:
        tried, decision, to = trial.matched.route, trial.decision, trial.destination
        yield f"  Route {tried.name} to {to.name} for {tried.purpose}: {_outcome(trial)}"
        word = "it matches" if trial.matched.matches else "it doesn't match"
        yield from (f"    {word}: {reason}" for reason in trial.matched.reasons)
        profile = f", profile {to.profile}" if to.profile else ""
        yield f"    decided would be {decision.effect} (rules {', '.join(decision.rules)}{profile})"
        yield from (f"    {reason}" for reason in decision.reasons)
        yield from (f"    {OBLIGATION_WORDS[each]}" for each in decision.obligations)
        yield from (f"    not met: {each}" for each in trial.unmet or ())
        if trial.against:
            yield f"    refused: {trial.against}. {trial.remedy}"


def _outcome(trial: Trial) -> str:
    if not trial.sends:
        return "nothing would be sent."
    demands = ", if what is demanded is done" if trial.unmet is None and trial.decision.obligations else ""
    return f"the picture would be sent from {_when(trial)} on{demands}."
