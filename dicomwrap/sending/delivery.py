"""Send files, have the archive vouch for them, write the receipts, and only then delete.

Knows the order of these steps and what stops each. Must not know how objects travel or what time it
is: both are given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from dicomwrap.durable import Disk, digest, reason_of
from dicomwrap.errors import DicomwrapError, NotAnObjectError, PeerError, ReceiptError
from dicomwrap.receipt import Receipt, delete, keep
from dicomwrap.sending.commitment import Committed
from dicomwrap.sending.node import Node
from dicomwrap.sending.parcel import Parcel, parcel
from dicomwrap.sending.storescu import Stored
from dicomwrap.sending.words import is_not_whole

UNVOUCHED: Final = "the archive took it but doesn't vouch for it yet; kept"
NOT_WHOLE: Final = "the archive doesn't hold it as it was sent; kept"
NOT_WHOLE_REMEDY: Final = "Have the archive accept photographs as they are; nothing is deleted before."


@unique
class State(StrEnum):
    """How far a file came."""

    COMMITTED = "committed"
    STORED = "stored"
    NOT_COMMITTED = "not committed"
    NOT_STORED = "not stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to an archive.

    Attributes:
        store: sends objects.
        commit: asks whether the archive vouches for them; None when nobody is to be asked.
        voucher: the node that is asked; None when nobody is.
        sent_by: how objects travel, for the receipt.
    """

    store: Callable[[Sequence[Parcel]], tuple[Stored, ...]]
    commit: Callable[[Sequence[Parcel]], Committed] | None
    voucher: Node | None
    sent_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is to happen around the sending.

    Attributes:
        moment: the clock, as a date and time.
        version: dicomwrap's, for the receipt.
        receipts: folder for receipts; None puts each beside its file.
        delete_source: whether a file goes once its receipt is on the disk.
        disk: makes the changes.
    """

    moment: Callable[[], datetime]
    version: str
    receipts: Path | None = None
    delete_source: bool = False
    disk: Disk = field(default_factory=Disk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one file fared.

    Attributes:
        file: the file.
        state: how far it came.
        sop_instance_uid: the object in it; "" when there is none.
        reason: why it came no further; "" when it came as far as it was to.
        remedy: what a person can do about it.
        warnings: what the archive said about it although it stored it.
        receipt: where the deletion receipt is; None without one.
        deleted: whether the file is gone.
    """

    file: Path
    state: State
    sop_instance_uid: str = ""
    reason: str = ""
    remedy: str = ""
    warnings: tuple[str, ...] = ()
    receipt: Path | None = None
    deleted: bool = False


def deliver(files: Sequence[Path], route: Route, terms: Terms) -> tuple[Outcome, ...]:
    """Send files and see each as far as it goes; the outcomes come in the order of the files."""
    outcomes: dict[Path, Outcome] = {}
    parcels = _parcels(list(dict.fromkeys(files)), outcomes)
    stored = _stored(parcels, route, outcomes)
    sent_at = terms.moment()
    if stored and route.commit is not None:
        _commit(stored, route, terms, sent_at, outcomes)
    return tuple(outcomes[file] for file in dict.fromkeys(files))


def receipt_for(
    sent: Parcel, committed: Committed, route: Route, terms: Terms, sent_at: datetime, photograph_sha256: str = ""
) -> Receipt:
    """Return the receipt of an object that the archive vouches for, made from that photograph where it is known.

    Raises:
        ReceiptError: nobody was asked.
    """
    if route.voucher is None:
        raise ReceiptError("Nobody was asked to vouch for the object")
    return Receipt(
        sop_class_uid=sent.sop_class_uid,
        sop_instance_uid=sent.sop_instance_uid,
        sha256=sent.sha256,
        size=sent.size,
        transaction_uid=committed.transaction_uid,
        peer_aet=route.voucher.aet,
        peer_host=route.voucher.host,
        peer_port=route.voucher.port,
        sent_by=route.sent_by,
        sent_at=sent_at,
        committed_at=terms.moment(),
        version=terms.version,
        photograph_sha256=photograph_sha256,
    )


def _parcels(files: Sequence[Path], outcomes: dict[Path, Outcome]) -> list[Parcel]:
    found = []
    for file in files:
        try:
            found.append(parcel(file))
        except NotAnObjectError as error:
            outcomes[file] = _failed(file, State.NOT_STORED, error)
    return _without_rivals(found, outcomes)


