"""``consentgate policy check | diff | replay``: what a new policy.toml says, changes, and would have decided.

Who proposes and activates one is in ``policyversions``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import click

from orthanc_plugin.cli import policyversions
from orthanc_plugin.cli.common import json_option, say, services, show, told
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.config.policydiff import differences
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.gate import AccessRequest, asked
from orthanc_plugin.policy.cases import parse_case
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.model import Case, Content, Decision, Effect
from orthanc_plugin.registry import snapshots
from orthanc_plugin.sending.asking import bound
from orthanc_plugin.services import Services

Entry = Mapping[str, object]
COLUMNS = ("decision", "at", "recipient", "image", "was", "becomes", "reasons")
UNBOUND = "The new policy has no such recipient."


@click.group()
def policy() -> None:
    """Check a policy.toml, compare two, ask a new one about recorded decisions; put one in force."""


for each in (policyversions.propose, policyversions.activate, policyversions.versions):
    policy.add_command(each)


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@told
def check(file: Path, as_json: bool) -> None:
    """Check FILE and give its SHA-256, which is in every entry of the trail made under it."""
    found = load_policy(file)
    say({"sha256": found.sha256}, f"{file.name} can be used. SHA-256 {found.sha256}.", as_json=as_json)


@policy.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
@told
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Say in words what NEW changes against OLD."""
    found = differences(load_policy(old), load_policy(new))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(found) or "Nothing changes but words or comments.")


@policy.command()
@click.argument("new", type=click.Path(path_type=Path), required=False)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only decisions of this day and later, as the hospital counts days.",
)
@json_option
@told
def replay(new: Path | None, since: datetime | None, as_json: bool) -> None:
    """List the recorded decisions that policy NEW would change, on the facts as they were then.

    Without NEW each decision is taken again under the policy of its own time; one that comes out otherwise is listed,
    and the exit status is 1.
    """
    shared = services()
    chosen = load_policy(new) if new else None
    asked_again, changed = 0, []
    for entry in _decisions(shared, since.date() if since else date.min):
        asked_again += 1
        before, after = str(entry["effect"]), _again(shared, entry, chosen)
        if (after.effect, [*after.obligations]) != (before, entry["obligations"]):
            changed.append(_row(entry, after))
    show(changed, COLUMNS, as_json=as_json, empty="No recorded decision changes.")
    click.echo(f"{asked_again} recorded decisions were asked again, {len(changed)} come out otherwise.", err=True)
    if chosen is None and changed:
        raise SystemExit(1)


def _decisions(shared: Services, since: date) -> Iterator[Entry]:
    """Give the decisions of the hospital's day ``since`` and later; refusals at the door rest on no facts."""
    for entry in shared.trail.entries():
        body: Entry = json.loads(entry.body)
        if body.get("facts") and hospital_day(datetime.fromisoformat(str(body["at"]))) >= since:
            yield body


def _again(shared: Services, entry: Entry, chosen: Policy | None) -> Decision:
    """Take a recorded decision again."""
    case = _case(shared, entry)
    if chosen is None:
        return decide(case)
    binding = _binding(chosen, case.request.recipient.id, str(entry["purpose"]))
    if binding is None:
        return Decision(effect=Effect.DENY, reasons=(UNBOUND,), rules=("UNBOUND",))
    return decide(_under(case, chosen, binding, datetime.fromisoformat(str(entry["at"]))))


def _case(shared: Services, entry: Entry) -> Case:
    question = entry["request"]
    with shared.database.reading() as connection:
        known = snapshots.read(connection, str(entry["facts"]))
    return parse_case({**known, **(question if isinstance(question, dict) else {}), "id": entry["id"]})


def _under(case: Case, chosen: Policy, binding: Binding, at: datetime) -> Case:
    """Return the case as the same recipient's request would make it under ``chosen``; an emergency stays one."""
    content = Content(case.request.content)
    request = AccessRequest(
        requester=bound(binding.name, binding), sop_instance_uid=case.image.id, door="", content=content
    )
    wish = asked(request, at)
    if case.request.break_glass is not None:
        emergency = case.request
        wish = replace(
            wish, purpose=emergency.purpose, identifiable=emergency.identifiable, break_glass=emergency.break_glass
        )
    return replace(case, switches=chosen.switches, request=wish)


def _binding(chosen: Policy, name: str, purpose: str) -> Binding | None:
    """Return the recipient as the same request would find it: a user who is still bound to its purpose, by that."""
    if (user := chosen.user(name)) is not None:
        return next((use for use in user.uses() if use.purpose == purpose), user)
    return next((each for each in chosen.bindings if each.name == name), None)


def _row(entry: Entry, after: Decision) -> dict[str, object]:
    question = entry["request"]
    request = question.get("request") if isinstance(question, dict) else None
    recipient = request.get("recipient") if isinstance(request, dict) else None
    return {
        "decision": entry["id"],
        "at": entry["at"],
        "recipient": recipient.get("id") if isinstance(recipient, dict) else "",
        "image": entry["subject"],
        "was": entry["effect"],
        "becomes": after.effect,
        "obligations": list(after.obligations),
        "reasons": list(after.reasons),
        "rules": list(after.rules),
    }
