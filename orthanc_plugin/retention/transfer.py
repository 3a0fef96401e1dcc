"""The export of records that go to a place of deposit: decided again, recorded as disclosed, made into bags.

Knows the order. Must not destroy, nor know what a bag has in it (``contents`` does). Nothing goes anywhere that the
approved decision and policy.toml do not both name. The disclosure is on record before the first byte leaves; a bag
counts once it is whole. A run that was cut off is taken up by the next.

Sources: requirements 4, steps 6 and 11; NHS Records Management Code 5.5 (places of deposit).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from dicomwrap.terms import Purpose
from orthanc_plugin.archive import bags
from orthanc_plugin.audit.event import EventType, Outcome
from orthanc_plugin.config.disposition import Duty
from orthanc_plugin.config.places import Place
from orthanc_plugin.policy.model import Effect, ImageStatus
from orthanc_plugin.registry import disposals, ledger, plans, transfers
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.images import ImageRow
from orthanc_plugin.registry.ledger import Delivery, Disclosure
from orthanc_plugin.registry.plans import Action, Approval, Decision, Line, Plan
from orthanc_plugin.registry.trail import append
from orthanc_plugin.registry.transfers import State, Transfer
from orthanc_plugin.retention import standing
from orthanc_plugin.retention.acting import Act, require
from orthanc_plugin.retention.changes import change
from orthanc_plugin.retention.destruction import Shredder
from orthanc_plugin.retention.reach import Ground, Reached, reach, survey
from orthanc_plugin.retention.records import Record, Records

DOOR: Final = "consentgate transfer"
GIVEN_UP: Final = "it was given up while its bag was made"
NO_PLACE: Final = "policy.toml names no such place of deposit any more, or it takes nothing now"
SHUT: Final = "a picture of it is restricted, rejected or in quarantine, and nothing of the record leaves like that"
SHUT_AT: Final = frozenset({ImageStatus.RESTRICTED, ImageStatus.REJECTED, ImageStatus.QUARANTINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """One record as it goes into its bag.

    Attributes:
        own: its pictures.
        copies: copies of these that lie in other records here: listed, not exported; destroyed with the record.
    """

    plan: Plan
    approval: Approval
    line: Line
    decision: Decision
    place: Place
    transfer: Transfer
    own: tuple[ImageRow, ...]
    copies: tuple[ImageRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What came of a line: its transfer, or why nothing of it left."""

    line: int
    transfer: Transfer | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Exports the lines of plans that are decided to be transferred.

    Attributes:
        shredder: looks whether all of a record can be reached from here.
        contents: gives the files of a bag, by their names in it.
        tags: gives what its bag-info.txt says.
        acting: gives the act at the moment of each step.
    """

    database: Database
    shredder: Shredder
    records: Records
    contents: Callable[[Consignment], Iterator[tuple[str, bytes]]]
    tags: Callable[[Consignment], dict[str, str]]
    acting: Callable[[], Act]

    def begin(self, plan_id: str) -> tuple[Plan, Approval, tuple[Decision, ...]]:
        """Return a plan that may be executed now, its approval, and the decisions whose bags aren't whole yet.

        Raises:
            NotAllowedError: whoever acts may not execute.
            IllegalTransitionError: the plan isn't approved, still cools off, its approval has lapsed, or the trail
                doesn't tell the same.
            ArchiveError: Orthanc can't be reached.
        """
        self.shredder.require()
        with self.database.reading() as connection:
            act = self.acting()
            require(act, Duty.EXECUTE)
            standing.require_on_record(connection, plan_id)
            plan, taken = plans.get(connection, plan_id), plans.decided(connection, plan_id)
            approval = standing.executable(connection, act, plan, taken)
            settled = {each.line for each in disposals.outcomes_of(connection, plan_id)}
            moving = (each for line, each in sorted(taken.items()) if each.action is Action.TRANSFER)
            due = tuple(each for each in moving if each.line not in settled and not _whole(connection, each))
        return plan, approval, due

    def run(self, plan: Plan, approval: Approval, due: Sequence[Decision]) -> Iterator[Exported]:
        """Make the bag of each line in turn, and give what came of it.

        Raises:
            BagError: a place can't be written to.
            ArchiveError: Orthanc can't be reached, or an object isn't the one that was accepted.
        """
        ground = survey(self.database, self.shredder) if due else None
        for decision in due:
            if ground is not None:
                yield self._exported(plan, approval, decision, ground)

    def _exported(self, plan: Plan, approval: Approval, decision: Decision, ground: Ground) -> Exported:
        begun, problem = self._begun(plan, approval, decision, ground)
        if begun is None:
            return Exported(line=decision.line, transfer=None, reason=problem)
        folder = Path(begun.place.folder)
        pictures = {row.sha256 for row in begun.own}
        made = bags.prepare(folder, begun.transfer.bag, self.contents(begun), self.tags(begun), pictures)
        reached = self._reached(begun.line, ground)
        act = self.acting()
        whole = replace(
            begun.transfer,
            state=State.AWAITING_RECEIPT,
            exported_at=act.at.isoformat(),
            size=made.size,
            bag_sha256=made.sha256,
        )
        with self.database.writing() as connection:
            now = transfers.get(connection, whole.transfer_id)
            if now.state is State.ABANDONED:
                bags.put_aside(folder, now.bag)
                return Exported(line=decision.line, transfer=None, reason=GIVEN_UP)
            if now.state is not State.BEGUN:  # another run was quicker
                bags.discard(folder, now.bag)
                return Exported(line=decision.line, transfer=now)
            # A bag takes its time, and whatever came meanwhile keeps it from being handed over.
            if problem := self._settled(connection, act, plan, begun.line, decision, reached)[1]:
                bags.put_aside(folder, now.bag)
                return Exported(
                    line=decision.line, transfer=None, reason=_refused(connection, act, decision, problem, now)
                )
            bags.hand_over(folder, now.bag)
            ends = _ended(connection, whole, Delivery.SENT)
            tell(connection, act, whole, ends)
        return Exported(line=decision.line, transfer=whole)

    def _begun(
        self, plan: Plan, approval: Approval, decision: Decision, ground: Ground
    ) -> tuple[Consignment | None, str]:
        """Decide on a line again, and write down that its pictures leave; or say why they don't."""
        with self.database.reading() as connection:
            line = plans.line_of(connection, plan.plan_id, decision.line)
        reached = self._reached(line, ground)
        act = self.acting()
        with self.database.writing() as connection:
            known = transfers.of_decision(connection, decision)
            found, problem = self._settled(connection, act, plan, line, decision, reached)
            if found is None:
                return None, _refused(connection, act, decision, problem, known)
            record, place = found
            bags.require_folder(Path(place.folder))
            own = tuple(row for row in record.pictures if row.study_instance_uid == line.study_instance_uid)
            transfer = _taken_up(connection, act, known) if known else _told(connection, act, decision, line, own)
        copies = tuple(row for row in record.pictures if row not in own)
        return Consignment(
            plan=plan,
            approval=approval,
            line=line,
            decision=decision,
            place=place,
            transfer=transfer,
            own=own,
            copies=copies,
        ), ""

    def _reached(self, line: Line, ground: Ground) -> Reached:
        with self.database.reading() as connection:
            return reach(connection, self.shredder, ground, (line.study_instance_uid,))

    def _settled(
        self, connection: Connection, act: Act, plan: Plan, line: Line, decision: Decision, reached: Reached
    ) -> tuple[tuple[Record, Place] | None, str]:
        """Decide on a line as things stand: return its record and its place, or why nothing of it leaves."""
        record = self.records.of(connection, line.study_instance_uid, act)
        place = act.policy.disposition.place(decision.place)
        problem = change(plan, line, record, reached) or reached.problems.get(line.study_instance_uid, "")
        if record is None or place is None or problem:
            return None, problem or NO_PLACE
        problem = _objection(connection, act, line, decision, record, place)
        return (None, problem) if problem else ((record, place), "")


