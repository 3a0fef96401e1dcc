"""``consentgate retention plan | plans | show | decide | approve | undo | apply``: from the date to the end.

Knows click and progress bars. Must not decide. Execution runs here, in a process of its own, never inside Orthanc.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Connection

from orthanc_plugin.archive.remote import RemoteDisposal, read_credentials, read_place
from orthanc_plugin.archive.storagearea import StorageArea
from orthanc_plugin.cli.alone import alone
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.lifecycle import scheduling
from orthanc_plugin.policy.expirymodel import Schedule
from orthanc_plugin.registry import disposals, progress, retentionschedules
from orthanc_plugin.registry import plans as planned
from orthanc_plugin.registry.disposals import Outcome, State
from orthanc_plugin.registry.engine import open_database
from orthanc_plugin.registry.plans import Action
from orthanc_plugin.retention import certifying, deciding, lining, stages
from orthanc_plugin.retention.beside import beside
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.execution import Execution
from orthanc_plugin.retention.hand import Hand
from orthanc_plugin.retention.interim import Memory, clear
from orthanc_plugin.retention.proposing import propose, shown
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.staleness import StaleFactsError
from orthanc_plugin.retention.standing import require_left, window
from orthanc_plugin.services import Services

DOOR: Final = "consentgate retention"
NUMBERS: Final = re.compile(r"\d{1,7}(-\d{1,7})?(,\d{1,7}(-\d{1,7})?)*", re.ASCII)
COLUMNS: Final = (
    "line",
    "study_instance_uid",
    "objects",
    "size",
    "rule",
    "due_date",
    "flags",
    "decision",
    "state",
    "outcome",
)
PLAN_COLUMNS: Final = (
    *("plan_id", "as_of", "lines", "schedule", "proposed_by", "proposed_at"),
    *("state", "approved_by", "executable_from", "lapses", "destroyed", "dropped"),
)
reason_option = click.option("--reason", required=True, help="Why, for whoever approves or audits it.")


class InForce:
    """Gives the schedule in force, read once for as long as it is the same: a plan asks for each of its lines."""

    def __init__(self) -> None:
        self.read: Schedule | None = None

    def __call__(self, connection: Connection) -> Schedule:
        """Return the schedule in force."""
        active = retentionschedules.active(connection)
        if self.read is None or active is None or active.digest != self.read.digest:
            self.read = scheduling.in_force(connection)
        return self.read


@click.command()
@by_option
@json_option
@told
def plan(by: str, as_json: bool) -> None:
    """Propose what is past its date; nothing is destroyed. The same day gives the same plan until it is executed.

    Exit status 1 when nothing can be proposed because a source of facts is too old; it is named.
    """
    shared = services()
    try:
        found = propose(shared.database, shared.act(by, DOOR), Records(schedule=InForce()))
    except StaleFactsError as error:
        if not as_json:
            raise
        stale = [asdict(each) for each in error.sources]
        say({"plan_id": None, "lines": 0, "new": False, "stale": stale, "remedy": error.remedy}, "", as_json=True)
        sys.exit(1)
    shared.sign_head()
    made = "Made" if found.new else "Made before today, and unchanged:"
    sentence = f"{made} plan {found.plan.plan_id}: {found.plan.lines} record(s); {found.reckoned} reckoned anew."
    answer = {**asdict(found.plan), "new": found.new, "reckoned": found.reckoned, "stale": []}
    say(answer, sentence, as_json=as_json)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every record, also those of which nothing has changed.")
@by_option
@json_option
@told
def refresh(everything: bool, by: str, as_json: bool) -> None:
    """Reckon the dates anew of records of which something has changed, so that the next plan is quick.

    A plan does so by itself; nothing depends on it.
    """
    shared, records = services(), Records(schedule=InForce())
    if everything:
        lining.outdate(shared.database, records)
    done = lining.refresh(shared.database, shared.act(by, DOOR), records)
    say({"reckoned": done}, f"{done} record(s) reckoned anew.", as_json=as_json)


@click.command()
@json_option
@told
def plans(as_json: bool) -> None:
    """List the plans, newest first, each with its stage, its approval and what became of it."""
    shared = services()
    with shared.database.reading() as connection:
        come = progress.of_all(connection)
        found = [
            {**asdict(each), **asdict(_staged(shared, each, come[each.plan_id]))} for each in planned.listed(connection)
        ]
    show(found, PLAN_COLUMNS, as_json=as_json, empty="Nothing was ever proposed.")


def _staged(shared: Services, plan: planned.Plan, come: progress.Progress) -> stages.Staged:
    return stages.staged(plan, come, shared.policy.disposition, shared.clock())


@click.command(name="show")
@click.argument("plan_id")
@click.option("--words", is_flag=True, help="Each line's reckoning in words.")
@json_option
@told
def show_(plan_id: str, words: bool, as_json: bool) -> None:
    """Show a plan's lines: what is proposed, why, what was decided, and what became of it."""
    shared = services()
    with shared.database.reading() as connection:
        stage = _staged(shared, planned.get(connection, plan_id), progress.of(connection, plan_id))
        taken = planned.decided(connection, plan_id)
        settled = {each.line: each for each in disposals.outcomes_of(connection, plan_id)}
        found = [
            {**shown(each), "decision": _decision(taken.get(each.line)), **_stood(stage, settled.get(each.line))}
            for each in planned.lines_of(connection, plan_id)
        ]
    if not as_json:
        click.echo(" ".join(stages.sentences(stage)), err=True)
    show(found, (*COLUMNS, "words") if words else COLUMNS, as_json=as_json, empty="The plan has no lines.")


