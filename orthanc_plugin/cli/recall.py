"""``consentgate recall``: copies that are had back: who is asked, by what, who has answered, who is reminded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import click
from sqlalchemy import Connection

from dicomwrap.durable import Disk
from orthanc_plugin.cli.common import by_option, json_option, plain, say, services, show, told
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle import recalling, recallletters
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy import recalling as rules
from orthanc_plugin.policy.recalling import OVERDUE, Method, Standing
from orthanc_plugin.policy.recallletter import as_html, as_text
from orthanc_plugin.registry import recalls
from orthanc_plugin.registry.recalls import Recalled

COLUMNS: Final = ("recall_id", "recipient", "cause", "method", "state", "opened_at", "due_at", "copies", "problem")
COPIES: Final = ("disclosure_id", "at", "released_uid", "purpose", "form", "kind", "outcome", "recall")
UNANSWERED_COLUMNS: Final = ("recipient", "recalls", "copies", "overdue", "days", "problem")
STATES: Final = (*(each.value for each in Standing), OVERDUE)
PAGES: Final = frozenset({".html", ".htm"})
SENT: Final = {
    True: "Recorded: the recipient has been told.",
    False: "The courier sends the notice when its turn comes.",
}


class UnwritableLetterError(ConsentgateError):
    """The letter can't be written."""

    remedy = "Give a name that isn't taken yet, in a folder that you may write to."


@click.group()
def recall() -> None:
    """Have copies back that left: ask, remind, and record who has answered."""


@recall.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="Only those that stand so.")
@click.option("--recipient", help="Only of this recipient: its name in policy.toml.")
@json_option
@told
def list_(state: str | None, recipient: str | None, as_json: bool) -> None:
    """List recalls, oldest first. OVERDUE is what the recipient has not answered in time."""
    shared = services()
    with shared.database.reading() as connection:
        found = recalls.listed(connection, recipient=recipient)
        rows = [row for row in _rows(connection, found, shared.clock()) if state in (None, row["state"])]
    show(rows, COLUMNS, as_json=as_json, empty="Nothing is recalled.")


@recall.command(name="show")
@click.argument("recall_id")
@json_option
@told
def show_(recall_id: str, as_json: bool) -> None:
    """Show a recall, what has passed, and where each of its copies stands."""
    shared = services()
    with shared.database.reading() as connection:
        row = _row(connection, recalling.get(connection, recall_id), shared.clock())
        copies = recalls.copies(connection, recall_id)
    if as_json:
        say({**row, "disclosures": [{name: each[name] for name in COPIES} for each in copies]}, "", as_json=True)
        return
    for name, value in row.items():
        if value not in (None, ""):
            click.echo(f"{name}: {plain(value)}")
    show(copies, COPIES, as_json=False, empty="No copies are on record.")


def _rows(connection: Connection, found: Iterable[Recalled], at: datetime) -> Iterator[dict[str, object]]:
    copies = recalls.counts(connection)
    yield from (_told(each, copies[each.recall_id], at) for each in found)


def _row(connection: Connection, each: Recalled, at: datetime) -> dict[str, object]:
    return _told(each, len(recalls.standings(connection, each.recall_id)), at)


def _told(each: Recalled, count: int, at: datetime) -> dict[str, object]:
    state = rules.told(each.standing, datetime.fromisoformat(each.due_at), at)
    hidden = ("standing", "next_try", "attempts")
    told_ = {name: value for name, value in asdict(each).items() if name not in hidden}
    return {**told_, "state": state, "copies": count}


def _done(recall_id: str, by: str, step: Callable[[Connection, Act], Recalled]) -> dict[str, object]:
    """Do ``step`` in one transaction; return the recall as it then stands."""
    shared = services()
    with shared.database.writing() as connection:
        row = _row(connection, step(connection, shared.act(by, "consentgate recall")), shared.clock())
    shared.sign_head()
    return row


@recall.command()
@click.argument("recall_id")
@click.option("--how", default="", help="How a letter went out, such as: recorded delivery, 3 March.")
@by_option
@json_option
@told
def send(recall_id: str, how: str, by: str, as_json: bool) -> None:
    """Have the notice sent now; or record with --how that the letter has been sent."""
    row = _done(recall_id, by, lambda connection, act: recalling.send(connection, act, recall_id, how))
    say(row, SENT[row["method"] == Method.LETTER], as_json=as_json)


@recall.command()
@click.argument("recall_id")
@click.option("--how", required=True, help="How it is known, such as: e-mail of their records officer, on file.")
@click.option("--refused", is_flag=True, help="The recipient won't give the copies up.")
@by_option
@json_option
@told
def acknowledge(recall_id: str, how: str, refused: bool, by: str, as_json: bool) -> None:
    """Record the recipient's answer: every copy of the recall is gone; or, with --refused, that it says no."""
    row = _done(
        recall_id, by, lambda connection, act: recalling.acknowledge(connection, act, recall_id, how, refused=refused)
    )
    said = "Recorded: the recipient refuses; its copies count as held." if refused else "Recorded: the copies are gone."
    say(row, said, as_json=as_json)


@recall.command()
@click.argument("recall_ids", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A name that isn't taken.")
@by_option
@json_option
@told
def letter(recall_ids: tuple[str, ...], out: Path, by: str, as_json: bool) -> None:
    """Write the letter to one recipient about its recalls: a page to print where --out ends in .html, else text."""
    shared = services()
    if out.exists():
        raise UnwritableLetterError("A file of this name is there already.")
    with shared.database.writing() as connection:
        written = recallletters.write(connection, shared.act(by, "consentgate recall"), recall_ids)
    text = (as_html if out.suffix.lower() in PAGES else as_text)(written)
    try:
        Disk().put_new(out, text.encode())
    except OSError as error:
        raise UnwritableLetterError(f"The letter can't be written ({type(error).__name__}).") from error
    shared.sign_head()
    row = {"recipient": written.recipient, "addressee": written.addressee, "copies": len(written.copies)}
    sentence = f"Written, about {len(written.copies)} copies. Once it is sent: consentgate recall send ID --how HOW."
    say({**row, "out": str(out)}, sentence, as_json=as_json)


@recall.command()
@click.argument("recall_ids", nargs=-1)
@click.option("--due", is_flag=True, help="Every recipient who has to be reminded now.")
@by_option
@json_option
@told
def remind(recall_ids: tuple[str, ...], due: bool, by: str, as_json: bool) -> None:
    """Remind recipients: a notice goes out again; a letter has to be written and sent again."""
    if bool(recall_ids) == due:
        raise click.UsageError("Name recalls, or give --due.")
    shared = services()
    act = shared.act(by, "consentgate recall")
    with shared.database.writing() as connection:
        named = [each.recall_id for each in recalling.to_remind(connection, act.at)] if due else list(recall_ids)
        rows = list(_rows(connection, [recalling.remind(connection, act, each) for each in named], act.at))
    shared.sign_head()
    show(rows, COLUMNS, as_json=as_json, empty="Nobody has to be reminded now.")


@recall.command()
@json_option
@told
def report(as_json: bool) -> None:
    """Report who has not answered or has refused, by recipient, the longest first."""
    shared = services()
    with shared.database.reading() as connection:
        rows = [asdict(each) for each in recalling.unanswered(connection, shared.clock())]
    show(rows, UNANSWERED_COLUMNS, as_json=as_json, empty="Every recipient has answered.")