def _whole(connection: Connection, decision: Decision) -> bool:
    found = transfers.of_decision(connection, decision)
    return found is not None and found.state is not State.BEGUN


def _objection(connection: Connection, act: Act, line: Line, decision: Decision, record: Record, place: Place) -> str:
    if not place.open_on(act.day):
        return NO_PLACE
    if any(row.status in SHUT_AT for row in record.pictures):
        return SHUT
    studies = (row.study_instance_uid for row in record.pictures)
    return standing.objection(connection, line.study_sha256, studies, decision)


def _refused(connection: Connection, act: Act, decision: Decision, problem: str, known: Transfer | None) -> str:
    if known:
        drop_half(act, known)
    subject = f"{decision.plan_id} line {decision.line}"
    kind, effect = EventType.INSTANCES_TRANSFERRED, "DISPOSITION_TRANSFER_REFUSED"
    append(connection, [act.event(kind, effect, subject=subject, outcome=Outcome.REFUSED, reasons=(problem,))])
    return problem


def drop_half(act: Act, transfer: Transfer) -> None:
    """Remove half a bag, which names a patient, where its transfer ends before the bag counted as handed over.

    So is one that has its name because a run was cut off right after it got that.

    Raises:
        BagError: it can't be removed.
    """
    place = act.policy.disposition.place(transfer.place)
    if place is not None:
        remove = bags.put_aside if transfer.state is State.BEGUN else bags.discard
        remove(Path(place.folder), transfer.bag)


