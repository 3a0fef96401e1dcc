"""What a change of the rules changes for what is queued and for copies that are out.

Knows that a copy is asked back only when the change is why it would not be given any more: that time has ended a
consent since is no such reason. Must not know what has changed: it is given the decisions before and after.

Sources: requirements 2.9 (recall), G-NDO (a changed opt-out list); UK GDPR 19.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection, select

from dicomwrap.terms import SECONDARY_PURPOSES, Audience, Form, Purpose
from orthanc_plugin.audit.event import EventType
from orthanc_plugin.config.bindings import Binding
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.errors import UnknownImageError
from orthanc_plugin.lifecycle import recalling
from orthanc_plugin.lifecycle.act import Act
from orthanc_plugin.policy.decide import decide
from orthanc_plugin.policy.eventmodel import Copy, Recall
from orthanc_plugin.policy.events import LEAVES_NO_COPY
from orthanc_plugin.policy.model import Case, Effect, Recipient, Request
from orthanc_plugin.policy.recalling import Cause
from orthanc_plugin.policy.reviewing import Under
from orthanc_plugin.registry import facts, ledger, outbox
from orthanc_plugin.registry.bulk import pieces
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.ledger import Delivery
from orthanc_plugin.registry.outbox import CANCELLABLE
from orthanc_plugin.registry.outboxtables import outbox as queued
from orthanc_plugin.registry.stored import UnreadableRowError
from orthanc_plugin.registry.tables import disclosures
from orthanc_plugin.registry.trail import append

Wish = tuple[str, str, Purpose]  # SOP Instance UID, recipient, purpose
Ruling = Callable[[Connection, Wish], Effect | None]  # None: nobody of that name may receive for that
Told = Callable[[Case], Case]
BEGINNING: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulings:
    """What was decided under the rules before, and what is under those after.

    Attributes:
        before: decides as it was.
        after: decides as it will be.
        routes: to whom each route sends after, by its name: what is queued goes there, whomever it was queued for.
    """

    before: Ruling
    after: Ruling
    routes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a change of the rules forbids.

    Attributes:
        sends: numbers of the rows of the outbox that would be refused now.
        back: ids of the disclosures whose copies are to be recalled.
        lost: ids of those that can't be had back.
    """

    sends: tuple[int, ...]
    back: tuple[str, ...]
    lost: tuple[str, ...]


def ruling(policy: Policy, act: Act, under: Callable[[str], Under], told: Told = lambda case: case) -> Ruling:
    """Return what decides under a policy, today; ``told`` changes what is known before it does."""

    def ruled(connection: Connection, wish: Wish) -> Effect | None:
        uid, name, purpose = wish
        binding = _bound(policy, name, purpose)
        if binding is None:
            return None
        profile = under(binding.profile or "")
        try:
            case = facts.case(connection, uid, _request(act, binding), policy.switches, uid, profile)
        except (UnknownImageError, UnreadableRowError):  # as the gate has it; one row must not keep the rest from it
            return Effect.DENY
        return decide(told(case)).effect

    return ruled


def recipients(policy: Policy) -> dict[str, str]:
    """Return to whom each route of a policy sends."""
    return {each.name: each.recipient for each in policy.routes}


def _bound(policy: Policy, name: str, purpose: Purpose) -> Binding | None:
    users = (use for user in policy.users for use in user.uses())
    every: tuple[Binding, ...] = (*policy.destinations, *users)
    return next((each for each in every if (each.name, each.purpose) == (name, purpose)), None)


def _request(act: Act, binding: Binding) -> Request:
    who = Recipient(type=Audience(binding.audience), id=binding.name, verified=True, approved_channel=True)
    return Request(
        as_of=act.day, purpose=binding.purpose, recipient=who, identifiable=binding.form is Form.IDENTIFIABLE
    )


def look(
    database: Database, rulings: Rulings, *, pictures: Collection[str] | None = None, since: str = BEGINNING
) -> Found:
    """Decide again on what is queued and on live copies; nothing is written, and nobody waits meanwhile.

    Args:
        database: the registry.
        rulings: decide.
        pictures: only these; None for all.
        since: only copies that left then or later.
    """
    with database.reading() as connection:
        sends = tuple(_unsendable(connection, rulings, pictures))
        copies = tuple(_forbidden(connection, rulings, pictures, since))
    back = tuple(copy.id for copy in copies if copy.recallable)
    return Found(sends=sends, back=back, lost=tuple(copy.id for copy in copies if not copy.recallable))


def late(connection: Connection, rulings: Rulings, found: Found, since: str) -> Found:
    """Return what was found with the copies that have left meanwhile, in the transaction that ends the rules before."""
    known = {*found.back, *found.lost}
    copies = [copy for copy in _forbidden(connection, rulings, None, since) if copy.id not in known]
    back = tuple(copy.id for copy in copies if copy.recallable)
    lost = tuple(copy.id for copy in copies if not copy.recallable)
    return replace(found, back=found.back + back, lost=found.lost + lost)


