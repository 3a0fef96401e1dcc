"""Transfers: which record went in which bag to which place of deposit, and who has said that it arrived.

Knows rows, and how each is tied to its entry in the trail. Must not know bags, nor who may do what. A record is its
line in a plan; a transfer that was given up counts for nothing, and the line may be exported again.

Source: requirements 4, step 11 (the source is destroyed only after a receipt).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import Connection, delete, select

from orthanc_plugin.errors import UnknownRecordError
from orthanc_plugin.registry.disposals import State as Settled
from orthanc_plugin.registry.disposaltables import outcomes
from orthanc_plugin.registry.engine import IN_PARTS
from orthanc_plugin.registry.plans import Action, Decision, lines_for
from orthanc_plugin.registry.stored import sealed
from orthanc_plugin.registry.transfertables import transfers

SEAL: Final = "disposition transfer "
BAG: Final = "consentgate-"


@unique
class State(StrEnum):
    """Where a transfer stands.

    Attributes:
        BEGUN: the bag is being made; none counts yet.
        AWAITING_RECEIPT: the bag is whole and lies in the place's folder.
        RECEIPT_ENTERED: one of us has entered the place's receipt.
        RECEIVED: a second of us has confirmed it; the source may be destroyed.
        ABANDONED: given up; the source stays.
    """

    BEGUN = "BEGUN"
    AWAITING_RECEIPT = "AWAITING_RECEIPT"
    RECEIPT_ENTERED = "RECEIPT_ENTERED"
    RECEIVED = "RECEIVED"
    ABANDONED = "ABANDONED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One record on its way to a place of deposit.

    Attributes:
        objects: how many pictures are in the bag.
        size: bytes of the bag's payload.
        bag_sha256: digest of its tagmanifest-sha256.txt, which covers everything in it; what a receipt must name.
        receipt_sha256: digest of the file that the receipt came in.
        received_by: who of the place signed it, and ``received_on`` the day.
        note: why it was given up.
    """

    transfer_id: str
    plan_id: str
    line: int
    decision_id: str
    study_sha256: str
    place: str
    state: State
    begun_by: str
    begun_at: str
    objects: int
    exported_at: str = ""
    size: int = 0
    bag_sha256: str = ""
    receipt_sha256: str = ""
    received_by: str = ""
    received_on: str = ""
    entered_by: str = ""
    entered_at: str = ""
    confirmed_by: str = ""
    confirmed_at: str = ""
    note: str = ""

    @property
    def bag(self) -> str:
        """Return the name of its bag."""
        return f"{BAG}{self.transfer_id}"

    @property
    def method(self) -> str:
        """Return what the stub and the certificate say of it."""
        return f"transferred to {self.place} as {self.bag}, receipt SHA-256 {self.receipt_sha256}"


def put(connection: Connection, transfer: Transfer) -> str:
    """Write a transfer as it stands now; return the words that tie it to its entry in the trail."""
    connection.execute(delete(transfers).where(transfers.c.transfer_id == transfer.transfer_id))
    connection.execute(transfers.insert().values(asdict(transfer)))
    return seal(transfer)


def seal(transfer: Transfer) -> str:
    """Return the words that tie a transfer as it stands to its entry in the trail."""
    return sealed(SEAL, transfer.transfer_id, asdict(transfer))


def seals(connection: Connection) -> Iterator[str]:
    """Give the seal of every transfer."""
    for row in connection.execute(select(transfers), execution_options=IN_PARTS):
        yield seal(_transfer(dict(row._mapping)))


def _transfer(row: dict[str, object]) -> Transfer:
    return Transfer(**{**row, "state": State(str(row["state"]))})  # type: ignore[arg-type]


def get(connection: Connection, transfer_id: str) -> Transfer:
    """Return a transfer, named by its id or by its bag.

    Raises:
        UnknownRecordError: there is none.
    """
    known = transfers.c.transfer_id == transfer_id.removeprefix(BAG)
    row = connection.execute(select(transfers).where(known)).first()
    if row is None:
        raise UnknownRecordError("No transfer has this id.", remedy="See 'consentgate transfer list'.")
    return _transfer(dict(row._mapping))


def listed(connection: Connection, plan_id: str | None = None) -> list[Transfer]:
    """Return the transfers of a plan, or all, by when they were begun."""
    query = select(transfers).order_by(transfers.c.begun_at, transfers.c.plan_id, transfers.c.line)
    if plan_id is not None:
        query = query.where(transfers.c.plan_id == plan_id)
    return [_transfer(dict(row._mapping)) for row in connection.execute(query)]


def of_decision(connection: Connection, decision: Decision) -> Transfer | None:
    """Return the transfer that carries out a decision on a line, None when there is none that counts."""
    line = (transfers.c.plan_id == decision.plan_id, transfers.c.line == decision.line)
    live = (transfers.c.decision_id == decision.decision_id, transfers.c.state != State.ABANDONED.value)
    row = connection.execute(select(transfers).where(*line, *live)).first()
    return None if row is None else _transfer(dict(row._mapping))


def received(connection: Connection, decision: Decision) -> Transfer | None:
    """Return the transfer of a line whose receipt two people have seen, None when there is none."""
    found = of_decision(connection, decision)
    return found if found is not None and found.state is State.RECEIVED else None


def received_lines(connection: Connection, taken: dict[int, Decision]) -> frozenset[int]:
    """Return the lines of a plan that are decided to be transferred and were: their sources may be destroyed."""
    moved = lines_for(taken, Action.TRANSFER)
    return frozenset(line for line in moved if received(connection, taken[line]) is not None)


def under_way(connection: Connection) -> frozenset[str]:
    """Return digests of the records that are on their way: begun with, and not settled by an execution since."""
    known = (outcomes.c.plan_id == transfers.c.plan_id) & (outcomes.c.line == transfers.c.line)
    query = select(transfers.c.study_sha256).select_from(transfers.join(outcomes, known, isouter=True))
    live = transfers.c.state != State.ABANDONED.value  # of what is begun nobody knows whether the place has it
    open_ = outcomes.c.state.is_(None) | (outcomes.c.state == Settled.MARKED.value)
    return frozenset(connection.execute(query.where(live, open_)).scalars())