def _taken_up(connection: Connection, act: Act, known: Transfer) -> Transfer:
    """Return a transfer that another run has begun: whoever makes the bag now confirms no receipt for it."""
    if known.state is not State.BEGUN or known.begun_by == act.by:
        return known
    again = replace(known, begun_by=act.by)
    tell(connection, act, again)
    return again


def _told(connection: Connection, act: Act, decision: Decision, line: Line, own: Sequence[ImageRow]) -> Transfer:
    """Write down, before anything leaves, that these pictures go to the place of deposit."""
    transfer = Transfer(
        transfer_id=act.ids(),
        plan_id=decision.plan_id,
        line=decision.line,
        decision_id=decision.decision_id,
        study_sha256=line.study_sha256,
        place=decision.place,
        state=State.BEGUN,
        begun_by=act.by,
        begun_at=act.at.isoformat(),
        objects=len(own),
    )
    seals = []
    for row in own:
        disclosure = _disclosure(act, transfer, row)
        seals.append(ledger.disclose(connection, disclosure))
        seals.append(ledger.deposit(connection, disclosure.disclosure_id))
    tell(connection, act, transfer, seals)
    return transfer


def _disclosure(act: Act, transfer: Transfer, row: ImageRow) -> Disclosure:
    return Disclosure(
        disclosure_id=act.ids(),
        decision_id=transfer.transfer_id,
        sop_instance_uid=row.sop_instance_uid,
        released_uid=row.sop_instance_uid,
        recipient=transfer.place,
        requester=act.by,
        door=DOOR,
        purpose=Purpose.RECORDS_MANAGEMENT,
        form=Effect.PERMIT_IDENTIFIABLE,
        profile="",
        consents=(),
        consent_versions=(),
        sha256=row.sha256,
        at=act.at.isoformat(),
    )


def _ended(connection: Connection, transfer: Transfer, outcome: Delivery) -> list[str]:
    known = ledger.of_decision(connection, transfer.place, transfer.transfer_id)
    return [ledger.deliver(connection, each, outcome) for each in known]


def tell(connection: Connection, act: Act, transfer: Transfer, more: Sequence[str] = ()) -> None:
    """Write a transfer as it stands now, with its entry in the trail, which seals ``more`` as well."""
    seal = transfers.put(connection, transfer)
    kind = EventType.TRANSFER_BEGUN if transfer.state is State.BEGUN else EventType.INSTANCES_TRANSFERRED
    event = act.event(
        kind,
        f"DISPOSITION_TRANSFER_{transfer.state}",
        subject=transfer.transfer_id,
        detail="\n".join((seal, *more)),
    )
    append(connection, [event])


def arrived(connection: Connection, act: Act, transfer: Transfer) -> None:
    """Write that a bag has arrived: its recipient has the copies."""
    tell(connection, act, transfer, _ended(connection, transfer, Delivery.DELIVERED))


def stays(connection: Connection, act: Act, decision: Decision) -> None:
    """Write that a source stays after all: what the place has of it is a copy that is out."""
    if (transfer := transfers.of_decision(connection, decision)) is not None:
        tell(connection, act, transfer, taken_back(connection, transfer))


def taken_back(connection: Connection, transfer: Transfer) -> list[str]:
    """Write that a place is not to keep its copies; return the words that tie that to its entry in the trail."""
    known = ledger.of_decision(connection, transfer.place, transfer.transfer_id)
    return [ledger.take_back(connection, each) for each in known]