def _without_rivals(parcels: Sequence[Parcel], outcomes: dict[Path, Outcome]) -> list[Parcel]:
    """Leave out objects that have one UID and different content: an archive keeps only one of them."""
    contents: Mapping[str, set[str]] = defaultdict(set)
    for each in parcels:
        contents[each.sop_instance_uid].add(each.sha256)
    rivals = [each for each in parcels if len(contents[each.sop_instance_uid]) > 1]
    for each in rivals:
        error = NotAnObjectError(
            "Another file of this call has the same SOP instance UID and other content", "Find out which one is right."
        )
        outcomes[each.path] = _failed(each.path, State.NOT_STORED, error, each)
    return [each for each in parcels if each not in rivals]


def _stored(parcels: Sequence[Parcel], route: Route, outcomes: dict[Path, Outcome]) -> list[Parcel]:
    """Send, and return what the archive took."""
    if not parcels:
        return []
    try:
        answers = route.store(parcels)
    except PeerError as error:
        outcomes |= {each.path: _failed(each.path, State.NOT_STORED, error, each) for each in parcels}
        return []
    for answer in answers:
        outcomes[answer.parcel.path] = _told(answer)
    return [answer.parcel for answer in answers if answer.stored and not is_not_whole(answer.status)]


def _told(answer: Stored) -> Outcome:
    told = Outcome(file=answer.parcel.path, state=State.STORED, sop_instance_uid=answer.parcel.sop_instance_uid)
    if answer.stored and is_not_whole(answer.status):
        return replace(told, state=State.NOT_COMMITTED, reason=f"{NOT_WHOLE}: {answer.reason}", remedy=NOT_WHOLE_REMEDY)
    if answer.stored:
        return replace(told, warnings=(answer.reason,) if answer.reason else ())
    return replace(told, state=State.NOT_STORED, reason=answer.reason, remedy="The file is kept.")


def _commit(
    parcels: Sequence[Parcel], route: Route, terms: Terms, sent_at: datetime, outcomes: dict[Path, Outcome]
) -> None:
    try:
        if route.commit is None:
            return
        committed = route.commit(parcels)
    except PeerError as error:
        for each in parcels:
            told = replace(outcomes[each.path], state=State.NOT_COMMITTED, remedy=error.remedy)
            outcomes[each.path] = replace(told, reason=f"{UNVOUCHED} ({error.reason})")
        return
    for each in parcels:
        if each.sop_instance_uid not in committed.uids:
            reason = f"{UNVOUCHED} ({committed.reasons[each.sop_instance_uid]})"
            told = replace(outcomes[each.path], state=State.NOT_COMMITTED, reason=reason)
            outcomes[each.path] = replace(told, remedy="Send it again later; that is harmless.")
        else:
            receipt = receipt_for(each, committed, route, terms, sent_at)
            outcomes[each.path] = _settled(outcomes[each.path], each, receipt, terms)


def _settled(told: Outcome, sent: Parcel, receipt: Receipt, terms: Terms) -> Outcome:
    """Write the receipt of a committed file and delete the file when that is asked for."""
    try:
        unchanged = digest(sent.path) == (sent.sha256, sent.size)
        if not unchanged:
            raise ReceiptError("The file changed while it was sent; kept", "Send it again.")
        told = replace(told, state=State.COMMITTED, receipt=keep(receipt, sent.path, terms.receipts, terms.disk))
        if not terms.delete_source or told.receipt is None:
            return told
        if delete(sent.path, told.receipt, terms.disk):
            return replace(told, deleted=True)
        return replace(told, reason="the file changed since it was sent; kept", remedy="Send it again.")
    except OSError as error:
        reason = f"The file can't be read any more ({reason_of(error)})"
        return replace(told, state=State.NOT_COMMITTED, reason=reason, remedy="No receipt was written.")
    except ReceiptError as error:
        state = State.NOT_COMMITTED if told.receipt is None else State.COMMITTED
        return replace(told, state=state, reason=error.reason, remedy=error.remedy)


def _failed(file: Path, state: State, error: DicomwrapError, sent: Parcel | None = None) -> Outcome:
    uid = "" if sent is None else sent.sop_instance_uid
    return Outcome(file=file, state=state, sop_instance_uid=uid, reason=error.reason, remedy=error.remedy)
