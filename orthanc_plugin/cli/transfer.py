"""``consentgate transfer export | list | receipt | confirm | abandon``: records on their way to a place of deposit.

Knows click. Must not decide. Destruction is ``consentgate retention apply``, once a receipt is confirmed.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from dicomwrap.durable import Disk, reason_of
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.cli.disposition import InForce, reason_option, shredder
from orthanc_plugin.enforcement.running import archive
from orthanc_plugin.errors import ConfigurationError
from orthanc_plugin.registry import transfers
from orthanc_plugin.registry.transfers import State
from orthanc_plugin.retention import receipts
from orthanc_plugin.retention.records import Records
from orthanc_plugin.retention.transfer import DOOR, Dispatch, Exported
from orthanc_plugin.sending.deposit import Deposit

COLUMNS: Final = ("transfer_id", "plan_id", "line", "place", "state", "objects", "bag_sha256", "receipt_sha256")


@click.group()
def transfer() -> None:
    """Transfer records to a place of deposit; the source is destroyed only after a receipt (docs/transfer.md)."""


@transfer.command()
@click.argument("plan_id")
@by_option
@json_option
@told
def export(plan_id: str, by: str, as_json: bool) -> None:
    """Make a bag (BagIt) of each record of PLAN_ID that goes to a place of deposit. Nothing is destroyed.

    Cut off, it is taken up by the next run. Exit status 1 where a record was not exported.
    """
    shared = services()
    with shredder(shared) as looks, archive(shared) as running:
        deposit = Deposit(services=shared, archive=running)
        dispatch = Dispatch(
            database=shared.database,
            shredder=looks,
            records=Records(schedule=InForce()),
            contents=deposit.files,
            tags=deposit.tags,
            acting=lambda: shared.act(by, DOOR),
        )
        found = [*dispatch.run(*dispatch.begin(plan_id))]
    shared.sign_head()
    rows = [_row(each) for each in found]
    show(rows, ("line", "bag", "place", "bag_sha256", "reason"), as_json=as_json, empty="No record is to be exported.")
    sys.exit(1 if any(each.transfer is None for each in found) else 0)


def _row(found: Exported) -> dict[str, object]:
    moved = found.transfer
    told_of = {"bag": moved.bag, "place": moved.place, "bag_sha256": moved.bag_sha256} if moved else {}
    return {"line": found.line, **told_of, "reason": found.reason}


@transfer.command(name="list")
@click.option("--plan", "plan_id", help="Of this plan alone.")
@json_option
@told
def list_(plan_id: str | None, as_json: bool) -> None:
    """List the transfers: which record went where, and whether its receipt is there."""
    with services().database.reading() as connection:
        rows = [{**asdict(each), "bag": each.bag} for each in transfers.listed(connection, plan_id)]
    show(rows, COLUMNS, as_json=as_json, empty="Nothing was ever transferred.")


@transfer.command()
@click.argument("plan_id")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@told
def form(plan_id: str, file: Path, as_json: bool) -> None:
    """Write to FILE (CSV) the receipt for the bags of PLAN_ID, for the place to fill in and sign."""
    with services().database.reading() as connection:
        found = [each for each in transfers.listed(connection, plan_id) if each.state is State.AWAITING_RECEIPT]
    try:
        Disk().put_new(file, receipts.form(found).encode())
    except OSError as error:
        raise ConfigurationError(
            f"{file.name} can't be written ({reason_of(error)}).", remedy="Give the name of a file that isn't there."
        ) from error
    say({"file": str(file), "bags": len(found)}, f"{len(found)} bag(s) await a receipt; see {file}.", as_json=as_json)


@transfer.command()
@click.argument("file", type=click.Path(path_type=Path))
@by_option
@json_option
@told
def receipt(file: Path, by: str, as_json: bool) -> None:
    """Enter FILE, a receipt (CSV) that a place of deposit has filled in; somebody else confirms it."""
    shared = services()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file.name} can't be read ({reason_of(error)}).", remedy="Give the receipt's file."
        ) from error
    try:
        found = receipts.enter(shared.database, shared.act(by, DOOR), content)
    finally:
        shared.sign_head()
    digest = found[0].receipt_sha256
    sentence = f"Entered for {len(found)} bag(s). Somebody else confirms it: consentgate transfer confirm {digest}"
    say({"bags": [each.bag for each in found], "receipt_sha256": digest}, sentence, as_json=as_json)


@transfer.command()
@click.argument("receipt_sha256")
@by_option
@json_option
@told
def confirm(receipt_sha256: str, by: str, as_json: bool) -> None:
    """Confirm a receipt by the SHA-256 of its file, as somebody who neither exported nor entered it.

    Ask the place itself, by another way than the receipt came. 'consentgate retention apply' then destroys the sources.
    """
    shared = services()
    with shared.database.writing() as connection:
        found = receipts.confirm(connection, shared.act(by, DOOR), receipt_sha256)
    shared.sign_head()
    plans = sorted({each.plan_id for each in found})
    sentence = f"Confirmed: {len(found)} bag(s). The sources of plan {', '.join(plans)} may be destroyed now."
    say({"bags": [each.bag for each in found], "plans": plans}, sentence, as_json=as_json)


@transfer.command()
@click.argument("transfer_id")
@reason_option
@by_option
@json_option
@told
def abandon(transfer_id: str, reason: str, by: str, as_json: bool) -> None:
    """Give up a transfer: the source stays, and what the place has counts as a copy that is out."""
    shared = services()
    with shared.database.writing() as connection:
        found = receipts.abandon(connection, shared.act(by, DOOR), transfer_id, reason)
    shared.sign_head()
    sentence = "Given up. The record stays; have the place send the bag back, and propose the record anew."
    say({"transfer_id": found.transfer_id, "state": found.state}, sentence, as_json=as_json)