def _stood(stage: stages.Staged, outcome: Outcome | None) -> dict[str, object]:
    """Return where a line stands: what became of it, else where its plan is, with the approval of that."""
    told = {name: getattr(stage, name) for name in ("approved_by", "executable_from", "lapses")}
    state, reason = (outcome.state, outcome.reason) if outcome else (stage.state, "")
    return {"state": state, "outcome": reason, **told}


def _decision(taken: planned.Decision | None) -> str:
    if taken is None:
        return ""
    where = f" {taken.until}" if taken.until else f" to {taken.place}" if taken.place else ""
    return f"{taken.action}{where} by {taken.decided_by}: {taken.reason}"


@click.command()
@click.argument("plan_id")
@click.argument("lines")
@click.argument("action", type=click.Choice([*Action]))
@click.argument("until", type=click.DateTime(["%Y-%m-%d"]), required=False)
@click.option(
    "--to", "place", default="", help="The place of deposit that a TRANSFER goes to, as policy.toml names it."
)
@reason_option
@by_option
@json_option
@told
def decide(
    plan_id: str, lines: str, action: str, until: datetime | None, place: str, reason: str, by: str, as_json: bool
) -> None:
    """Decide on LINES of PLAN_ID: numbers such as 3 or 1,4-9, or a rule's id for all of its lines.

    There is no default. RETAIN_UNTIL needs the last day, as YYYY-MM-DD; TRANSFER needs --to.
    """
    shared = services()
    with shared.database.writing() as connection:
        chosen = _chosen(lines) or tuple(planned.numbers_of(connection, plan_id, lines))
        day = until.date() if until else None
        act, schedule = shared.act(by, DOOR), scheduling.in_force(connection)
        deciding.decide(connection, act, plan_id, chosen, Action(action), reason, schedule, day, place)
    shared.sign_head()
    say({"plan_id": plan_id, "lines": chosen, "action": action}, f"{len(chosen)} line(s): {action}.", as_json=as_json)


def _chosen(lines: str) -> tuple[int, ...]:
    """Return the numbers that are written, none when it is a rule's id."""
    if NUMBERS.fullmatch(lines) is None:
        return ()
    spans = (part.partition("-") for part in lines.split(","))
    return tuple(number for first, _, last in spans for number in range(int(first), int(last or first) + 1))


@click.command()
@click.argument("plan_id")
@by_option
@json_option
@told
def approve(plan_id: str, by: str, as_json: bool) -> None:
    """Approve PLAN_ID as it is decided, as somebody who neither proposed it nor ever decided on a line of it."""
    shared = services()
    with shared.database.writing() as connection:
        act = shared.act(by, DOOR)
        approval = deciding.approve(connection, act, plan_id)
    shared.sign_head()
    since, until = window(act.policy.disposition, approval)
    sentence = f"Approved. It may be executed from {since.date()} to {until.date()}; until it is, it can be undone."
    told_of = {**asdict(approval), "executable_from": since.isoformat(), "lapses": until.isoformat()}
    say(told_of, sentence, as_json=as_json)


