"""Receipts of places of deposit: entered by one of us, confirmed by another; then the source may be destroyed.

Knows what a receipt must say. Must not destroy. A receipt is the place's own word, with the digest that it worked out
of the bag as it arrived: a wrong digest, bag or name is refused, and nothing of the file is taken.

Source: requirements 4, step 11 (source destroyed only after a receipt), step 4 (second person).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.clock import hospital_day
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.errors import ConfigurationError, IllegalTransitionError
from orthanc_plugin.registry import disposals, ledger, transfers
from orthanc_plugin.registry.disposals import State as Settled
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.transfers import State, Transfer
from orthanc_plugin.retention.acting import Act, require, require_other
from orthanc_plugin.retention.transfer import arrived, drop_half, taken_back, tell

COLUMNS: Final = ("bag", "tagmanifest_sha256", "received_by", "received_on")
OURS: Final = re.compile(r"consentgate-[A-Za-z0-9-]{1,64}", re.ASCII)  # the names of bags
LARGEST: Final = 1 << 20  # bytes of a receipt: ten thousand bags
OPEN: Final = frozenset({State.BEGUN, State.AWAITING_RECEIPT, State.RECEIPT_ENTERED, State.RECEIVED})


class ReceiptError(ConfigurationError):
    """A receipt doesn't hold; every fault is named."""

    remedy = (
        "Nothing was recorded and nothing is destroyed. Ask the place of deposit to check the bags again; a bag that "
        "isn't what was exported is given up with 'consentgate transfer abandon'."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a receipt says of one bag."""

    bag: str
    sha256: str
    received_by: str
    received_on: date


def form(found: Sequence[Transfer]) -> str:
    """Return a receipt for a place to fill in: the digest is left for it to work out."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows((each.bag, "", "", "") for each in found)
    return file.getvalue()


def read(content: bytes) -> tuple[Said, ...]:
    """Return what a receipt (CSV) says.

    Raises:
        ReceiptError: it isn't one; every fault is named with its line.
    """
    if len(content) > LARGEST:
        raise ReceiptError("The receipt is too long.", remedy="Give the place's CSV file.")
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (ValueError, csv.Error) as error:
        raise ReceiptError("The receipt can't be read as CSV in UTF-8.", remedy="Give the place's CSV file.") from error
    said: list[Said] = []
    problems: list[str] = []
    for number, row in enumerate(rows, 2):
        try:
            said.append(_said(row))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    problems += [f"bag {name} is there more than once" for name in _repeated(said)]
    if problems or not said:
        needed = f"Have each line give {', '.join(COLUMNS)} (YYYY-MM-DD)."
        raise ReceiptError("The receipt is not complete.", problems=tuple(problems), remedy=needed)
    return tuple(said)


def _said(row: Mapping[str | None, str | list[str] | None]) -> Said:
    bag, sha256, name, day = (str(row.get(column) or "").strip() for column in COLUMNS)
    if not (bag and sha256 and name and day) or None in row:
        raise ValueError("a column is empty, or there is one too many")
    if not OURS.fullmatch(bag):  # nor is it told on: nobody knows whom it names
        raise ValueError("bag is the name of none of ours")
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise ValueError("received_on is no day") from None
    return Said(bag=bag, sha256=sha256.lower(), received_by=name, received_on=on)


def _repeated(said: Sequence[Said]) -> Iterator[str]:
    seen: set[str] = set()
    for each in said:
        if each.bag in seen:
            yield each.bag
        seen.add(each.bag)


def enter(database: Database, act: Act, content: bytes) -> tuple[Transfer, ...]:
    """Enter a receipt; all of its bags, or none.

    Raises:
        NotAllowedError: whoever acts may not execute.
        ReceiptError: a bag isn't awaited, its digest is another, or whoever signed may not sign for the place.
    """
    require(act, Duty.EXECUTE)
    said, digest = read(content), hashlib.sha256(content).hexdigest()
    with database.writing() as connection:
        known = {each.bag: each for each in transfers.listed(connection)}
        problems = tuple(problem for each in said if (problem := _against(act, each, known.get(each.bag))))
        if not problems:
            entered = tuple(_entered(act, each, known[each.bag], digest) for each in said)
            for transfer in entered:
                tell(connection, act, transfer)
            return entered
        kind, effect = EventType.SECURITY_ALERT, "DISPOSITION_RECEIPT_REFUSED"
        refused = Outcome.REFUSED
        append(connection, [act.event(kind, effect, subject=digest, outcome=refused, reasons=problems)])
    raise ReceiptError("The receipt does not hold.", problems=problems)


def _against(act: Act, said: Said, transfer: Transfer | None) -> str:
    """Say what is wrong with what a receipt says of a bag, '' for nothing."""
    if transfer is None:
        return f"{said.bag}: no such bag was exported"
    if transfer.state is not State.AWAITING_RECEIPT:
        return f"{said.bag}: it awaits no receipt (it is {transfer.state})"
    if said.sha256 != transfer.bag_sha256:
        return f"{said.bag}: the digest is not that of the bag as it was exported"
    if problem := _unsigned(act, transfer, said.received_by):
        return problem
    if not hospital_day(datetime.fromisoformat(transfer.exported_at)) <= said.received_on <= act.day:
        return f"{said.bag}: it can't have been received on that day"
    return ""


def _unsigned(act: Act, transfer: Transfer, name: str) -> str:
    place = act.policy.disposition.place(transfer.place)
    if place is None or not place.signs(name):
        return f"{transfer.bag}: policy.toml doesn't let this person sign for {transfer.place}"
    return ""


def _entered(act: Act, said: Said, transfer: Transfer, digest: str) -> Transfer:
    return replace(
        transfer,
        state=State.RECEIPT_ENTERED,
        receipt_sha256=digest,
        received_by=said.received_by,
        received_on=said.received_on.isoformat(),
        entered_by=act.by,
        entered_at=act.at.isoformat(),
    )


def confirm(connection: Connection, act: Act, receipt_sha256: str) -> tuple[Transfer, ...]:
    """Confirm a receipt that somebody else has entered, by the digest of its file: the sources may be destroyed.

    Raises:
        NotAllowedError: whoever acts may not approve, or exported a bag or entered the receipt.
        IllegalTransitionError: no such receipt waits.
        ReceiptError: whoever signed may not sign for the place any more.
    """
    officer = require(act, Duty.APPROVE)
    same = (each for each in transfers.listed(connection) if each.receipt_sha256 == receipt_sha256.lower())
    found = tuple(each for each in same if each.state is State.RECEIPT_ENTERED)
    if not found:
        raise IllegalTransitionError(
            "No receipt of this digest waits to be confirmed.",
            remedy="Work out the SHA-256 of the receipt that you have in hand; see 'consentgate transfer list'.",
        )
    require_other(act, officer, _exporters(connection, found), "exported the bag")
    require_other(act, officer, {each.entered_by for each in found}, "entered the receipt")
    if problems := tuple(problem for each in found if (problem := _unsigned(act, each, each.received_by))):
        raise ReceiptError("The receipt does not hold any more.", problems=problems)
    confirmed = tuple(
        replace(each, state=State.RECEIVED, confirmed_by=act.by, confirmed_at=act.at.isoformat()) for each in found
    )
    for each in confirmed:
        arrived(connection, act, each)
    return confirmed


def _exporters(connection: Connection, found: Sequence[Transfer]) -> set[str]:
    """Return who made the bags, and who began with one that was taken up."""
    begun = (name for each in found for name in ledger.requesters(connection, each.place, each.transfer_id))
    return {*begun, *(each.begun_by for each in found)}


def abandon(connection: Connection, act: Act, transfer_id: str, reason: str) -> Transfer:
    """Give up a transfer whose source is still there; what the place has is a copy that is out, as the ledger says.

    Raises:
        NotAllowedError: whoever acts may not decide.
        IllegalTransitionError: it was given up before, its source is destroyed, or there is no reason.
    """
    require(act, Duty.DECIDE)
    known = transfers.get(connection, transfer_id)
    settled = disposals.outcome_of(connection, known.plan_id, known.line)
    if known.state not in OPEN or (settled is not None and settled.state is not Settled.DROPPED):
        raise IllegalTransitionError("It was given up before, or its source is destroyed.", remedy="Nothing is left.")
    if not reason.strip():
        raise IllegalTransitionError("A transfer is given up with a reason.", remedy="Say why.")
    given_up = replace(known, state=State.ABANDONED, note=reason.strip())
    tell(connection, act, given_up, taken_back(connection, known))
    drop_half(act, known)
    return given_up