def _unsendable(connection: Connection, rulings: Rulings, pictures: Collection[str] | None) -> Iterator[int]:
    columns = [queued.c[name] for name in ("outbox_id", "sop_instance_uid", "route", "recipient", "purpose")]
    query = select(*columns).where(queued.c.state.in_(CANCELLABLE)).order_by(queued.c.outbox_id)
    for piece in (None,) if pictures is None else pieces(pictures):
        chosen = query if piece is None else query.where(queued.c.sop_instance_uid.in_(piece))
        for row in connection.execute(chosen).all():
            recipient = rulings.routes.get(row.route, row.recipient)
            if rulings.after(connection, (row.sop_instance_uid, recipient, Purpose(row.purpose))) in REFUSED:
                yield int(row.outbox_id)


# What needs a person's look first may yet be given: the courier asks again when it is sent.
REFUSED: Final = (None, Effect.DENY)


def _forbidden(
    connection: Connection, rulings: Rulings, pictures: Collection[str] | None, since: str
) -> Iterator[Copy]:
    for row, copy in live(connection, pictures, since):
        if _taken_away(connection, rulings, row, copy):
            yield copy


def live(
    connection: Connection, pictures: Collection[str] | None, since: str = BEGINNING
) -> Iterator[tuple[ledger.Row, Copy]]:
    """Give the copies that somebody may hold and nobody has asked back, each with its row."""
    live = (disclosures.c.outcome != Delivery.FAILED, disclosures.c.recall == Recall.NONE, disclosures.c.at >= since)
    query = select(disclosures).where(*live).order_by(disclosures.c.at)
    for piece in (None,) if pictures is None else pieces(pictures):
        chosen = query if piece is None else query.where(disclosures.c.sop_instance_uid.in_(piece))
        for each in connection.execute(chosen).all():
            row = dict(each._mapping)
            copy = ledger.copy_of(row)
            if copy.kind not in LEAVES_NO_COPY:
                yield row, copy


def given(connection: Connection, pictures: Collection[str], ruled: Ruling) -> dict[Copy, bool]:
    """Return the live copies of these pictures, and of each whether it would still be given."""
    return {copy: _covers(effect, copy) for copy, effect in effects(connection, pictures, ruled).items()}


def effects(connection: Connection, pictures: Collection[str], ruled: Ruling) -> dict[Copy, Effect | None]:
    """Return the live copies of these pictures, and of each what would be decided for whoever has it."""
    decided: dict[Wish, Effect | None] = {}
    found: dict[Copy, Effect | None] = {}
    for row, copy in live(connection, pictures):
        wish = _wish(row)
        if wish not in decided:
            decided[wish] = ruled(connection, wish)
        found[copy] = decided[wish]
    return found


def _wish(row: ledger.Row) -> Wish:
    return str(row["sop_instance_uid"]), str(row["recipient"]), Purpose(str(row["purpose"]))


def _taken_away(connection: Connection, rulings: Rulings, row: ledger.Row, copy: Copy) -> bool:
    """Tell whether the change is why the copy would not be given any more."""
    wish = _wish(row)
    after = rulings.after(connection, wish)
    if after is None:  # who left the hospital needn't give back what they had for care
        return wish[2] in SECONDARY_PURPOSES and rulings.before(connection, wish) is not None
    return not _covers(after, copy) and _covers(rulings.before(connection, wish), copy)


def _covers(effect: Effect | None, copy: Copy) -> bool:
    """Tell whether what would be given has the copy's form, or might once a person has looked."""
    if effect is Effect.PERMIT_ANONYMISED:
        return copy.form is Form.ANONYMISED
    return effect not in REFUSED


def apply(connection: Connection, act: Act, found: Found, cause: Cause, subject: str, reason: str) -> None:
    """Cancel and recall what was found.

    Args:
        connection: open write transaction.
        act: whose act the change is.
        found: what ``look`` returned.
        cause: why.
        subject: the id of the change.
        reason: for whoever does the tasks; it names no patient.
    """
    outbox.cancel_rows(connection, reason, act.at, found.sends)
    recalling.open_(connection, act, cause, subject, back=found.back, lost=found.lost, reason=reason)
    counted = (
        f"sends cancelled: {len(found.sends)}",
        f"copies recalled: {len(found.back)}",
        f"copies not recallable: {len(found.lost)}",
    )
    swept = act.event(EventType.APPLICATION_ACTIVITY, "RULES_SWEPT", subject=subject, reasons=counted)
    append(connection, [swept])


def opted_in(case: Case) -> Case:
    """Return the case as it would be without the patient's national data opt-out."""
    return replace(case, patient=replace(case.patient, national_data_opt_out=False))