@click.command()
@click.argument("plan_id")
@reason_option
@by_option
@json_option
@told
def undo(plan_id: str, reason: str, by: str, as_json: bool) -> None:
    """Withdraw the approval of PLAN_ID, as long as nothing of it was executed."""
    shared = services()
    with shared.database.writing() as connection:
        approval = deciding.undo(connection, shared.act(by, DOOR), plan_id, reason)
    shared.sign_head()
    say(asdict(approval), "The approval is withdrawn; nothing will be destroyed.", as_json=as_json)


@contextmanager
def shredder(shared: Services) -> Iterator[Shredder]:
    """Give what destroys in the guarded Orthanc that runs on these settings, to one process at a time.

    Raises:
        ArchiveError: none runs, or its credentials aren't ours to read.
        ConsentgateError: another process destroys already.
    """
    settings = shared.settings
    with alone(settings.path(settings.trail.certificates)):
        running = _running(shared)
        try:
            place = read_place(settings.path(settings.orthanc.boot_secret))
            storage = StorageArea(place.storage) if place.storage else None
            yield Shredder(archive=running, name=place.archive, storage=storage, spool=shared.spool)
        finally:
            running.close()


def hand(shared: Services, destroys: Shredder) -> Hand:
    """Return what deletes in a process of its own: neither may use the other's connections."""
    return Hand(
        database=open_database(shared.settings.database_url()), shredder=replace(destroys, archive=_running(shared))
    )


def _running(shared: Services) -> RemoteDisposal:
    settings = shared.settings
    boot_file = settings.path(settings.orthanc.boot_secret)
    return RemoteDisposal(settings.orthanc.url, read_credentials(boot_file, settings.orthanc.user))


@click.command(name="apply")
@click.argument("plan_id")
@by_option
@json_option
@told
def apply_(plan_id: str, by: str, as_json: bool) -> None:
    """Execute PLAN_ID: decide on each line again, destroy, verify, certify. Cut off, it is taken up by the next run.

    Exit status 1 when a line was dropped or something could not be destroyed; the certificate says why. So when it was
    executed before: nothing is destroyed or certified twice.
    """
    shared = services()
    with shared.database.reading() as connection:  # said also where no Orthanc runs
        require_left(connection, plan_id)
    folder = shared.settings.path(shared.settings.trail.certificates)
    with shredder(shared) as destroys, beside(partial(hand, shared, destroys)) as deletes:
        execution = Execution(
            database=shared.database,
            shredder=destroys,
            records=Records(schedule=InForce()),
            memory=Memory(folder=folder, key=shared.heads.key),
            acting=lambda: shared.act(by, DOOR),
            beside=deletes,
        )
        order, due = execution.begin(plan_id)
        outcomes = _shown(execution.run(order, due), len(due))
        with shared.database.writing() as connection:
            text = certifying.certify(connection, shared.act(by, DOOR), order, shared.heads.key).text
    shared.sign_head()
    path = certifying.write_files(folder, order.batch.batch_id, text)
    clear(folder, order.batch.batch_id)
    counted = Counter(each.state for each in outcomes)
    if not as_json:
        for each in (each for each in outcomes if each.reason):
            click.echo(f"line {each.line}: {each.state}: {each.reason}")
    fates = {str(state): counted[state] for state in State if state is not State.MARKED}
    said: dict[str, object] = {"certificate": str(path), **fates}
    sentence = f"{counted[State.DESTROYED]} destroyed, {len(outcomes) - counted[State.DESTROYED]} not; see {path}"
    say(said, sentence, as_json=as_json)
    sys.exit(0 if len(outcomes) == counted[State.DESTROYED] else 1)


def _shown(outcomes: Iterator[Outcome], all_: int) -> list[Outcome]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        return list(progress.track(outcomes, total=all_, description="Destroying"))
